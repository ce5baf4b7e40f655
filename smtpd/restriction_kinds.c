/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of restriction names, and the tests that need a few lines each. Names that Postfix
 * knows and this version cannot yet judge (they need DNS, TLS, SASL or a policy server) are
 * rows without a handler.
 */
#include "base/log.h"
#include "mail/address.h"
#include "smtpd/restrictions.h"

/* ---- any stage ---- */

static enum restriction_result
kind_permit(struct evaluation *e, const struct restriction *r)
{
	(void)e, (void)r;
	return RESTRICTION_PERMIT;
}

static enum restriction_result
kind_dunno(struct evaluation *e, const struct restriction *r)
{
	(void)e, (void)r;
	return RESTRICTION_DUNNO;
}

static enum restriction_result
kind_reject(struct evaluation *e, const struct restriction *r)
{
	const char *what;
	struct view name;

	(void)r;
	restriction_subject(e, &name, &what);
	return restrict_refuse(e, server.v->reject_code, "5.7.1",
	    "<%.*s>: %s rejected: Access denied", VIEW_ARG(name), what);
}

static enum restriction_result
kind_defer(struct evaluation *e, const struct restriction *r)
{
	const char *what;
	struct view name;

	(void)r;
	restriction_subject(e, &name, &what);
	return restrict_refuse(e, server.v->defer_code, "4.3.2",
	    "<%.*s>: %s rejected: Try again later", VIEW_ARG(name), what);
}

static const char *
deferral(struct evaluation *e, const char *which)
{
	const char *what;
	struct view name;

	restriction_subject(e, &name, &what);
	return arena_printf(&e->s->arena, "450 4.7.0 <%.*s>: %s rejected: %s requested",
	    VIEW_ARG(name), what, which);
}

static enum restriction_result
kind_defer_if_permit(struct evaluation *e, const struct restriction *r)
{
	(void)r;
	return restrict_defer_if_permit(e, deferral(e, "defer_if_permit"));
}

static enum restriction_result
kind_defer_if_reject(struct evaluation *e, const struct restriction *r)
{
	(void)r;
	if (!e->defer_if_reject)
		e->defer_if_reject = deferral(e, "defer_if_reject");
	return RESTRICTION_DUNNO;
}

static enum restriction_result
kind_sleep(struct evaluation *e, const struct restriction *r)
{
	if (stream_flush(e->s->stream, e->s->deadline) == STREAM_OK)
		(void)task_sleep(r->span);
	return RESTRICTION_DUNNO;
}

static enum restriction_result
kind_unauth_pipelining(struct evaluation *e, const struct restriction *r)
{
	const char *what;
	struct view name;

	(void)r;
	/* Only the commands that end a group are sure that nothing may follow. */
	if (e->list != LIST_DATA && e->list != LIST_CLIENT && e->list != LIST_HELO)
		return RESTRICTION_DUNNO;
	if (view_eq(view_of(e->where), VIEW("BDAT")) || !session_check_pipelining(e->s))
		return RESTRICTION_DUNNO;
	restriction_subject(e, &name, &what);
	return restrict_refuse(e, 503, "5.5.0",
	    "<%.*s>: %s rejected: Improper use of SMTP command pipelining", VIEW_ARG(name),
	    what);
}

static enum restriction_result
kind_plaintext_session(struct evaluation *e, const struct restriction *r)
{
	(void)r;
	return restrict_refuse(e, server.v->plaintext_reject_code,
	    server.v->plaintext_reject_code >= 500 ? "5.7.1" : "4.7.1",
	    "Session encryption is required");
}

static enum restriction_result
kind_multi_recipient_bounce(struct evaluation *e, const struct restriction *r)
{
	const struct transaction *t = e->s->transaction;
	size_t extra = e->list == LIST_RECIPIENT || e->list == LIST_RELAY;
	const char *what;
	struct view name;

	(void)r;
	if (!t || t->sender.n || t->recipient_count + extra < 2)
		return RESTRICTION_DUNNO;
	restriction_subject(e, &name, &what);
	return restrict_refuse(e, server.v->multi_recipient_bounce_reject_code, "5.5.3",
	    "<%.*s>: %s rejected: Multi-recipient bounce", VIEW_ARG(name), what);
}

