/* SPDX-License-Identifier: Apache-2.0 */
/*
 * smtp, relay and lmtp: mail to other systems. One process serves thousands of deliveries, each
 * in a task, and keeps the sessions between them.
 */
#include "dns/dns.h"
#include "smtp/client.h"
#include "smtp/generic.h"
#include "smtp/hosts.h"

#define RESOLVER_CONNECTIONS 50 /* kept idle */

static void
pre_jail(void)
{
	const struct client_options *o = &client.options;
	const struct conf *c = service_conf();

	client.main_cf = c;
	client.conf = service_values();
	client_options_read(&client.options, client.conf, view_of(service_program()));
	hosts_open();
	generic_open();
	client.discard_maps = table_list_open(o->discard_ehlo_keyword_address_maps, c);
	client.pix_maps = table_list_open(o->pix_workaround_maps, c);
	client.reply_filter = table_list_open(o->reply_filter, c);
	client.status_filter = table_list_open(o->delivery_status_filter, c);
	client.cached_destinations =
	    match_list_open(o->is_lmtp ? "lmtp_connection_cache_destinations"
				       : "smtp_connection_cache_destinations",
		o->connection_cache_destinations, c);
}

static void
start(void)
{
	client.dns = dns_client_new(service_pool("private", "resolver", RESOLVER_CONNECTIONS));
}

static void
session_run(const struct service_connection *c)
{
	deliver_serve(c, delivery_run);
}

static const struct service service = {
	.name = "smtp",
	.user = service_network_user,
	.peers = SERVICE_PEERS_OWNER,
	.sandbox = {
		.calls = SANDBOX_ACCEPT | SANDBOX_CONNECT_UNIX | SANDBOX_CONNECT_INET,
	},
	.pre_jail = pre_jail,
	.start = start,
	.session = session_run,
	.finish = cache_close,
};

int
main(int argc, char **argv)
{
	return service_main(argc, argv, &service);
}
