/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables that are held in memory: texthash:/file (a postmap source, read once at open),
 * inline:{ key=value, { key = value with blanks } }, static:value and fail:reason.
 */
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "table/aliases.h"
#include "table/table_private.h"

#define TEXT_MAX ((size_t)256 * 1024 * 1024) /* bytes of a texthash file */

#define SEPARATORS ", \t\r\n"

/* Keys are folded as table_find folds them. */
static void
put_folded(struct hash *entries, struct view key, struct view value, bool *duplicate)
{
	char *folded = mem_dup(key.p, key.n);
	struct view name = { folded, key.n };

	for (size_t i = 0; i < key.n; i++)
		folded[i] = char_lower(folded[i]);
	*duplicate = hash_find(entries, name) != NULL;
	if (!*duplicate)
		hash_put(entries, name, mem_dup(value.p, value.n));
	mem_free(folded);
}

static enum table_result
hash_table_find(void *state, struct view key, struct buf *value, struct table_error *e)
{
	const char *found = hash_find(state, key);

	(void)e;
	if (found == NULL)
		return TABLE_NOT_FOUND;
	buf_append_str(value, found);
	return TABLE_FOUND;
}

static void
hash_table_close(void *state)
{
	struct hash *entries = state;

	hash_free(&entries, mem_free);
}

static void
texthash_read(struct hash *entries, const char *path, struct view text)
{
	struct source_lines lines;
	struct view key, value;
	bool duplicate;
	const char *why;

	source_lines_init(&lines, text);
	while (source_lines_next(&lines)) {
		if (lines.text.overflow) {
			log_warn("%s, line %u: entry is too long", path, lines.line);
			continue;
		}
		if (!map_entry_parse(buf_view(&lines.text), &key, &value, &why)) {
			log_warn("%s, line %u: %s", path, lines.line, why);
			continue;
		}
		put_folded(entries, key, value, &duplicate);
		if (duplicate)
			log_warn("%s, line %u: duplicate entry: \"%.*s\"", path, lines.line,
			    VIEW_ARG(key));
	}
	source_lines_done(&lines);
}

static void *
texthash_open(const char *name, struct table_error *e)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	struct hash *entries = NULL;

	if (table_read_file(name, &text, e)) {
		entries = hash_new();
		texthash_read(entries, name, buf_view(&text));
	}
	buf_done(&text);
	return entries;
}

/* "{ text }" without the braces; other text as it is. */
static struct view
without_braces(struct view v)
{
	v = view_trim(v);
	if (v.n >= 2 && v.p[0] == '{' && v.p[v.n - 1] == '}')
		return view_trim(view_sub(v, 1, v.n - 2));
	return v;
}

static bool
inline_entry(struct hash *entries, struct view word, struct table_error *e)
{
	size_t equals;
	struct view key, value;
	bool duplicate;

	word = without_braces(word);
	equals = view_find(word, '=');
	key = view_trim(view_sub(word, 0, equals));
	value = view_trim(view_sub(word, equals + 1, word.n));
	if (equals == word.n || key.n == 0) {
		table_error_set(
		    e, "inline: missing '=' after attribute name \"%.*s\"", VIEW_ARG(word));
		return false;
	}
	put_folded(entries, key, value, &duplicate);
	if (duplicate)
		log_warn("inline: duplicate entry: \"%.*s\"", VIEW_ARG(key));
	return true;
}

static void *
inline_open(const char *name, struct table_error *e)
{
	struct view all = view_trim(view_of(name)), rest, word;
	struct hash *entries;

	if (all.n < 2 || all.p[0] != '{' || all.p[all.n - 1] != '}') {
		table_error_set(e, "inline: expecting \"inline:{name=value, ...}\"");
		return NULL;
	}
	rest = without_braces(all);
	entries = hash_new();
	while (view_next_braced(&rest, SEPARATORS, &word)) {
		if (!inline_entry(entries, word, e)) {
			hash_table_close(entries);
			return NULL;
		}
	}
	if (hash_count(entries) == 0) {
		table_error_set(e, "inline: empty table: need at least one name=value");
		hash_table_close(entries);
		return NULL;
	}
	return entries;
}

static void *
static_open(const char *name, struct table_error *e)
{
	struct view value = without_braces(view_of(name));

	(void)e;
	return mem_dup(value.p, value.n);
}

static void
string_close(void *state)
{
	mem_free(state);
}

static enum table_result
static_find(void *state, struct view key, struct buf *value, struct table_error *e)
{
	(void)key, (void)e;
	buf_append_str(value, state);
	return TABLE_FOUND;
}

static void *
fail_open(const char *name, struct table_error *e)
{
	(void)e;
	return mem_strdup(name);
}

static enum table_result
fail_find(void *state, struct view key, struct buf *value, struct table_error *e)
{
	(void)key, (void)value;
	table_error_set(e, "fail:%s: this table always fails", (const char *)state);
	return TABLE_CANNOT_TELL;
}

const struct table_type table_type_texthash = {
	.name = "texthash",
	.open = texthash_open,
	.close = hash_table_close,
	.find = hash_table_find,
};

const struct table_type table_type_inline = {
	.name = "inline",
	.open = inline_open,
	.close = hash_table_close,
	.find = hash_table_find,
};

const struct table_type table_type_static = {
	.name = "static",
	.open = static_open,
	.close = string_close,
	.find = static_find,
};

const struct table_type table_type_fail = {
	.name = "fail",
	.open = fail_open,
	.close = string_close,
	.find = fail_find,
};
