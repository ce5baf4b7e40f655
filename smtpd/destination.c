/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions about an address: is it ours to take from strangers, and does it exist. The answers
 * of tables have three values, and "cannot tell now" is a 451, never a yes and never a no.
 */
#include "base/log.h"
#include "mail/address.h"
#include "mail/dsn.h"
#include "smtpd/restrictions.h"

/*
 * user%remote@ours and friends: somebody behind us may take the local part apart, so a stranger
 * may not use us to reach it (allow_untrusted_routing).
 */
static bool
local_part_routes(struct view local)
{
	for (size_t i = 0; i < local.n; i++)
		if (local.p[i] == '@' || local.p[i] == '%' || local.p[i] == '!')
			return true;
	return false;
}

enum table_result
destination_is_ours(struct view address, const char **why)
{
	struct view local, domain;
	enum route_class class_;
	enum table_result r;

	address_split(address, &local, &domain);
	if (!server.v->allow_untrusted_routing && local_part_routes(local))
		return TABLE_NOT_FOUND;
	r = router_class(server.router, domain, &class_, why);
	if (r == TABLE_CANNOT_TELL)
		return r;
	switch (class_) {
	case ROUTE_LOCAL:
	case ROUTE_VIRTUAL_ALIAS:
	case ROUTE_VIRTUAL_MAILBOX:
	case ROUTE_RELAY:
		return TABLE_FOUND;
	default:
		return TABLE_NOT_FOUND;
	}
}

/* The reply code and the name of the table of a class, or false where nobody is unknown here.
 */
static bool
class_listing(enum route_class class_, int *code, const char **table)
{
	const struct conf_values *v = server.v;

	switch (class_) {
	case ROUTE_LOCAL:
		*code = v->unknown_local_recipient_reject_code;
		*table = "local recipient";
		return true;
	case ROUTE_VIRTUAL_MAILBOX:
		*code = v->unknown_virtual_mailbox_reject_code;
		*table = "virtual mailbox";
		return true;
	case ROUTE_RELAY:
		*code = v->unknown_relay_recipient_reject_code;
		*table = "relay recipient";
		return true;
	default:
		return false;
	}
}

static enum restriction_result
refuse_unknown(struct evaluation *e, int code, const char *table, bool is_sender)
{
	struct view shown = is_sender ? e->s->transaction->sender : e->given;
	const char *what = is_sender ? "Sender" : "Recipient";
	const char *dsn =
	    is_sender ? (code < 500 ? "4.1.0" : "5.1.0") : (code < 500 ? "4.1.1" : "5.1.1");

	if (!server.v->show_user_unknown_table_name)
		return restrict_refuse(e, code, dsn,
		    "<%.*s>: %s address rejected: User unknown", VIEW_ARG(shown), what);
	return restrict_refuse(e, code, dsn,
	    "<%.*s>: %s address rejected: User unknown in %s table", VIEW_ARG(shown), what,
	    table);
}

/* What the error or retry transport would put into a notice is said here, where no notice is
 * needed. */
static enum restriction_result
refuse_undeliverable(struct evaluation *e, const struct route *route, bool is_sender)
{
	struct view shown = is_sender ? e->s->transaction->sender : e->given;
	struct view status = VIEW("5.1.1"), text = route->nexthop;
	char dsn[DSN_SIZE];
	int code = 550;

	dsn_split(route->nexthop, &status, &text);
	if (view_eq(route->transport, VIEW("retry")) || status.p[0] == '4')
		code = 450;
	else if (route->class_ == ROUTE_VIRTUAL_ALIAS)
		code = server.v->unknown_virtual_alias_reject_code;
	if (is_sender)
		status = VIEW("5.1.0");
	dsn_with_class(status, code < 500 ? '4' : '5', dsn);
	return restrict_refuse(e, code, dsn, "<%.*s>: %s address rejected: %.*s",
	    VIEW_ARG(shown), is_sender ? "Sender" : "Recipient", VIEW_ARG(text));
}

enum restriction_result
restrict_unlisted(struct evaluation *e, struct view address, bool is_sender)
{
	struct view local, domain, other = e->recipient;
	enum route_class class_;
	struct route route;
	const char *why = NULL, *table = NULL;
	enum table_result r;
	int code = 550;

	if (!is_sender)
		other = e->s->transaction ? e->s->transaction->sender_full : VIEW_NONE;
	address_split(address, &local, &domain);
	r = router_class(server.router, domain, &class_, &why);
	if (r != TABLE_CANNOT_TELL)
		r = router_recipient_exists(
		    server.router, other, address, class_, &e->s->arena, &route, &why);
	if (r == TABLE_CANNOT_TELL)
		return restrict_lookup_failure(e, address, why);
	if (r == TABLE_FOUND)
		return RESTRICTION_DUNNO;
	if (route_is_refusal(&route))
		return refuse_undeliverable(e, &route, is_sender);
	if (!class_listing(class_, &code, &table))
		return RESTRICTION_DUNNO;
	return refuse_unknown(e, code, table, is_sender);
}
