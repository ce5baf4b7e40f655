/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pcre:/file: Perl-compatible expressions (PCRE2). Flags as in pcre_table(5), each of which
 * toggles: i (caseless) and s (dot matches newline), both on by default; m, x, A, E, U, X. The
 * work of one match is limited: a pattern that backtracks beyond it answers "cannot tell" and
 * cannot stop the loop for long.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/mem.h"
#include "table/pattern_table.h"

#define MATCH_LIMIT 1000000 /* calls of the matcher; some 10 ms */
#define HEAP_LIMIT  16384   /* KiB */

struct pcre {
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *context;
	uint32_t groups;
};

static bool
flags_parse(struct view flags, uint32_t *options)
{
	static const struct {
		char letter;
		uint32_t option;
	} rows[] = {
		{ 'i', PCRE2_CASELESS },
		{ 'm', PCRE2_MULTILINE },
		{ 's', PCRE2_DOTALL },
		{ 'x', PCRE2_EXTENDED },
		{ 'A', PCRE2_ANCHORED },
		{ 'E', PCRE2_DOLLAR_ENDONLY },
		{ 'U', PCRE2_UNGREEDY },
	};

	*options = PCRE2_CASELESS | PCRE2_DOTALL;
	for (size_t i = 0; i < flags.n; i++) {
		size_t row = 0;

		while (row < ARRAY_LEN(rows) && rows[row].letter != flags.p[i])
			row++;
		if (row < ARRAY_LEN(rows))
			*options ^= rows[row].option;
		else if (flags.p[i] != 'X') /* strict escapes: PCRE2 always is */
			return false;
	}
	return true;
}

static void
pcre_free(void *compiled)
{
	struct pcre *p = compiled;

	pcre2_match_context_free(p->context);
	pcre2_match_data_free(p->data);
	pcre2_code_free(p->code);
	mem_free(p);
}

static pcre2_code *
code_compile(struct view text, uint32_t options, struct table_error *e)
{
	unsigned char reason[128];
	pcre2_code *code;
	size_t offset;
	int error;

	code = pcre2_compile((PCRE2_SPTR)text.p, text.n, options | PCRE2_NEVER_BACKSLASH_C,
	    &error, &offset, NULL);
	if (code == NULL) {
		pcre2_get_error_message(error, reason, sizeof(reason));
		table_error_set(
		    e, "error in regex at offset %zu: %s", offset, (const char *)reason);
	}
	return code;
}

static void *
pcre_compile(struct view *rest, struct table_error *e)
{
	struct view text, flags;
	uint32_t options;
	pcre2_code *code;
	struct pcre *p;

	if (!pattern_delimited(rest, &text, &flags)) {
		table_error_set(e, "no closing regexp delimiter");
		return NULL;
	}
	if (!flags_parse(flags, &options)) {
		table_error_set(e, "unknown regexp option \"%.*s\"", VIEW_ARG(flags));
		return NULL;
	}
	code = code_compile(text, options, e);
	if (code == NULL)
		return NULL;
	p = NEW(struct pcre);
	p->code = code;
	p->data = pcre2_match_data_create(PATTERN_GROUPS, NULL);
	p->context = pcre2_match_context_create(NULL);
	pcre2_set_match_limit(p->context, MATCH_LIMIT);
	pcre2_set_heap_limit(p->context, HEAP_LIMIT);
	pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &p->groups);
	return p;
}

static enum pattern_result
pcre_match(void *compiled, struct view key, struct pattern_match *out, struct table_error *e)
{
	struct pcre *p = compiled;
	unsigned char reason[128];
	const size_t *offsets;
	int rc = pcre2_match(p->code, (PCRE2_SPTR)key.p, key.n, 0, 0, p->data, p->context);

	if (rc == PCRE2_ERROR_NOMATCH)
		return PATTERN_NO;
	if (rc < 0) {
		pcre2_get_error_message(rc, reason, sizeof(reason));
		table_error_set(e, "matching error: %s", (const char *)reason);
		return PATTERN_ERROR;
	}
	/* 0: more groups than PATTERN_GROUPS, all of which are set. */
	out->count = rc == 0 ? PATTERN_GROUPS : (size_t)rc;
	offsets = pcre2_get_ovector_pointer(p->data);
	for (size_t i = 0; i < out->count; i++) {
		out->groups[i] = VIEW_NONE;
		if (offsets[2 * i] != PCRE2_UNSET && offsets[2 * i] <= offsets[2 * i + 1])
			out->groups[i] =
			    view_sub(key, offsets[2 * i], offsets[2 * i + 1] - offsets[2 * i]);
	}
	return PATTERN_YES;
}

static size_t
pcre_groups(void *compiled)
{
	return ((const struct pcre *)compiled)->groups;
}

static const struct pattern_engine engine = {
	.name = "pcre",
	.compile = pcre_compile,
	.match = pcre_match,
	.groups = pcre_groups,
	.free = pcre_free,
};

static void *
pcre_open(const char *name, struct table_error *e)
{
	return pattern_table_open(&engine, name, e);
}

const struct table_type table_type_pcre = {
	.name = "pcre",
	.keys = TABLE_KEYS_PATTERN,
	.open = pcre_open,
	.close = pattern_table_close,
	.find = pattern_table_find,
};
