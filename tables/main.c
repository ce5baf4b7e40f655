/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tables: answers lookups that may block (system users through NSS, later databases) and that
 * other services may not do themselves. It has a user of its own and reads no mail.
 */
#include <pwd.h>

#include "service/service.h"
#include "tables/tables.h"

static const char *
user(const struct conf_values *v)
{
	return getpwnam(v->mail_user_tables) != NULL ? v->mail_user_tables : v->mail_owner;
}

static void
pre_jail(void)
{
	tables_open(service_conf());
}

static void
say_idle(void *context, bool idle)
{
	const struct service_connection **c = context;

	service_session_idle(*c, idle);
}

static void
session(const struct service_connection *c)
{
	struct ipc *peer = ipc_new(c->fd);

	tables_serve(peer, say_idle, &c);
	ipc_free(&peer);
}

/* NSS reads /etc, and asks nscd, sssd or systemd through sockets below /run. */
static const struct sandbox_path paths[] = {
	{ "/etc", SANDBOX_READ },
	{ "/run", SANDBOX_READ | SANDBOX_SOCKET },
	{ NULL, 0 },
};

int
main(int argc, char **argv)
{
	static const struct service service = {
		.name = "tables",
		.user = user,
		.peers = SERVICE_PEERS_OURS,
		.sandbox = {
			.paths = paths,
			.calls = SANDBOX_ACCEPT | SANDBOX_CONNECT_UNIX | SANDBOX_FILES |
			    SANDBOX_THREADS | SANDBOX_NAMES,
			.max_descriptors = 4096,
		},
		.pre_jail = pre_jail,
		.session = session,
	};

	return service_main(argc, argv, &service);
}
