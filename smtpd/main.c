/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SMTP server: takes mail from the network (and from sendmail -bs), decides by
 * configuration who may send what to whom, and hands each message to cleanup as one stream.
 * Everything that lookups need is opened before the process gives up its rights.
 */
#include "smtpd/smtpd.h"

int
main(int argc, char **argv)
{
	static const struct service service = {
		.name = "smtpd",
		.user = service_network_user,
		.peers = SERVICE_PEERS_ANY,
		.sandbox = {
			.calls = SANDBOX_ACCEPT | SANDBOX_CONNECT_UNIX,
		},
		.pre_jail = server_open,
		.start = server_start,
		.session = session_run,
	};

	return service_main(argc, argv, &service);
}
