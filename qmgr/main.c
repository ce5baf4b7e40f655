/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qmgr: the only owner of queue files. It gives every message to the agents that can deliver
 * it, keeps account of what became of each recipient, tries again what failed for now, and
 * removes a message when nobody is left who has to get it or to be told.
 */
#include "base/log.h"
#include "qmgr/qmgr.h"

static void
pre_jail(void)
{
	qmgr_prepare();
	transport_limits_prepare();
	commands_prepare();
}

static const struct sandbox_path paths[] = {
	{ "incoming", SANDBOX_READ | SANDBOX_WRITE },
	{ "slots", SANDBOX_READ | SANDBOX_WRITE },
	{ "deferred", SANDBOX_READ | SANDBOX_WRITE },
	{ "hold", SANDBOX_READ | SANDBOX_WRITE },
	{ "corrupt", SANDBOX_READ | SANDBOX_WRITE },
	{ "index", SANDBOX_READ | SANDBOX_WRITE },
	{ "private", SANDBOX_SOCKET },
	{ "public", SANDBOX_SOCKET },
	{ NULL, 0 },
};

static const struct service service = {
	.name = "qmgr",
	.peers = SERVICE_PEERS_ANY,
	.sessions_per_user = 20,
	.one_process = true,
	.sandbox = {
		.paths = paths,
		.calls = SANDBOX_ACCEPT | SANDBOX_CONNECT_UNIX | SANDBOX_FILES | SANDBOX_THREADS,
		.max_descriptors = 65536,
	},
	.pre_jail = pre_jail,
	.start = qmgr_start,
	.session = session_run,
	.wakeup = qmgr_wakeup,
	.finish = qmgr_finish,
};

int
main(int argc, char **argv)
{
	int status = service_main(argc, argv, &service);

	indexing_end();
	return status;
}
