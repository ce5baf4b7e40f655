/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of names that somebody gave: does the client, the HELO name, the domain of an address
 * exist in the DNS. A name that cannot be looked up now is not refused for good: by default the
 * mail is put off unless something else refuses it (reject_tempfail_action).
 */
#include "mail/address.h"
#include "smtpd/restrictions.h"

#define DEFER_NOW "defer"

/* ---- client ---- */

static enum restriction_result
refuse_client(struct evaluation *e, enum dns_peer_status status, const char *what)
{
	int code = server.v->unknown_client_reject_code;

	if (status == DNS_PEER_OK)
		return RESTRICTION_DUNNO;
	return restrict_refuse(e, status == DNS_PEER_TRY_AGAIN ? 450 : code, "4.7.1",
	    "Client host rejected: cannot find your %s, [%s]", what, e->s->peer.address);
}

enum restriction_result
kind_unknown_client(struct evaluation *e, const struct restriction *r)
{
	(void)r;
	return refuse_client(e, e->s->peer.name_status, "hostname");
}

enum restriction_result
kind_unknown_reverse_client(struct evaluation *e, const struct restriction *r)
{
	(void)r;
	return refuse_client(e, e->s->peer.reverse_status, "reverse hostname");
}

/* ---- names ---- */

struct verdict {
	enum dns_result result; /* FOUND: there is a record of one of the types */
	bool null_mx;           /* RFC 7505: no mail, and never any */
};

static bool
answer_is_null_mx(const struct dns_answer *a)
{
	return a->count == 1 && a->records[0].type == DNS_MX && a->records[0].name.n == 0;
}

/* One "cannot tell" among several "no" is a "cannot tell". */
static struct verdict
look_up(struct evaluation *e, struct view name, const enum dns_type *types, size_t count)
{
	struct verdict verdict = { server.dns ? DNS_NO_DATA : DNS_TRY_AGAIN, false };
	nanoseconds deadline = clock_deadline(server.v->resolver_timeout);

	for (size_t i = 0; i < count && server.dns; i++) {
		struct dns_answer answer;

		dns_lookup(server.dns, name, types[i], &e->s->arena, &answer, deadline);
		if (answer.result == DNS_FOUND) {
			verdict.null_mx = answer_is_null_mx(&answer);
			verdict.result = DNS_FOUND;
			return verdict;
		}
		if (answer.result == DNS_TRY_AGAIN)
			verdict.result = DNS_TRY_AGAIN;
	}
	return verdict;
}

struct refusal {
	struct view name; /* as it was given */
	const char *what, *text, *dsn, *tempfail_action;
	int code;
};

static enum restriction_result
refuse(struct evaluation *e, const struct refusal *r, enum dns_result result)
{
	if (result == DNS_FOUND)
		return RESTRICTION_DUNNO;
	if (result == DNS_TRY_AGAIN && strcmp(r->tempfail_action, DEFER_NOW) != 0)
		return restrict_defer_if_permit(e,
		    arena_printf(&e->s->arena, "450 %s <%.*s>: %s rejected: %s", r->dsn,
			VIEW_ARG(r->name), r->what, r->text));
	return restrict_refuse(e, result == DNS_TRY_AGAIN ? 450 : r->code, r->dsn,
	    "<%.*s>: %s rejected: %s", VIEW_ARG(r->name), r->what, r->text);
}

enum restriction_result
kind_unknown_helo(struct evaluation *e, const struct restriction *r)
{
	static const enum dns_type types[] = { DNS_A, DNS_AAAA, DNS_MX };
	const struct refusal refusal = { view_of(e->s->helo), "Helo command", "Host not found",
		"4.7.1", server.v->unknown_helo_hostname_tempfail_action,
		server.v->unknown_hostname_reject_code };

	(void)r;
	if (!e->s->helo)
		return RESTRICTION_DUNNO;
	if (e->s->helo[0] == '[')
		return restrict_helo_literal(e);
	return refuse(e, &refusal, look_up(e, refusal.name, types, ARRAY_LEN(types)).result);
}

/* ---- domains of addresses ---- */

static bool
is_final(enum route_class class_)
{
	return class_ == ROUTE_LOCAL || class_ == ROUTE_VIRTUAL_ALIAS ||
	    class_ == ROUTE_VIRTUAL_MAILBOX;
}

static enum restriction_result
refuse_null_mx(
    struct evaluation *e, const struct refusal *r, struct view domain, bool is_sender)
{
	return restrict_refuse(e, is_sender ? 550 : 556, is_sender ? "5.7.27" : "5.1.10",
	    "<%.*s>: %s rejected: Domain %.*s does not accept mail (nullMX)", VIEW_ARG(r->name),
	    r->what, VIEW_ARG(domain));
}

/* Domains that are ours need no DNS; literals are no names. */
static enum restriction_result
refuse_unknown_domain(
    struct evaluation *e, struct view address, struct view given, bool is_sender)
{
	static const enum dns_type types[] = { DNS_MX, DNS_A, DNS_AAAA };
	const struct refusal refusal = { given,
		is_sender ? "Sender address" : "Recipient address", "Domain not found",
		is_sender ? "4.1.8" : "4.1.2", server.v->unknown_address_tempfail_action,
		server.v->unknown_address_reject_code };
	struct view local, domain;
	enum route_class class_;
	const char *why = NULL;
	struct verdict verdict;

	address_split(address, &local, &domain);
	if (domain.n == 0 || domain.p[0] == '[')
		return RESTRICTION_DUNNO;
	if (router_class(server.router, domain, &class_, &why) == TABLE_CANNOT_TELL)
		return restrict_lookup_failure(e, address, why);
	if (is_final(class_))
		return RESTRICTION_DUNNO;
	verdict = look_up(e, domain, types, ARRAY_LEN(types));
	if (verdict.null_mx)
		return refuse_null_mx(e, &refusal, domain, is_sender);
	return refuse(e, &refusal, verdict.result);
}

enum restriction_result
kind_unknown_sender_domain(struct evaluation *e, const struct restriction *r)
{
	const struct transaction *t = e->s->transaction;

	(void)r;
	if (!t || t->sender.n == 0)
		return RESTRICTION_DUNNO;
	return refuse_unknown_domain(e, t->sender_full, t->sender, true);
}

enum restriction_result
kind_unknown_recipient_domain(struct evaluation *e, const struct restriction *r)
{
	(void)r;
	if (!e->has_recipient)
		return RESTRICTION_DUNNO;
	return refuse_unknown_domain(e, e->recipient, e->given, false);
}
