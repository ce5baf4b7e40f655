/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash of answers with a time of expiry. There is no order of use: entries live for a second
 * or two, so a full cache is simply emptied. A peer that asks for many names can make the cache
 * useless, never large.
 */
#include "table/lookup_cache.h"

#include <assert.h>

#include "base/hash.h"
#include "base/mem.h"

#define ANSWER_MAX 1024

struct answer {
	nanoseconds expires;
	bool found;
	size_t n;
	char value[];
};

struct lookup_cache {
	struct hash *answers; /* by "table NUL key" */
	size_t max;
	nanoseconds lifetime;
	struct buf name;
};

struct lookup_cache *
lookup_cache_new(size_t max_entries, nanoseconds lifetime)
{
	struct lookup_cache *c = NEW(struct lookup_cache);

	assert(max_entries > 0);
	c->answers = hash_new();
	c->max = max_entries;
	c->lifetime = lifetime;
	buf_init(&c->name, 2 * TABLE_KEY_MAX);
	return c;
}

void
lookup_cache_free(struct lookup_cache **c)
{
	if (*c == NULL)
		return;
	hash_free(&(*c)->answers, mem_free);
	buf_done(&(*c)->name);
	mem_free(*c);
	*c = NULL;
}

static bool
name_make(struct lookup_cache *c, struct view table, struct view key)
{
	buf_clear(&c->name);
	return buf_append_view(&c->name, table) && buf_append_char(&c->name, '\0') &&
	    buf_append_view(&c->name, key);
}

bool
lookup_cache_find(struct lookup_cache *c, struct view table, struct view key,
    enum table_result *result, struct buf *value)
{
	struct answer *a;

	if (!name_make(c, table, key))
		return false;
	a = hash_find(c->answers, buf_view(&c->name));
	if (a == NULL)
		return false;
	if (a->expires <= clock_now()) {
		mem_free(hash_remove(c->answers, buf_view(&c->name)));
		return false;
	}
	*result = a->found ? TABLE_FOUND : TABLE_NOT_FOUND;
	buf_append(value, a->value, a->n);
	return true;
}

void
lookup_cache_put(struct lookup_cache *c, struct view table, struct view key,
    enum table_result result, struct view value)
{
	struct answer *a;

	if (result == TABLE_CANNOT_TELL || value.n > ANSWER_MAX || !name_make(c, table, key))
		return;
	if (hash_count(c->answers) >= c->max) {
		hash_free(&c->answers, mem_free);
		c->answers = hash_new();
	}
	a = mem_alloc(sizeof(*a) + value.n);
	a->expires = clock_deadline(c->lifetime);
	a->found = result == TABLE_FOUND;
	a->n = value.n;
	if (value.n > 0)
		memcpy(a->value, value.p, value.n);
	mem_free(hash_put(c->answers, buf_view(&c->name), a));
}
