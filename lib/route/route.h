/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an address belongs and how mail for it leaves: the address classes of Postfix
 * (ADDRESS_CLASS_README names), transport, next hop and recipient. Also the rewriting of
 * addresses to their standard form.
 */
#ifndef ROUTE_ROUTE_H
#define ROUTE_ROUTE_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/view.h"
#include "conf/conf.h"
#include "table/table.h"

enum route_class {
	ROUTE_LOCAL,           /* mydestination, inet_interfaces, proxy_interfaces */
	ROUTE_VIRTUAL_ALIAS,   /* virtual_alias_domains */
	ROUTE_VIRTUAL_MAILBOX, /* virtual_mailbox_domains */
	ROUTE_RELAY,           /* relay_domains */
	ROUTE_DEFAULT,         /* everything else */
	ROUTE_ERROR,           /* resolves to the error transport: malformed or refused */
};

struct route {
	enum route_class class_;
	struct view transport; /* "local", "smtp", "error"... */
	struct view
	    nexthop; /* domain, host, or text for the error transport, "5.1.1 User..." */
	struct view recipient; /* address as the agent gets it */
};

/* All tables and lists that routing needs, opened before the jail. */
struct router;
struct router *router_open(const struct conf *c);
void router_free(struct router **r);

/*
 * The class of a domain (no '@'). TABLE_CANNOT_TELL when a table failed; TABLE_FOUND otherwise.
 */
enum table_result router_class(
    struct router *r, struct view domain, enum route_class *out, const char **why);

/* The whole decision for one recipient; strings live in the arena. May wait (tables). */
enum table_result router_resolve(struct router *r, struct view sender, struct view recipient,
    struct arena *arena, struct route *out, const char **why);

/*
 * Whether mail for the recipient has a place to go, by class: local_recipient_maps,
 * virtual_alias_maps, virtual_mailbox_maps, relay_recipient_maps; an empty parameter means that
 * all exist. The class is that of its domain. TABLE_NOT_FOUND: unknown user; or *route is a
 * refusal, and its nexthop the text.
 */
enum table_result router_recipient_exists(struct router *r, struct view sender,
    struct view recipient, enum route_class class_, struct arena *arena, struct route *route,
    const char **why);

/* The error or the retry transport: nexthop says why, perhaps with a status code in front. */
bool route_is_refusal(const struct route *route);

/*
 * Standard form: append_at_myorigin for "user", append_dot_mydomain for "user@host" without a
 * dot, one dot at the end of the domain dropped. For envelope addresses, which are always
 * completed. The null address and an address that ends in '@' stay as they are. Appends to out.
 */
void route_standard_form(const struct conf_values *v, struct view address, struct buf *out);

/*
 * True when the local part holds '@', '%' or '!', which another host might read as a route of
 * its own: without allow_untrusted_routing such an address is not relayed for strangers. Here a
 * local part is never read again.
 */
bool route_has_sender_routing(struct view address);

/* Whether an address of an interface or of a proxy in front is ours (IPv4 mapped into IPv6). */
bool router_is_own_address(const struct router *r, const unsigned char address[16]);

#endif
