/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does a recipient exist? Asked for each RCPT, so that mail for nobody is refused while the
 * client is still there and no bounce has to be sent. Any table that could know the address may
 * vouch for it; a table that cannot tell makes the whole answer "cannot tell".
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
is_known(struct question *q, enum route_class class_)
{
	struct router *r = q->router;
	enum table_result result = is_rewritten(q);

	if (result != TABLE_NOT_FOUND)
		return result;
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

enum table_result
router_recipient_exists(
    struct router *r, struct view recipient, enum route_class class_, const char **why)
{
	struct question q = { .router = r, .why = why };
	struct buf text = BUF_INIT(4 * ADDRESS_MAX);
	enum table_result result;

	if (recipient.n == 0)
		recipient = view_of(r->values->empty_address_recipient);
	if (class_ == ROUTE_ERROR || recipient.n > ADDRESS_MAX)
		return TABLE_NOT_FOUND;
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
		result = is_known(&q, class_);
	buf_done(&q.value);
	buf_done(&text);
	return result;
}
