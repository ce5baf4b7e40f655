/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pickup: mail from the users of this host. sendmail talks to its socket, where the kernel says
 * who is calling; what sendmail left in maildrop/ while nobody listened is taken up at each
 * wake-up. Everything goes on to cleanup, with the facts that only pickup can know.
 */
#include "base/log.h"
#include "pickup/pickup.h"

struct pickup pickup;

static void
pre_jail(void)
{
	pickup.conf = service_conf();
	pickup.values = service_values();
	pickup.submitters = authorize_open(
	    "authorized_submit_users", pickup.values->authorized_submit_users, pickup.conf);
}

static void
start(void)
{
	service_path(pickup.cleanup_path, sizeof(pickup.cleanup_path), "public",
	    pickup.values->cleanup_service_name);
}

static const struct sandbox_path paths[] = {
	{ "maildrop", SANDBOX_READ | SANDBOX_WRITE },
	{ "corrupt", SANDBOX_READ | SANDBOX_WRITE },
	{ "public", SANDBOX_SOCKET },
	{ "private", SANDBOX_SOCKET },
	{ NULL, 0 },
};

static const struct service service = {
	.name = "pickup",
	.peers = SERVICE_PEERS_ANY,
	.sessions_per_user = 100,
	.one_process = true,
	.sandbox = {
		.paths = paths,
		.calls = SANDBOX_ACCEPT | SANDBOX_CONNECT_UNIX | SANDBOX_FILES | SANDBOX_THREADS,
	},
	.pre_jail = pre_jail,
	.start = start,
	.session = session_run,
	.wakeup = maildrop_scan,
};

int
main(int argc, char **argv)
{
	return service_main(argc, argv, &service);
}
