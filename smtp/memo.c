/* SPDX-License-Identifier: Apache-2.0 */
/* Entries in the order of their making, which is that of their end: the oldest goes first. */
#include "smtp/memo.h"

#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

struct entry {
	struct list link;
	char *key;
	nanoseconds expires;
	size_t count;
	struct candidate *all; /* their hosts are the entry's own */
};

static struct {
	struct hash *by_key;
	struct list entries;
} memo;

static void
entry_free(struct entry *e)
{
	hash_remove(memo.by_key, view_of(e->key));
	list_remove(&e->link);
	for (size_t i = 0; i < e->count; i++)
		mem_free((char *)(uintptr_t)e->all[i].host);
	mem_free(e->all);
	mem_free(e->key);
	mem_free(e);
}

static struct entry *
oldest(void)
{
	return list_is_empty(&memo.entries) ? NULL
					    : LIST_ITEM(memo.entries.next, struct entry, link);
}

static void
forget_old(void)
{
	struct entry *e;

	if (!memo.by_key) {
		memo.by_key = hash_new();
		list_init(&memo.entries);
	}
	while ((e = oldest()) &&
	    (e->expires <= clock_now() || hash_count(memo.by_key) >= MEMO_MAX))
		entry_free(e);
}

bool
memo_find(struct view key, struct lookup *l)
{
	struct entry *e;

	forget_old();
	e = hash_find(memo.by_key, key);
	if (!e || e->expires <= clock_now())
		return false;
	l->all = arena_alloc(&l->d->arena, e->count * sizeof(l->all[0]));
	memcpy(l->all, e->all, e->count * sizeof(l->all[0]));
	for (size_t i = 0; i < e->count; i++)
		l->all[i].host = arena_dup(&l->d->arena, view_of(e->all[i].host));
	l->count = e->count;
	return true;
}

void
memo_keep(struct view key, const struct lookup *l)
{
	nanoseconds span = (nanoseconds)l->ttl * SECOND;
	struct entry *e;

	forget_old();
	if (l->count == 0 || l->problem || span == 0)
		return;
	e = hash_find(memo.by_key, key);
	if (e)
		entry_free(e);
	e = NEW(struct entry);
	e->key = mem_dup(key.p, key.n);
	e->expires = clock_deadline(span < MEMO_TIME ? span : MEMO_TIME);
	e->count = l->count;
	e->all = mem_zero(l->count, sizeof(e->all[0]));
	memcpy(e->all, l->all, l->count * sizeof(e->all[0]));
	for (size_t i = 0; i < e->count; i++)
		e->all[i].host = mem_strdup(l->all[i].host);
	hash_put(memo.by_key, view_of(e->key), e);
	list_append(&memo.entries, &e->link);
}
