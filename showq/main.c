/* SPDX-License-Identifier: Apache-2.0 */
/*
 * showq: tells what is in the queue. It reads the index where that can be believed, and the
 * queue files otherwise, so what it says is what a restart would find; it changes nothing.
 * While the system is down root runs it stand-alone, as the user that owns the queue.
 */
#include <unistd.h>

#include "base/log.h"
#include "showq/showq.h"

struct showq showq;

static void
pre_jail(void)
{
	const char *why;

	showq.conf = service_conf();
	showq.values = service_values();
	if (service_is_stand_alone() && geteuid() == 0) {
		struct sandbox_identity identity = { 0 };

		sandbox_user(showq.conf, showq.values->mail_owner, &identity);
		sandbox_become(&identity);
	}
	showq.viewers = authorize_open(
	    "authorized_mailq_users", showq.values->authorized_mailq_users, showq.conf);
	showq.queue = queue_open(".", false, &why);
	if (!showq.queue)
		log_fatal("open queue directory %s: %s", showq.values->queue_directory, why);
}

static const struct sandbox_path paths[] = {
	{ "maildrop", SANDBOX_READ },
	{ "incoming", SANDBOX_READ },
	{ "slots", SANDBOX_READ },
	{ "deferred", SANDBOX_READ },
	{ "hold", SANDBOX_READ },
	{ "index", SANDBOX_READ },
	{ "private", SANDBOX_SOCKET },
	{ "public", SANDBOX_SOCKET },
	{ NULL, 0 },
};

static const struct service service = {
	.name = "showq",
	.peers = SERVICE_PEERS_ANY,
	.sessions_per_user = 100,
	.sandbox = {
		.paths = paths,
		.calls = SANDBOX_ACCEPT | SANDBOX_CONNECT_UNIX | SANDBOX_FILES | SANDBOX_THREADS,
	},
	.pre_jail = pre_jail,
	.session = session_run,
};

int
main(int argc, char **argv)
{
	return service_main(argc, argv, &service);
}
