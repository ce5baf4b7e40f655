/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The address classes: a domain belongs to the first class that lists it, in the order local,
 * virtual alias, virtual mailbox, relay; to none of them means "somewhere else". A list that
 * cannot be read makes the answer "cannot tell": the mail waits, it is neither refused nor
 * relayed.
 */
#include <string.h>

#include "base/mem.h"
#include "conf/match.h"
#include "mail/address.h"
#include "route/router_private.h"

static void
open_lists(struct router *r, const struct conf *c)
{
	const struct conf_values *v = r->values;

	r->mydestination = match_list_open("mydestination", v->mydestination, c);
	r->virtual_alias_domains =
	    match_list_open("virtual_alias_domains", v->virtual_alias_domains, c);
	r->virtual_mailbox_domains =
	    match_list_open("virtual_mailbox_domains", v->virtual_mailbox_domains, c);
	r->relay_domains = match_list_open("relay_domains", v->relay_domains, c);
}

static void
open_tables(struct router *r, const struct conf *c)
{
	const struct conf_values *v = r->values;

	r->transport_maps = table_list_open(v->transport_maps, c);
	r->relocated_maps = table_list_open(v->relocated_maps, c);
	r->sender_relayhosts = table_list_open(v->sender_dependent_relayhost_maps, c);
	r->sender_transports = table_list_open(v->sender_dependent_default_transport_maps, c);
	r->canonical_maps = table_list_open(v->canonical_maps, c);
	r->recipient_canonical_maps = table_list_open(v->recipient_canonical_maps, c);
	r->virtual_alias_maps = table_list_open(v->virtual_alias_maps, c);
	r->local_recipient_maps = table_list_open(v->local_recipient_maps, c);
	r->virtual_mailbox_maps = table_list_open(v->virtual_mailbox_maps, c);
	r->relay_recipient_maps = table_list_open(v->relay_recipient_maps, c);
}

static bool
names_parameter(const char *list, const char *parameter)
{
	struct view rest = view_of(list), word;

	while (view_next_word(&rest, ", \t\r\n", &word)) {
		if (view_eq(word, view_of(parameter)))
			return true;
	}
	return false;
}

struct router *
router_open(const struct conf *c)
{
	struct router *r = NEW(struct router);

	r->conf = c;
	r->values = conf_values_of(c);
	router_own_addresses_find(r);
	r->transport_parents =
	    names_parameter(r->values->parent_domain_matches_subdomains, "transport_maps");
	open_lists(r, c);
	open_tables(r, c);
	return r;
}

void
router_free(struct router **r)
{
	struct router *old = *r;

	if (old == NULL)
		return;
	match_list_free(&old->mydestination);
	match_list_free(&old->virtual_alias_domains);
	match_list_free(&old->virtual_mailbox_domains);
	match_list_free(&old->relay_domains);
	table_list_free(&old->transport_maps);
	table_list_free(&old->relocated_maps);
	table_list_free(&old->sender_relayhosts);
	table_list_free(&old->sender_transports);
	table_list_free(&old->canonical_maps);
	table_list_free(&old->recipient_canonical_maps);
	table_list_free(&old->virtual_alias_maps);
	table_list_free(&old->local_recipient_maps);
	table_list_free(&old->virtual_mailbox_maps);
	table_list_free(&old->relay_recipient_maps);
	mem_free(old->own);
	mem_free(old);
	*r = NULL;
}

/* Digits and dots only: no name, and as an address it would need brackets. */
static bool
is_numeric(struct view domain)
{
	for (size_t i = 0; i < domain.n; i++) {
		if (!char_is_digit(domain.p[i]) && domain.p[i] != '.')
			return false;
	}
	return true;
}

static enum table_result
class_of_literal(struct router *r, struct view literal, enum route_class *out, const char **why)
{
	unsigned char address[16];
	enum table_result result;

	if (!address_literal_parse(literal, address)) {
		*out = ROUTE_ERROR;
		return TABLE_FOUND;
	}
	*out = ROUTE_LOCAL;
	if (router_is_own_address(r, address))
		return TABLE_FOUND;
	result = match_list_has_name(r->mydestination, literal, why);
	if (result == TABLE_NOT_FOUND)
		*out = ROUTE_DEFAULT;
	return result == TABLE_CANNOT_TELL ? result : TABLE_FOUND;
}

static enum table_result
class_of_numeric(struct router *r, struct view domain, enum route_class *out)
{
	unsigned char address[16];

	*out = ROUTE_ERROR;
	if (r->values->resolve_numeric_domain && cidr_parse_address(domain, address))
		*out = router_is_own_address(r, address) ? ROUTE_LOCAL : ROUTE_DEFAULT;
	return TABLE_FOUND;
}

enum table_result
router_class(struct router *r, struct view domain, enum route_class *out, const char **why)
{
	const struct {
		struct match_list *list;
		enum route_class class_;
	} rows[] = {
		{ r->mydestination, ROUTE_LOCAL },
		{ r->virtual_alias_domains, ROUTE_VIRTUAL_ALIAS },
		{ r->virtual_mailbox_domains, ROUTE_VIRTUAL_MAILBOX },
		{ r->relay_domains, ROUTE_RELAY },
	};
	enum table_result result;

	if (domain.n > 1 && domain.p[domain.n - 1] == '.')
		domain.n--;
	if (domain.n > 0 && domain.p[0] == '[')
		return class_of_literal(r, domain, out, why);
	if (is_numeric(domain))
		return class_of_numeric(r, domain, out);
	if (!domain_is_valid(domain, r->values->smtputf8_enable)) {
		*out = ROUTE_ERROR;
		return TABLE_FOUND;
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		result = match_list_has_name(rows[i].list, domain, why);
		if (result == TABLE_NOT_FOUND)
			continue;
		*out = rows[i].class_;
		return result;
	}
	*out = ROUTE_DEFAULT;
	return TABLE_FOUND;
}

enum table_result
router_domain_is_ours(struct router *r, struct view domain, bool *out, const char **why)
{
	enum route_class class_;
	enum table_result result;

	*out = true;
	if (domain.n == 0 || view_eq_nocase(domain, view_of(r->values->myorigin)))
		return TABLE_FOUND;
	result = router_class(r, domain, &class_, why);
	*out = result == TABLE_FOUND && class_ == ROUTE_LOCAL;
	return result;
}