/* ---- client ---- */

static enum restriction_result
kind_permit_mynetworks(struct evaluation *e, const struct restriction *r)
{
	const char *what;
	struct view name;

	(void)r;
	if (e->s->peer.in_mynetworks != TABLE_CANNOT_TELL)
		return e->s->peer.in_mynetworks == TABLE_FOUND ? RESTRICTION_PERMIT
							       : RESTRICTION_DUNNO;
	restriction_subject(e, &name, &what);
	return restrict_lookup_failure(e, name, e->s->peer.why);
}

static enum restriction_result
kind_permit_inet_interfaces(struct evaluation *e, const struct restriction *r)
{
	(void)r;
	return e->s->peer.is_own ? RESTRICTION_PERMIT : RESTRICTION_DUNNO;
}

static enum restriction_result
kind_client_access(struct evaluation *e, const struct restriction *r)
{
	return access_by_client(e, r->table, e->s->peer.name);
}

static enum restriction_result
kind_reverse_client_access(struct evaluation *e, const struct restriction *r)
{
	return access_by_client(e, r->table, e->s->peer.reverse_name);
}

/* ---- HELO ---- */

static bool
name_is_numeric(struct view name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!char_is_digit(name.p[i]) && name.p[i] != '.')
			return false;
	return true;
}

/* The name as it is judged: one dot at its end means "complete". */
static struct view
helo_name(const struct session *s)
{
	struct view name = view_of(s->helo);

	if (name.n > 1 && name.p[name.n - 1] == '.' && name.p[name.n - 2] != '.')
		name.n--;
	return name;
}

enum restriction_result
restrict_helo_literal(struct evaluation *e)
{
	if (address_literal_is_valid(view_of(e->s->helo)))
		return RESTRICTION_DUNNO;
	return restrict_refuse(e, server.v->invalid_hostname_reject_code, "5.5.2",
	    "<%s>: Helo command rejected: invalid ip address", e->s->helo);
}

static enum restriction_result
kind_invalid_helo(struct evaluation *e, const struct restriction *r)
{
	unsigned char ip[16];
	struct view name;

	(void)r;
	if (!e->s->helo)
		return RESTRICTION_DUNNO;
	if (e->s->helo[0] == '[')
		return restrict_helo_literal(e);
	name = helo_name(e->s);
	if ((domain_is_valid(name, true) && !name_is_numeric(name)) ||
	    address_literal_parse(view_of(arena_printf(&e->s->arena, "[%s]", e->s->helo)), ip))
		return RESTRICTION_DUNNO;
	return restrict_refuse(e, server.v->invalid_hostname_reject_code, "5.5.2",
	    "<%s>: Helo command rejected: Invalid name", e->s->helo);
}

static bool
domain_is_qualified(struct view domain)
{
	if (domain.n && domain.p[0] == '[')
		return address_literal_is_valid(domain);
	return domain_is_valid(domain, true) && view_find(domain, '.') < domain.n;
}

static enum restriction_result
kind_non_fqdn_helo(struct evaluation *e, const struct restriction *r)
{
	(void)r;
	if (!e->s->helo)
		return RESTRICTION_DUNNO;
	if (e->s->helo[0] == '[')
		return restrict_helo_literal(e);
	if (domain_is_qualified(helo_name(e->s)))
		return RESTRICTION_DUNNO;
	return restrict_refuse(e, server.v->non_fqdn_reject_code, "5.5.2",
	    "<%s>: Helo command rejected: need fully-qualified hostname", e->s->helo);
}

static enum restriction_result
kind_helo_access(struct evaluation *e, const struct restriction *r)
{
	struct view name = view_of(e->s->helo ? e->s->helo : "");

	if (!e->s->helo)
		return RESTRICTION_DUNNO;
	return access_by_name(e, r->table, name, name, "Helo command");
}

