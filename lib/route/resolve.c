/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One recipient becomes a transport, a next hop and the address as the agent gets it. The class
 * of the domain gives the transport; transport_maps may say otherwise; relayhost replaces the
 * domain as next hop for mail that leaves (relay and default class).
 *
 * An address that nothing can be done with resolves to the error transport with the text of the
 * notice, never to somebody's mailbox.
 */
#include "conf/match.h"
#include "mail/address.h"
#include "route/router_private.h"

#define VALUE_MAX 4096

/* The decision while it is made; the views point into buffers of the caller or the conf. */
struct decision {
	struct router *router;
	struct view sender;
	struct view address, local, domain;
	enum route_class class_;
	struct view transport, nexthop;
	struct buf relay;  /* holds the relayhost of a sender */
	struct buf agent;  /* holds "transport:nexthop" of a sender */
	struct buf mapped; /* the value of transport_maps or relocated_maps */
};

static void
decide_error(struct decision *d, struct view text)
{
	d->transport = VIEW("error");
	d->nexthop = text;
}

/* "transport:nexthop"; what is missing is empty. */
static void
transport_split(struct view text, struct view *transport, struct view *nexthop)
{
	size_t colon = view_find(text, ':');

	*transport = view_trim(view_sub(text, 0, colon));
	*nexthop = view_trim(view_sub(text, colon + 1, text.n));
}

static void
decide_transport(struct decision *d, struct view text, struct view nexthop_default)
{
	transport_split(text, &d->transport, &d->nexthop);
	if (d->nexthop.n == 0)
		d->nexthop = nexthop_default;
}

/* Tables by sender: "DUNNO" ends the search without an answer. */
static enum table_result
find_by_sender(struct decision *d, struct table_list *tables, const char *null_key,
    struct buf *value, const char **why)
{
	struct router *r = d->router;
	enum table_result result;
	struct view local, domain;
	bool ours;

	if (table_list_is_empty(tables))
		return TABLE_NOT_FOUND;
	if (d->sender.n == 0) {
		result = table_list_find(tables, view_of(null_key), value, why);
	} else {
		address_split(d->sender, &local, &domain);
		result = router_domain_is_ours(r, domain, &ours, why);
		if (result == TABLE_CANNOT_TELL)
			return result;
		result =
		    table_list_find_address(tables, d->sender, r->values->recipient_delimiter,
			TABLE_SEARCH_USER | TABLE_SEARCH_DOMAIN, ours, value, NULL, why);
	}
	if (result == TABLE_FOUND && view_eq_nocase(buf_view(value), VIEW("DUNNO")))
		return TABLE_NOT_FOUND;
	return result;
}

/* Mail that leaves: the next hop is that of the transport, the sender's relay, relayhost, or
 * the domain, in this order. */
static enum table_result
decide_leaving(struct decision *d, const char **why)
{
	const struct conf_values *v = d->router->values;
	struct view agent =
	    view_of(d->class_ == ROUTE_RELAY ? v->relay_transport : v->default_transport);
	struct view relay = view_of(v->relayhost);
	enum table_result result;

	if (d->class_ == ROUTE_DEFAULT) {
		result = find_by_sender(d, d->router->sender_transports,
		    v->empty_address_default_transport_maps_lookup_key, &d->agent, why);
		if (result == TABLE_CANNOT_TELL)
			return result;
		if (result == TABLE_FOUND)
			agent = buf_view(&d->agent);
	}
	result = find_by_sender(d, d->router->sender_relayhosts,
	    v->empty_address_relayhost_maps_lookup_key, &d->relay, why);
	if (result == TABLE_CANNOT_TELL)
		return result;
	if (result == TABLE_FOUND)
		relay = buf_view(&d->relay);
	decide_transport(d, agent, relay.n > 0 ? relay : d->domain);
	return TABLE_FOUND;
}

static enum table_result
decide_by_class(struct decision *d, const char **why)
{
	const struct conf_values *v = d->router->values;

	switch (d->class_) {
	case ROUTE_LOCAL:
		decide_transport(d, view_of(v->local_transport), d->domain);
		return TABLE_FOUND;
	case ROUTE_VIRTUAL_ALIAS:
		decide_error(d,
		    v->show_user_unknown_table_name
			? VIEW("5.1.1 User unknown in virtual alias table")
			: VIEW("5.1.1 User unknown"));
		return TABLE_FOUND;
	case ROUTE_VIRTUAL_MAILBOX:
		decide_transport(d, view_of(v->virtual_transport), d->domain);
		return TABLE_FOUND;
	case ROUTE_RELAY:
	case ROUTE_DEFAULT:
		return decide_leaving(d, why);
	case ROUTE_ERROR:
		break;
	}
	decide_error(d, VIEW("5.1.3 bad address syntax"));
	return TABLE_FOUND;
}

static enum table_result
apply_transport_maps(struct decision *d, const char **why)
{
	struct view transport, nexthop;
	enum table_result result;

	result = transport_find(d->router, d->address, &d->mapped, why);
	if (result != TABLE_FOUND)
		return result;
	transport_split(buf_view(&d->mapped), &transport, &nexthop);
	if (transport.n > 0) {
		d->transport = transport;
		d->nexthop = d->domain;
		if (view_eq(transport, VIEW("error")) || view_eq(transport, VIEW("retry")))
			d->nexthop = VIEW("Address is undeliverable");
	}
	if (nexthop.n > 0)
		d->nexthop = nexthop;
	return TABLE_FOUND;
}

