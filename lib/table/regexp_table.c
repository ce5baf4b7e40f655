/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regexp:/file: POSIX extended expressions of the C library. Flags as in regexp_table(5), each
 * of which toggles: i (case-insensitive, on by default), m (multi-line), x (extended, on by
 * default). The C library has no limit for the work of one match: patterns are the
 * administrator's, and back-references in them cost what they cost; pcre tables have a limit.
 */
#include <regex.h>

#include "base/mem.h"
#include "table/pattern_table.h"

static bool
flags_parse(struct view flags, int *options)
{
	*options = REG_ICASE | REG_EXTENDED;
	for (size_t i = 0; i < flags.n; i++) {
		switch (flags.p[i]) {
		case 'i':
			*options ^= REG_ICASE;
			break;
		case 'm':
			*options ^= REG_NEWLINE;
			break;
		case 'x':
			*options ^= REG_EXTENDED;
			break;
		default:
			return false;
		}
	}
	return true;
}

static void *
regexp_compile(struct view *rest, struct table_error *e)
{
	struct view text, flags;
	regex_t *pattern;
	char *copy, reason[128];
	int options, rc;

	if (!pattern_delimited(rest, &text, &flags)) {
		table_error_set(e, "no closing regexp delimiter");
		return NULL;
	}
	if (!flags_parse(flags, &options)) {
		table_error_set(e, "unknown regexp option \"%.*s\"", VIEW_ARG(flags));
		return NULL;
	}
	pattern = NEW(regex_t);
	copy = mem_dup(text.p, text.n);
	rc = regcomp(pattern, copy, options);
	mem_free(copy);
	if (rc != 0) {
		regerror(rc, pattern, reason, sizeof(reason));
		table_error_set(e, "error in regexp: %s", reason);
		mem_free(pattern);
		return NULL;
	}
	return pattern;
}

static enum pattern_result
regexp_match(void *compiled, struct view key, struct pattern_match *out, struct table_error *e)
{
	const regex_t *pattern = compiled;
	regmatch_t groups[PATTERN_GROUPS] = { { .rm_so = 0, .rm_eo = (regoff_t)key.n } };
	char reason[128];
	int rc = regexec(pattern, key.p, PATTERN_GROUPS, groups, REG_STARTEND);

	if (rc == REG_NOMATCH)
		return PATTERN_NO;
	if (rc != 0) {
		regerror(rc, pattern, reason, sizeof(reason));
		table_error_set(e, "error matching regexp: %s", reason);
		return PATTERN_ERROR;
	}
	for (size_t i = 0; i < PATTERN_GROUPS; i++) {
		out->groups[i] = VIEW_NONE;
		if (groups[i].rm_so < 0)
			continue;
		out->groups[i] = view_sub(
		    key, (size_t)groups[i].rm_so, (size_t)(groups[i].rm_eo - groups[i].rm_so));
		out->count = i + 1;
	}
	return PATTERN_YES;
}

static size_t
regexp_groups(void *compiled)
{
	return ((const regex_t *)compiled)->re_nsub;
}

static void
regexp_free(void *compiled)
{
	regfree(compiled);
	mem_free(compiled);
}

static const struct pattern_engine engine = {
	.name = "regexp",
	.compile = regexp_compile,
	.match = regexp_match,
	.groups = regexp_groups,
	.free = regexp_free,
};

static void *
regexp_open(const char *name, struct table_error *e)
{
	return pattern_table_open(&engine, name, e);
}

const struct table_type table_type_regexp = {
	.name = "regexp",
	.keys = TABLE_KEYS_PATTERN,
	.open = regexp_open,
	.close = pattern_table_close,
	.find = pattern_table_find,
};
