/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolver: the one process that asks name servers, with one cache for all others. It reads its
 * files before the jail, and then talks to name servers and to the suite's services alone.
 */
#include "resolver/resolver.h"
#include "service/service.h"

static void
pre_jail(void)
{
	resolver_open(service_values());
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

	resolver_serve(peer, say_idle, &c);
	ipc_free(&peer);
}

/* SANDBOX_NAMES: libunbound makes its sockets non-blocking by fcntl. */
int
main(int argc, char **argv)
{
	static const struct service service = {
		.name = "resolver",
		.user = service_network_user,
		.peers = SERVICE_PEERS_OURS,
		.one_process = true,
		.sandbox = {
			.calls = SANDBOX_ACCEPT | SANDBOX_CONNECT_INET | SANDBOX_NAMES,
			.max_descriptors = 8192,
		},
		.pre_jail = pre_jail,
		.session = session,
		.finish = upstream_abandon,
	};

	return service_main(argc, argv, &service);
}