/* The domain that is asked for, in smtpd_etrn_restrictions. */
static enum restriction_result
kind_etrn_access(struct evaluation *e, const struct restriction *r)
{
	if (e->list != LIST_ETRN)
		return RESTRICTION_DUNNO;
	return access_by_name(e, r->table, e->given, e->given, "Etrn command");
}

/* ---- sender and recipient ---- */

static enum restriction_result
refuse_non_fqdn(struct evaluation *e, struct view address, const char *what)
{
	struct view local, domain;

	address_split(address, &local, &domain);
	if (domain_is_qualified(domain))
		return RESTRICTION_DUNNO;
	return restrict_refuse(e, server.v->non_fqdn_reject_code, "5.5.2",
	    "<%.*s>: %s rejected: need fully-qualified address", VIEW_ARG(address), what);
}

static enum restriction_result
kind_non_fqdn_sender(struct evaluation *e, const struct restriction *r)
{
	(void)r;
	if (!e->s->transaction || e->s->transaction->sender.n == 0)
		return RESTRICTION_DUNNO;
	return refuse_non_fqdn(e, e->s->transaction->sender, "Sender address");
}

static enum restriction_result
kind_non_fqdn_recipient(struct evaluation *e, const struct restriction *r)
{
	(void)r;
	if (!e->has_recipient || view_eq_nocase(e->given, VIEW("postmaster")))
		return RESTRICTION_DUNNO;
	return refuse_non_fqdn(e, e->given, "Recipient address");
}

static enum restriction_result
kind_sender_access(struct evaluation *e, const struct restriction *r)
{
	if (!e->s->transaction)
		return RESTRICTION_DUNNO;
	return access_by_address(e, r->table, e->s->transaction->sender_full, "Sender address");
}

static enum restriction_result
kind_recipient_access(struct evaluation *e, const struct restriction *r)
{
	if (!e->has_recipient)
		return RESTRICTION_DUNNO;
	return access_by_address(e, r->table, e->recipient, "Recipient address");
}

static enum restriction_result
kind_unlisted_sender(struct evaluation *e, const struct restriction *r)
{
	(void)r;
	if (!e->s->transaction || e->s->transaction->sender.n == 0)
		return RESTRICTION_DUNNO;
	e->sender_checked = true;
	return restrict_unlisted(e, e->s->transaction->sender_full, true);
}

static enum restriction_result
kind_unlisted_recipient(struct evaluation *e, const struct restriction *r)
{
	(void)r;
	if (!e->has_recipient)
		return RESTRICTION_DUNNO;
	e->recipient_checked = true;
	return restrict_unlisted(e, e->recipient, false);
}

static enum restriction_result
kind_permit_auth_destination(struct evaluation *e, const struct restriction *r)
{
	const char *why = NULL;

	(void)r;
	if (!e->has_recipient)
		return RESTRICTION_DUNNO;
	switch (destination_is_ours(e->recipient, &why)) {
	case TABLE_FOUND:
		return RESTRICTION_PERMIT;
	case TABLE_NOT_FOUND:
		return RESTRICTION_DUNNO;
	default:
		return restrict_lookup_failure(e, e->recipient, why);
	}
}

static enum restriction_result
refuse_unauth_destination(struct evaluation *e, int code, const char *dsn)
{
	const char *why = NULL;

	if (!e->has_recipient)
		return RESTRICTION_DUNNO;
	switch (destination_is_ours(e->recipient, &why)) {
	case TABLE_FOUND:
		return RESTRICTION_DUNNO;
	case TABLE_NOT_FOUND:
		return restrict_refuse(
		    e, code, dsn, "<%.*s>: Relay access denied", VIEW_ARG(e->given));
	default:
		return restrict_lookup_failure(e, e->recipient, why);
	}
}

static enum restriction_result
kind_reject_unauth_destination(struct evaluation *e, const struct restriction *r)
{
	(void)r;
	return refuse_unauth_destination(e, server.v->relay_domains_reject_code,
	    server.v->relay_domains_reject_code < 500 ? "4.7.1" : "5.7.1");
}

