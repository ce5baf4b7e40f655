/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cleanup: every message passes here once on its way in. It gets one canonical form and lies on
 * disk, synced, when the client hears so.
 */
#include "base/log.h"
#include "cleanup/cleanup.h"
#include "ipc/ipc_pool.h"
#include "queue/flow.h"
#include "route/route.h"

#define QMGR_IDLE_CONNECTIONS 4
#define QMGR_IDLE_TIME        (100 * SECOND)

static void
pre_jail(void)
{
	const char *why;

	cleanup.conf = service_values();
	cleanup.queue = queue_open(".", cleanup.conf->queue_sync, &why);
	if (!cleanup.queue)
		log_fatal("open queue directory %s: %s", cleanup.conf->queue_directory, why);
	cleanup.flow = flow_open();
	if (cleanup.flow < 0)
		log_warn("open pid/qmgr.flow: %m: in_flow_delay has no effect");
	if (*cleanup.conf->virtual_alias_maps)
		cleanup.router = router_open(service_conf());
	cleanup.drop_headers = header_names_new(cleanup.conf->message_drop_headers);
}

static void
start(void)
{
	char path[256];
	const char *why;

	service_path(path, sizeof(path), "public", cleanup.conf->queue_service_name);
	cleanup.qmgr = ipc_pool_new(path, QMGR_IDLE_CONNECTIONS, QMGR_IDLE_TIME);
	if (!queue_slots_claim(cleanup.queue, &why))
		log_warn("every message gets a file of its own: %s", why);
}

static const struct sandbox_path paths[] = {
	{ "incoming", SANDBOX_READ | SANDBOX_WRITE },
	{ "slots", SANDBOX_READ | SANDBOX_WRITE },
	{ "hold", SANDBOX_READ | SANDBOX_WRITE },
	{ "public", SANDBOX_SOCKET },
	{ "private", SANDBOX_SOCKET },
	{ NULL, 0 },
};

static const struct service service = {
	.name = "cleanup",
	.peers = SERVICE_PEERS_OURS,
	.sandbox = {
		.paths = paths,
		.calls = SANDBOX_ACCEPT | SANDBOX_CONNECT_UNIX | SANDBOX_FILES | SANDBOX_THREADS,
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
