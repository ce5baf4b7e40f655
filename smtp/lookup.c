/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions about a destination. "No such thing" and "cannot tell now" stay apart: a problem of
 * the second kind defers, whatever other names said.
 *
 * MX hosts are looked up in the order of their preference, and no more of them than give
 * enough addresses: but always all of one preference, for they share the load.
 */
#include "smtp/lookup.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/list.h"
#include "dns/dns.h"

#define NOT_FOUND "Host or domain name not found. "

static bool
has_word(const char *list, struct view word)
{
	return conf_list_has(list, word);
}

static bool
dns_is_disabled(void)
{
	return client.conf->disable_dns_lookups ||
	    view_eq_nocase(view_of(client.options.dns_support_level), VIEW("disabled"));
}

static void
problem_set(
    struct lookup *l, const char *dsn, struct view name, const char *type, const char *why)
{
	if (l->problem && l->problem->dsn[0] == '4')
		return;
	l->problem =
	    problem_new(l->d, NULL, dsn, "%sName service error for name=%.*s type=%s: %s",
		dsn[0] == '5' ? NOT_FOUND : "", VIEW_ARG(name), type, why);
	l->problem->is_site = true;
}

static void
ttl_note(struct lookup *l, const struct dns_record *record)
{
	if (record->ttl < l->ttl)
		l->ttl = record->ttl;
}

static void
candidate_add(
    struct lookup *l, struct view host, unsigned preference, const struct dns_record *record)
{
	struct candidate *c;

	ttl_note(l, record);
	if (l->count == LOOKUP_CANDIDATES_MAX)
		return;
	if (!l->all)
		l->all =
		    arena_alloc(&l->d->arena, LOOKUP_CANDIDATES_MAX * sizeof(struct candidate));
	c = &l->all[l->count++];
	c->host = arena_dup(&l->d->arena, host);
	c->preference = preference;
	c->is_ipv6 = record->type == DNS_AAAA;
	memcpy(c->address, record->address, c->is_ipv6 ? 16 : 4);
}

/* True when the answer has an address. */
static bool
answer_take(struct lookup *l, struct view host, unsigned preference, const char *type,
    const struct dns_answer *answer)
{
	if (answer->result != DNS_FOUND) {
		problem_set(l, answer->result == DNS_TRY_AGAIN ? "4.4.3" : "5.4.4", host, type,
		    answer->why);
		return false;
	}
	for (size_t i = 0; i < answer->count; i++)
		if (answer->records[i].type == DNS_A || answer->records[i].type == DNS_AAAA)
			candidate_add(l, host, preference, &answer->records[i]);
	return true;
}

static bool
by_dns(struct lookup *l, struct view host, unsigned preference)
{
	static const struct {
		enum dns_type type;
		const char *name;
		const char *protocol;
	} types[] = {
		{ DNS_AAAA, "AAAA", "ipv6" },
		{ DNS_A, "A", "ipv4" },
	};
	const char *protocols = client.conf->inet_protocols;
	bool found = false;

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct dns_answer answer;

		if (!has_word(protocols, VIEW("all")) &&
		    !has_word(protocols, view_of(types[i].protocol)))
			continue;
		dns_lookup(client.dns, host, types[i].type, &l->d->arena, &answer, l->deadline);
		found |= answer_take(l, host, preference, types[i].name, &answer);
		if (answer.result == DNS_NO_SUCH_NAME)
			break;
	}
	return found;
}

static bool
by_system(struct lookup *l, struct view host, unsigned preference)
{
	const char *protocols = client.conf->inet_protocols;
	bool all = has_word(protocols, VIEW("all"));
	bool v4 = all || has_word(protocols, VIEW("ipv4"));
	bool v6 = all || has_word(protocols, VIEW("ipv6"));
	struct dns_answer answer;

	dns_native_lookup(client.dns, host,
	    v4 && v6 ? AF_UNSPEC
		: v6 ? AF_INET6
		     : AF_INET,
	    &l->d->arena, &answer, l->deadline);
	return answer_take(l, host, preference, "A/AAAA", &answer);
}

void
lookup_host(struct lookup *l, struct view host, unsigned preference)
{
	const char *ways = client.options.host_lookup;
	struct problem *before = l->problem;
	bool found = false;

	if (!dns_is_disabled() && has_word(ways, VIEW("dns")))
		found = by_dns(l, host, preference);
	if (!found && (dns_is_disabled() || has_word(ways, VIEW("native"))))
		found = by_system(l, host, preference);
	/* One family without an address is no problem when the other has some. */
	if (found)
		l->problem = before;
}

/* ---- MX ---- */

static int
by_preference(const void *x, const void *y)
{
	const struct dns_record *a = x, *b = y;

	return (a->preference > b->preference) - (a->preference < b->preference);
}

/* RFC 7505: one record, and its name is the root. */
static bool
is_null_mx(const struct dns_answer *mx)
{
	return mx->count == 1 && mx->records[0].name.n == 0;
}

static bool
has_enough(const struct lookup *l)
{
	int limit = client.options.mx_address_limit;

	/* Both families are wanted when they are to be balanced. */
	return limit > 0 && l->count >= 2 * (size_t)limit;
}

static void
mx_hosts(struct lookup *l, struct dns_answer *mx)
{
	qsort(mx->records, mx->count, sizeof(mx->records[0]), by_preference);
	l->best = mx->records[0].preference;
	for (size_t i = 0; i < mx->count; i++) {
		const struct dns_record *r = &mx->records[i];

		ttl_note(l, r);
		if (i > 0 && r->preference != mx->records[i - 1].preference && has_enough(l))
			break;
		if (r->name.n > 0)
			lookup_host(l, r->name, r->preference);
	}
}

static void
no_mx_address(struct lookup *l, struct view domain)
{
	log_warn("no MX host for %.*s has a valid address record", VIEW_ARG(domain));
	if (l->problem && l->problem->dsn[0] == '5' &&
	    client.options.defer_if_no_mx_address_found)
		dsn_with_class(VIEW("4.4.4"), '4', l->problem->dsn);
}

void
lookup_domain(struct lookup *l, struct view domain)
{
	struct dns_answer mx;

	if (dns_is_disabled()) {
		lookup_host(l, domain, 0);
		return;
	}
	dns_lookup(client.dns, domain, DNS_MX, &l->d->arena, &mx, l->deadline);
	if (mx.result == DNS_FOUND && is_null_mx(&mx)) {
		l->problem = problem_new(l->d, NULL, "5.1.10",
		    "Domain %.*s does not accept mail (nullMX)", VIEW_ARG(domain));
		l->problem->is_final = true;
	} else if (mx.result == DNS_FOUND) {
		mx_hosts(l, &mx);
		if (l->count == 0)
			no_mx_address(l, domain);
	} else if (mx.result == DNS_NO_DATA ||
	    (mx.result == DNS_TRY_AGAIN && client.conf->ignore_mx_lookup_error)) {
		lookup_host(l, domain, 0);
	} else {
		problem_set(
		    l, mx.result == DNS_TRY_AGAIN ? "4.4.3" : "5.4.4", domain, "MX", mx.why);
	}
}
