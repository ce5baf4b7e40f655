/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bounce: tells senders what became of their mail. It reads what it is given a descriptor of,
 * writes nothing itself, and answers when cleanup has the notice on disk.
 */
#include "bounce/bounce.h"

#define CLEANUP_IDLE_CONNECTIONS 4

struct bounce bounce;

static void
pre_jail(void)
{
	bounce.conf = service_values();
	bounce.router = router_open(service_conf());
	words_load();
}

static void
start(void)
{
	bounce.cleanup =
	    service_pool("public", bounce.conf->cleanup_service_name, CLEANUP_IDLE_CONNECTIONS);
}

static const struct sandbox_path paths[] = {
	{ "public", SANDBOX_SOCKET },
	{ "private", SANDBOX_SOCKET },
	{ NULL, 0 },
};

static const struct service service = {
	.name = "bounce",
	.peers = SERVICE_PEERS_OWNER,
	.sandbox = {
		.paths = paths,
		.calls = SANDBOX_ACCEPT | SANDBOX_CONNECT_UNIX | SANDBOX_THREADS,
	},
	.pre_jail = pre_jail,
	.start = start,
	.session = session_run,
};

int
main(int argc, char **argv)
{
	return service_main(argc, argv, &service);
}