static enum table_result
apply_relocated_maps(struct decision *d, struct arena *arena, const char **why)
{
	struct router *r = d->router;
	enum table_result result;
	bool ours;

	if (table_list_is_empty(r->relocated_maps))
		return TABLE_NOT_FOUND;
	result = router_domain_is_ours(r, d->domain, &ours, why);
	if (result == TABLE_CANNOT_TELL)
		return result;
	result = table_list_find_address(r->relocated_maps, d->address,
	    r->values->recipient_delimiter, TABLE_SEARCH_USER | TABLE_SEARCH_DOMAIN, ours,
	    &d->mapped, NULL, why);
	if (result == TABLE_FOUND)
		decide_error(d,
		    view_of(arena_printf(arena,
			r->values->relocated_prefix_enable ? "5.1.6 User has moved to %s"
							   : "%s",
			buf_str(&d->mapped))));
	return result;
}

/* What no agent gets to see, whatever its class. */
static bool
is_acceptable(const struct decision *d)
{
	struct view a = d->address;

	if (a.n > ADDRESS_MAX || d->local.n == 0)
		return false;
	if (a.p[0] == '-' && !d->router->values->allow_min_user)
		return false;
	return view_find(a, '\0') == a.n && view_find(a, '\r') == a.n &&
	    view_find(a, '\n') == a.n;
}

static enum table_result
decide(struct decision *d, struct arena *arena, const char **why)
{
	enum table_result result = TABLE_FOUND;

	if (is_acceptable(d))
		result = router_class(d->router, d->domain, &d->class_, why);
	else
		d->class_ = ROUTE_ERROR;
	if (result != TABLE_CANNOT_TELL)
		result = decide_by_class(d, why);
	if (result == TABLE_CANNOT_TELL || d->class_ == ROUTE_ERROR)
		return result;
	result = apply_relocated_maps(d, arena, why);
	if (result == TABLE_NOT_FOUND)
		result = apply_transport_maps(d, why);
	return result == TABLE_CANNOT_TELL ? result : TABLE_FOUND;
}

/* Domains compare without case, and so do queues by next hop; text of error: stays. */
static struct view
nexthop_copy(const struct decision *d, struct arena *arena)
{
	char *copy = arena_dup(arena, d->nexthop);

	if (!view_eq(d->transport, VIEW("error")) && !view_eq(d->transport, VIEW("retry"))) {
		for (size_t i = 0; i < d->nexthop.n; i++)
			copy[i] = char_lower(copy[i]);
	}
	return (struct view){ copy, d->nexthop.n };
}

/* "user@" with resolve_null_domain: somebody at this host. */
static bool
has_null_domain(const struct router *r, struct view recipient)
{
	return r->values->resolve_null_domain && recipient.n > 1 &&
	    recipient.p[recipient.n - 1] == '@';
}

/* "user@192.0.2.1" with resolve_numeric_domain: an address literal without its brackets. */
static void
append_complete(struct router *r, struct view recipient, struct buf *out)
{
	struct view local, domain;
	uint8_t address[16];

	if (has_null_domain(r, recipient)) {
		buf_append_view(out, recipient);
		buf_append_str(out, r->values->myhostname);
		return;
	}
	address_split(recipient, &local, &domain);
	if (!r->values->resolve_numeric_domain || domain.n == 0 || domain.p[0] == '[' ||
	    !cidr_parse_address(domain, address)) {
		route_standard_form(r->values, recipient, out);
		return;
	}
	buf_append_view(out, local);
	buf_append_str(out, view_find(domain, ':') < domain.n ? "@[IPv6:" : "@[");
	buf_append_view(out, domain);
	buf_append_char(out, ']');
}

/* The address to resolve: complete; the null address is the mailer daemon's. */
static struct view
complete(struct router *r, struct view recipient, struct arena *arena)
{
	struct buf text = BUF_INIT(4 * ADDRESS_MAX);
	struct view v;

	if (recipient.n == 0)
		recipient = view_of(r->values->empty_address_recipient);
	if (recipient.n <= ADDRESS_MAX)
		append_complete(r, recipient, &text);
	else
		buf_append(&text, recipient.p, ADDRESS_MAX + 1);
	v = arena_view(arena, buf_view(&text));
	buf_done(&text);
	return v;
}

enum table_result
router_resolve(struct router *r, struct view sender, struct view recipient, struct arena *arena,
    struct route *out, const char **why)
{
	struct decision d = { .router = r, .sender = sender };
	enum table_result result;

	buf_init(&d.relay, VALUE_MAX);
	buf_init(&d.agent, VALUE_MAX);
	buf_init(&d.mapped, VALUE_MAX);
	d.address = complete(r, recipient, arena);
	address_split(d.address, &d.local, &d.domain);
	result = decide(&d, arena, why);
	if (result == TABLE_FOUND) {
		out->class_ = d.class_;
		out->transport = arena_view(arena, d.transport);
		out->nexthop = nexthop_copy(&d, arena);
		out->recipient = d.address;
	}
	buf_done(&d.relay);
	buf_done(&d.agent);
	buf_done(&d.mapped);
	return result;
}
