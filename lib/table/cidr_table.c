/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cidr:/file: networks in order, the first that has the address answers. A key that is no
 * address is not found.
 */
#include "base/mem.h"
#include "conf/match.h"
#include "table/pattern_table.h"

static void *
cidr_compile(struct view *rest, struct table_error *e)
{
	struct view word;
	struct cidr *net;
	const char *why = "bad net/mask pattern";

	if (!view_next_word(rest, " \t", &word)) {
		table_error_set(e, "no address pattern");
		return NULL;
	}
	net = NEW(struct cidr);
	if (!cidr_parse(word, net, &why)) {
		table_error_set(e, "%s: \"%.*s\"", why, VIEW_ARG(word));
		mem_free(net);
		return NULL;
	}
	return net;
}

static enum pattern_result
cidr_match(void *compiled, struct view key, struct pattern_match *out, struct table_error *e)
{
	uint8_t address[16];

	(void)out, (void)e;
	if (!cidr_parse_address(key, address))
		return PATTERN_NO;
	return cidr_has(compiled, address) ? PATTERN_YES : PATTERN_NO;
}

static const struct pattern_engine engine = {
	.name = "cidr",
	.compile = cidr_compile,
	.match = cidr_match,
	.free = mem_free,
};

static void *
cidr_open(const char *name, struct table_error *e)
{
	return pattern_table_open(&engine, name, e);
}

static enum table_result
cidr_find(void *state, struct view key, struct buf *value, struct table_error *e)
{
	uint8_t address[16];

	if (!cidr_parse_address(key, address))
		return TABLE_NOT_FOUND; /* negated rules are about addresses too */
	return pattern_table_find(state, key, value, e);
}

const struct table_type table_type_cidr = {
	.name = "cidr",
	.keys = TABLE_KEYS_PATTERN,
	.open = cidr_open,
	.close = pattern_table_close,
	.find = cidr_find,
};
