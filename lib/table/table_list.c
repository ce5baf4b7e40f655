/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of tables, as alias_maps and its like name them: the first table that has the key
 * answers, and a table that cannot tell stops the search, because the answer may lie in it.
 */
#include "table/table_list.h"
#include "base/mem.h"
#include "table/table_private.h"

#define SEPARATORS ", \t\r\n"

struct table_list *
table_list_open(const char *text, const struct conf *c)
{
	struct table_list *l = NEW(struct table_list);
	struct view rest = view_of(text), word;
	char *name;

	while (view_next_braced(&rest, SEPARATORS, &word)) {
		name = mem_dup(word.p, word.n);
		l->tables = mem_resize(l->tables, l->count + 1, sizeof(struct table *));
		l->tables[l->count++] = table_open(name, c);
		mem_free(name);
	}
	return l;
}

void
table_list_free(struct table_list **l)
{
	if (*l == NULL)
		return;
	for (size_t i = 0; i < (*l)->count; i++)
		table_free(&(*l)->tables[i]);
	mem_free((*l)->tables);
	mem_free(*l);
	*l = NULL;
}

bool
table_list_is_empty(const struct table_list *l)
{
	return l->count == 0;
}

bool
table_list_has_fixed(const struct table_list *l)
{
	for (size_t i = 0; i < l->count; i++) {
		if (table_keys(l->tables[i]) == TABLE_KEYS_FIXED)
			return true;
	}
	return false;
}

enum table_result
table_list_find_key(
    struct table_list *l, struct view key, bool is_partial, struct buf *value, const char **why)
{
	enum table_result result;

	buf_clear(value);
	for (size_t i = 0; i < l->count; i++) {
		if (is_partial && table_keys(l->tables[i]) == TABLE_KEYS_PATTERN)
			continue;
		result = table_find(l->tables[i], key, value, why);
		if (result != TABLE_NOT_FOUND)
			return result;
	}
	return TABLE_NOT_FOUND;
}

enum table_result
table_list_find(struct table_list *l, struct view key, struct buf *value, const char **why)
{
	return table_list_find_key(l, key, false, value, why);
}
