/* SPDX-License-Identifier: Apache-2.0 */
/* A row per type: how many words its data has, and who reads them. */
#include "resolver/zone_data.h"

#include <arpa/inet.h>

#include "base/mem.h"
#include "base/number.h"
#include "dns/name.h"
#include "dns/packet.h"

#define WORDS_MAX 4

static bool
take_u16(struct view word, uint16_t *out)
{
	uint64_t value;

	if (!number_parse(word, UINT16_MAX, &value))
		return false;
	*out = (uint16_t)value;
	return true;
}

static bool
take_u8(struct view word, uint8_t *out)
{
	uint64_t value;

	if (!number_parse(word, UINT8_MAX, &value))
		return false;
	*out = (uint8_t)value;
	return true;
}

static bool
take_name(struct view word, struct arena *arena, struct dns_record *out)
{
	struct dns_name name;

	if (!dns_name_from_text(word, &name))
		return false;
	out->name = arena_view(arena, dns_name_view(&name));
	return true;
}

bool
zone_address_parse(struct view text, struct dns_record *record)
{
	char copy[INET6_ADDRSTRLEN];

	if (text.n == 0 || text.n >= sizeof(copy) || view_find(text, '\0') < text.n)
		return false;
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	if (inet_pton(AF_INET, copy, record->address) == 1)
		record->type = DNS_A;
	else if (inet_pton(AF_INET6, copy, record->address) == 1)
		record->type = DNS_AAAA;
	else
		return false;
	return true;
}

static bool
parse_address(const struct view *w, struct arena *arena, struct dns_record *out)
{
	enum dns_type wanted = out->type;

	(void)arena;
	return zone_address_parse(w[0], out) && out->type == wanted;
}

static bool
parse_name(const struct view *w, struct arena *arena, struct dns_record *out)
{
	return take_name(w[0], arena, out);
}

static bool
parse_mx(const struct view *w, struct arena *arena, struct dns_record *out)
{
	return take_u16(w[0], &out->preference) && take_name(w[1], arena, out);
}

static bool
parse_srv(const struct view *w, struct arena *arena, struct dns_record *out)
{
	return take_u16(w[0], &out->preference) && take_u16(w[1], &out->weight) &&
	    take_u16(w[2], &out->port) && take_name(w[3], arena, out);
}

static bool
parse_tlsa(const struct view *w, struct arena *arena, struct dns_record *out)
{
	struct view hex = w[3];
	char *octets = arena_alloc(arena, hex.n / 2);

	for (size_t i = 0; i < hex.n / 2; i++) {
		uint64_t octet;

		if (!number_parse_hex(view_sub(hex, 2 * i, 2), &octet))
			return false;
		octets[i] = (char)octet;
	}
	out->data = (struct view){ octets, hex.n / 2 };
	return hex.n > 0 && hex.n % 2 == 0 && take_u8(w[0], &out->usage) &&
	    take_u8(w[1], &out->selector) && take_u8(w[2], &out->matching);
}

/* Strings, quoted or not, are joined, as they are when they come from the DNS. */
static bool
parse_text(struct view text, struct arena *arena, struct dns_record *out)
{
	char *joined = arena_alloc(arena, text.n);
	bool quoted = false;
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (c == '"')
			quoted = !quoted;
		else if (c == '\\' && i + 1 < text.n)
			joined[n++] = text.p[++i];
		else if (quoted || !char_is_blank(c))
			joined[n++] = c;
	}
	out->data = (struct view){ joined, n };
	return !quoted && n <= DNS_TEXT_MAX;
}

static const struct row {
	enum dns_type type;
	size_t words;
	bool (*parse)(const struct view *words, struct arena *arena, struct dns_record *out);
} rows[] = {
	{ DNS_A, 1, parse_address },
	{ DNS_AAAA, 1, parse_address },
	{ DNS_CNAME, 1, parse_name },
	{ DNS_MX, 2, parse_mx },
	{ DNS_NS, 1, parse_name },
	{ DNS_PTR, 1, parse_name },
	{ DNS_SRV, 4, parse_srv },
	{ DNS_TLSA, 4, parse_tlsa },
};

bool
zone_data_parse(struct view text, struct arena *arena, struct dns_record *record)
{
	struct view words[WORDS_MAX], word;
	size_t count = 0;

	if (record->type == DNS_TXT)
		return parse_text(text, arena, record);
	while (view_next_word(&text, " \t", &word)) {
		if (count == WORDS_MAX)
			return false;
		words[count++] = word;
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].type == record->type)
			return count == rows[i].words && rows[i].parse(words, arena, record);
	return false;
}
