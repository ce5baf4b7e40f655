/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data of one record, a row and a function per type. A record is taken whole or not at all:
 * too short, too long, a name that we do not take, and it is left out.
 */
#include "base/mem.h"
#include "dns/name.h"
#include "dns/packet.h"

#define TLSA_MAX 1024 /* octets of certificate association data; a whole certificate fits */

struct source {
	struct view packet;
	struct cursor c; /* over the data */
	struct arena *arena;
};

static void
take_name(struct source *s, struct dns_record *out)
{
	struct dns_name name;

	if (dns_name_take(s->packet, &s->c, &name))
		out->name = arena_view(s->arena, dns_name_view(&name));
	else
		cursor_fail(&s->c);
}

/* A name that a host must have, or the root, which says that there is none (RFC 7505). */
static void
take_host(struct source *s, struct dns_record *out)
{
	take_name(s, out);
	for (size_t i = 0; i < out->name.n; i++)
		if (!char_is_alnum(out->name.p[i]) && !strchr("-._", out->name.p[i]))
			cursor_fail(&s->c);
}

static void
take_address(struct source *s, struct dns_record *out)
{
	size_t n = out->type == DNS_A ? 4 : 16;
	struct view address = cursor_take_n(&s->c, n);

	if (address.n == n)
		memcpy(out->address, address.p, n);
}

static void
take_mx(struct source *s, struct dns_record *out)
{
	out->preference = cursor_u16(&s->c);
	take_host(s, out);
}

static void
take_srv(struct source *s, struct dns_record *out)
{
	out->preference = cursor_u16(&s->c);
	out->weight = cursor_u16(&s->c);
	out->port = cursor_u16(&s->c);
	take_host(s, out);
}

static void
take_tlsa(struct source *s, struct dns_record *out)
{
	out->usage = cursor_u8(&s->c);
	out->selector = cursor_u8(&s->c);
	out->matching = cursor_u8(&s->c);
	out->data = cursor_take_n(&s->c, cursor_left(&s->c));
	if (out->data.n == 0 || out->data.n > TLSA_MAX)
		cursor_fail(&s->c);
	out->data = arena_view(s->arena, out->data);
}

/* Bytes that could end a line or start an escape sequence become '?'. */
static char
printable(char c)
{
	return c >= ' ' && c < 127 ? c : '?';
}

static void
take_text(struct source *s, struct dns_record *out)
{
	size_t max = cursor_left(&s->c) < DNS_TEXT_MAX ? cursor_left(&s->c) : DNS_TEXT_MAX,
	       n = 0;
	char *text = arena_alloc(s->arena, max);

	while (!s->c.failed && !cursor_at_end(&s->c)) {
		struct view part = cursor_take_n(&s->c, cursor_u8(&s->c));

		for (size_t i = 0; i < part.n && n < max; i++)
			text[n++] = printable(part.p[i]);
	}
	out->data = (struct view){ text, n };
}

static const struct row {
	const char *name;
	enum dns_type type;
	void (*take)(struct source *s, struct dns_record *out);
} rows[DNS_TYPE_COUNT] = {
	{ "A", DNS_A, take_address },
	{ "AAAA", DNS_AAAA, take_address },
	{ "CNAME", DNS_CNAME, take_name },
	{ "MX", DNS_MX, take_mx },
	{ "NS", DNS_NS, take_host },
	{ "PTR", DNS_PTR, take_host },
	{ "SRV", DNS_SRV, take_srv },
	{ "TLSA", DNS_TLSA, take_tlsa },
	{ "TXT", DNS_TXT, take_text },
};

static const struct row *
row_find(uint64_t type)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].type == type)
			return &rows[i];
	return NULL;
}

bool
dns_rdata_parse(struct view packet, struct view data, enum dns_type type, struct arena *arena,
    struct dns_record *out)
{
	struct source s = { packet, cursor_of(data), arena };
	struct dns_record record = { .type = type, .ttl = out->ttl };
	const struct row *row = row_find(type);

	if (row == NULL)
		return false;
	row->take(&s, &record);
	if (s.c.failed || !cursor_at_end(&s.c))
		return false;
	*out = record;
	return true;
}

const char *
dns_type_name(enum dns_type type)
{
	const struct row *row = row_find(type);

	return row ? row->name : NULL;
}

bool
dns_type_from_name(struct view name, enum dns_type *out)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (view_eq_nocase(name, view_of(rows[i].name))) {
			*out = rows[i].type;
			return true;
		}
	return false;
}

bool
dns_type_is_known(uint64_t number)
{
	return row_find(number) != NULL;
}
