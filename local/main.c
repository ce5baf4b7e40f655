/* SPDX-License-Identifier: Apache-2.0 */
/*
 * local: delivery to the users of this system. The process that decides has given up root; a
 * launcher forked before starts one worker per recipient account, and the workers write.
 */
#include "local/local.h"

#define CLEANUP_IDLE_CONNECTIONS 8

struct local local;

static void
pre_jail(void)
{
	launcher_start();
	local.main_cf = service_conf();
	local.conf = service_values();
	local.aliases = table_list_open(local.conf->alias_maps, service_conf());
	local.passwd = table_open("unix:passwd.byname", service_conf());
	local.router = router_open(service_conf());
}

static void
start(void)
{
	local.cleanup =
	    service_pool("public", local.conf->cleanup_service_name, CLEANUP_IDLE_CONNECTIONS);
}

static const struct sandbox_path paths[] = {
	{ "public", SANDBOX_SOCKET },
	{ "private", SANDBOX_SOCKET },
	{ NULL, 0 },
};

static const struct service service = {
	.name = "local",
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