static enum restriction_result
kind_defer_unauth_destination(struct evaluation *e, const struct restriction *r)
{
	int code = server.v->relay_domains_reject_code;

	(void)r;
	return refuse_unauth_destination(e, code >= 500 ? code - 100 : code, "4.7.1");
}

enum restriction_result
restrict_bare_table(struct evaluation *e, const struct restriction *r)
{
	switch (e->list) {
	case LIST_CLIENT:
		return kind_client_access(e, r);
	case LIST_HELO:
		return kind_helo_access(e, r);
	case LIST_SENDER:
		return kind_sender_access(e, r);
	case LIST_RELAY:
	case LIST_RECIPIENT:
		return kind_recipient_access(e, r);
	default:
		log_warn("unknown smtpd restriction: \"%s\"", r->word);
		return restrict_configuration_error(e);
	}
}

#define NOT_BUILT(name)                                                                        \
	{                                                                                      \
		name, NULL, ARGUMENT_NONE                                                      \
	}
#define NOT_BUILT_WITH_TEXT(name)                                                              \
	{                                                                                      \
		name, NULL, ARGUMENT_TEXT                                                      \
	}

/* clang-format off */
const struct restriction_kind restriction_kinds[] = {
	{ "permit", kind_permit, ARGUMENT_NONE },
	{ "reject", kind_reject, ARGUMENT_NONE },
	{ "defer", kind_defer, ARGUMENT_NONE },
	{ "defer_if_permit", kind_defer_if_permit, ARGUMENT_NONE },
	{ "defer_if_reject", kind_defer_if_reject, ARGUMENT_NONE },
	{ "warn_if_reject", kind_dunno, ARGUMENT_NONE }, /* restriction_list_run sees it first */
	{ "sleep", kind_sleep, ARGUMENT_SECONDS },
	{ "reject_unauth_pipelining", kind_unauth_pipelining, ARGUMENT_NONE },
	{ "reject_plaintext_session", kind_plaintext_session, ARGUMENT_NONE },
	{ "reject_multi_recipient_bounce", kind_multi_recipient_bounce, ARGUMENT_NONE },
	NOT_BUILT_WITH_TEXT("check_policy_service"),

	{ "permit_mynetworks", kind_permit_mynetworks, ARGUMENT_NONE },
	{ "permit_inet_interfaces", kind_permit_inet_interfaces, ARGUMENT_NONE },
	{ "permit_sasl_authenticated", kind_dunno, ARGUMENT_NONE }, /* nobody is, so far */
	{ "permit_tls_clientcerts", kind_dunno, ARGUMENT_NONE },    /* nobody has one */
	{ "permit_tls_all_clientcerts", kind_dunno, ARGUMENT_NONE },
	{ "check_client_access", kind_client_access, ARGUMENT_TABLE },
	NOT_BUILT_WITH_TEXT("check_ccert_access"),
	NOT_BUILT_WITH_TEXT("check_sasl_access"),
	NOT_BUILT_WITH_TEXT("check_client_a_access"),
	NOT_BUILT_WITH_TEXT("check_client_mx_access"),
	NOT_BUILT_WITH_TEXT("check_client_ns_access"),
	{ "check_reverse_client_hostname_access", kind_reverse_client_access, ARGUMENT_TABLE },
	NOT_BUILT_WITH_TEXT("check_reverse_client_hostname_a_access"),
	NOT_BUILT_WITH_TEXT("check_reverse_client_hostname_mx_access"),
	NOT_BUILT_WITH_TEXT("check_reverse_client_hostname_ns_access"),
	NOT_BUILT_WITH_TEXT("reject_rbl_client"),
	NOT_BUILT_WITH_TEXT("permit_dnswl_client"),
	NOT_BUILT_WITH_TEXT("reject_rhsbl_client"),
	NOT_BUILT_WITH_TEXT("permit_rhswl_client"),
	NOT_BUILT_WITH_TEXT("reject_rhsbl_reverse_client"),
	{ "reject_unknown_client_hostname", kind_unknown_client, ARGUMENT_NONE },
	{ "reject_unknown_reverse_client_hostname", kind_unknown_reverse_client, ARGUMENT_NONE },
	NOT_BUILT("reject_unknown_forward_client_hostname"),
	{ "reject_unknown_client", kind_unknown_client, ARGUMENT_NONE },

	{ "check_helo_access", kind_helo_access, ARGUMENT_TABLE },
	{ "reject_invalid_helo_hostname", kind_invalid_helo, ARGUMENT_NONE },
	{ "reject_invalid_hostname", kind_invalid_helo, ARGUMENT_NONE },
	{ "reject_non_fqdn_helo_hostname", kind_non_fqdn_helo, ARGUMENT_NONE },
	{ "reject_non_fqdn_hostname", kind_non_fqdn_helo, ARGUMENT_NONE },
	NOT_BUILT_WITH_TEXT("check_helo_a_access"),
	NOT_BUILT_WITH_TEXT("check_helo_mx_access"),
	NOT_BUILT_WITH_TEXT("check_helo_ns_access"),
	NOT_BUILT_WITH_TEXT("reject_rhsbl_helo"),
	{ "reject_unknown_helo_hostname", kind_unknown_helo, ARGUMENT_NONE },
	{ "reject_unknown_hostname", kind_unknown_helo, ARGUMENT_NONE },

	{ "check_sender_access", kind_sender_access, ARGUMENT_TABLE },
	{ "reject_non_fqdn_sender", kind_non_fqdn_sender, ARGUMENT_NONE },
	{ "reject_unlisted_sender", kind_unlisted_sender, ARGUMENT_NONE },
	NOT_BUILT_WITH_TEXT("check_sender_a_access"),
	NOT_BUILT_WITH_TEXT("check_sender_mx_access"),
	NOT_BUILT_WITH_TEXT("check_sender_ns_access"),
	NOT_BUILT("reject_authenticated_sender_login_mismatch"),
	NOT_BUILT("reject_known_sender_login_mismatch"),
	NOT_BUILT("reject_unauthenticated_sender_login_mismatch"),
	NOT_BUILT("reject_sender_login_mismatch"),
	NOT_BUILT_WITH_TEXT("reject_rhsbl_sender"),
	{ "reject_unknown_sender_domain", kind_unknown_sender_domain, ARGUMENT_NONE },
	{ "reject_unknown_address", kind_unknown_sender_domain, ARGUMENT_NONE },
	NOT_BUILT("reject_unverified_sender"),

	{ "check_recipient_access", kind_recipient_access, ARGUMENT_TABLE },
	{ "permit_auth_destination", kind_permit_auth_destination, ARGUMENT_NONE },
	{ "reject_unauth_destination", kind_reject_unauth_destination, ARGUMENT_NONE },
	{ "defer_unauth_destination", kind_defer_unauth_destination, ARGUMENT_NONE },
	{ "reject_non_fqdn_recipient", kind_non_fqdn_recipient, ARGUMENT_NONE },
	{ "reject_unlisted_recipient", kind_unlisted_recipient, ARGUMENT_NONE },
	{ "check_recipient_maps", kind_unlisted_recipient, ARGUMENT_NONE },
	NOT_BUILT_WITH_TEXT("check_recipient_a_access"),
	NOT_BUILT_WITH_TEXT("check_recipient_mx_access"),
	NOT_BUILT_WITH_TEXT("check_recipient_ns_access"),
	NOT_BUILT("permit_mx_backup"),
	NOT_BUILT_WITH_TEXT("reject_rhsbl_recipient"),
	{ "reject_unknown_recipient_domain", kind_unknown_recipient_domain, ARGUMENT_NONE },
	NOT_BUILT("reject_unverified_recipient"),
	{ "check_etrn_access", kind_etrn_access, ARGUMENT_TABLE },
};
/* clang-format on */
const size_t restriction_kind_count = ARRAY_LEN(restriction_kinds);

const struct restriction_kind *
restriction_kind_find(struct view name)
{
	for (size_t i = 0; i < restriction_kind_count; i++)
		if (view_eq_nocase(name, view_of(restriction_kinds[i].name)))
			return &restriction_kinds[i];
	return NULL;
}
