/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of lib/route share. */
#ifndef ROUTE_ROUTER_PRIVATE_H
#define ROUTE_ROUTER_PRIVATE_H

#include "route/route.h"
#include "table/match_list.h"

struct router {
	const struct conf *conf;
	const struct conf_values *values;
	unsigned char (*own)[16]; /* addresses of inet_interfaces and proxy_interfaces */
	size_t own_count;

	struct match_list *mydestination;
	struct match_list *virtual_alias_domains;
	struct match_list *virtual_mailbox_domains;
	struct match_list *relay_domains;

	struct table_list *transport_maps;
	struct table_list *relocated_maps;
	struct table_list *sender_relayhosts;
	struct table_list *sender_transports;
	bool transport_parents; /* "example.com" in transport_maps means subdomains too */

	struct table_list *canonical_maps;
	struct table_list *recipient_canonical_maps;
	struct table_list *virtual_alias_maps;
	struct table_list *local_recipient_maps;
	struct table_list *virtual_mailbox_maps;
	struct table_list *relay_recipient_maps;
};

/* Asks the system and resolves host names: before the jail. */
void router_own_addresses_find(struct router *r);

/* Whether bare user names in tables mean this domain: ours, or $myorigin. */
enum table_result router_domain_is_ours(
    struct router *r, struct view domain, bool *out, const char **why);

/*
 * transport_maps for one complete address: *value is "transport:nexthop". See transport(5).
 */
enum table_result transport_find(
    struct router *r, struct view address, struct buf *value, const char **why);

#endif
