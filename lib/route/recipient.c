/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does a recipient exist? Asked for each RCPT, so that mail for nobody is refused while the
 * client is still there and no bounce has to be sent. Any table that could know the address may
 * vouch for it, unless all mail for it ends in the error transport anyway; a table that cannot
 * tell makes the whole answer "cannot tell".
 */
#include "mail/address.h"
#include "route/router_private.h"

#define VALUE_MAX TABLE_VALUE_MAX

struct question {
	struct router *router;
	struct view address, local, domain;
	bool ours;
	struct buf value;
	const char **why;
};

static enum table_result
known_in(struct question *q, struct table_list *tables)
{
	return table_list_find_address(tables, q->address,
	    q->router->values->recipient_delimiter, TABLE_SEARCH_USER | TABLE_SEARCH_DOMAIN,
	    q->ours, &q->value, NULL, q->why);
}

/* Tables that rewrite an address before its class matters. */
static enum table_result
is_rewritten(struct question *q)
{
	enum table_result result = known_in(q, q->router->recipient_canonical_maps);

	if (result == TABLE_NOT_FOUND)
		result = known_in(q, q->router->canonical_maps);
	if (result == TABLE_NOT_FOUND)
		result = known_in(q, q->router->virtual_alias_maps);
	return result;
}

static enum table_result
known_unless_empty(struct question *q, struct table_list *tables)
{
	return table_list_is_empty(tables) ? TABLE_FOUND : known_in(q, tables);
}

static enum table_result
is_listed(struct question *q, enum route_class class_)
{
	struct router *r = q->router;

	switch (class_) {
	case ROUTE_LOCAL:
		return known_unless_empty(q, r->local_recipient_maps);
	case ROUTE_VIRTUAL_MAILBOX:
		return known_unless_empty(q, r->virtual_mailbox_maps);
	case ROUTE_RELAY:
		return known_unless_empty(q, r->relay_recipient_maps);
	case ROUTE_DEFAULT:
		return TABLE_FOUND;
	case ROUTE_VIRTUAL_ALIAS:
	case ROUTE_ERROR:
		break;
	}
	return TABLE_NOT_FOUND;
}

bool
route_is_refusal(const struct route *route)
{
	return view_eq(route->transport, VIEW("error")) ||
	    view_eq(route->transport, VIEW("retry"));
}

static enum table_result
is_known(struct question *q, enum route_class class_, struct view sender, struct arena *arena,
    struct route *route)
{
	enum table_result result = is_rewritten(q);

	if (result != TABLE_NOT_FOUND)
		return result;
	result = router_resolve(q->router, sender, q->address, arena, route, q->why);
	if (result == TABLE_CANNOT_TELL || route_is_refusal(route))
		return result == TABLE_FOUND ? TABLE_NOT_FOUND : result;
	return is_listed(q, class_);
}

enum table_result
router_recipient_exists(struct router *r, struct view sender, struct view recipient,
    enum route_class class_, struct arena *arena, struct route *route, const char **why)
{
	struct question q = { .router = r, .why = why };
	struct buf text = BUF_INIT(4 * ADDRESS_MAX);
	enum table_result result;

	if (recipient.n == 0)
		recipient = view_of(r->values->empty_address_recipient);
	*route = (struct route){ .class_ = class_ };
	if (recipient.n > ADDRESS_MAX) {
		route->transport = VIEW("error");
		route->nexthop = VIEW("5.1.3 bad address syntax");
		return TABLE_NOT_FOUND;
	}
	buf_init(&q.value, VALUE_MAX);
	route_standard_form(r->values, recipient, &text);
	q.address = buf_view(&text);
	address_split(q.address, &q.local, &q.domain);
	q.ours =
	    class_ == ROUTE_LOCAL || view_eq_nocase(q.domain, view_of(r->values->myorigin));
	/* Notices about notices go to this name; qmgr takes them off. */
	if (class_ == ROUTE_LOCAL && r->values->double_bounce_sender[0] != '\0' &&
	    view_eq_nocase(q.local, view_of(r->values->double_bounce_sender)))
		result = TABLE_FOUND;
	else
		result = is_known(&q, class_, sender, arena, route);
	buf_done(&q.value);
	buf_done(&text);
	return result;
}
