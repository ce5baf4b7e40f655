/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The map: open addressing with linear probing over one array. The hash of each entry is kept,
 * so a probe compares bytes only where they are almost surely equal, and growing needs no
 * second hashing. A removed entry leaves a mark where a later one may have been pushed past it;
 * nothing moves on removal, which is why an iteration survives the removal of any entry. The
 * array grows and shrinks on put alone.
 */
#include "base/hash.h"

#include <assert.h>
#include <pthread.h>

#include "base/mem.h"
#include "base/random.h"

#define FIRST_SLOTS ((size_t)16)

struct slot {
	char *key; /* NULL: nothing here */
	size_t key_len;
	uint64_t hash;
	void *value; /* NULL with a key: removed */
};

struct hash {
	struct slot *slots;
	size_t mask;   /* number of slots - 1, a power of two less one */
	size_t count;  /* entries */
	size_t filled; /* entries and marks of removal */
};

static char removed_mark[1];
static uint8_t process_key[16];
static pthread_once_t process_key_once = PTHREAD_ONCE_INIT;

static void
draw_process_key(void)
{
	random_bytes(process_key, sizeof(process_key));
}

static uint64_t
hash_of(struct view key)
{
	return siphash(process_key, key.p, key.n);
}

struct hash *
hash_new(void)
{
	pthread_once(&process_key_once, draw_process_key);
	return NEW(struct hash);
}

void
hash_free(struct hash **h, void (*free_value)(void *))
{
	struct hash *map = *h;

	if (!map)
		return;
	for (size_t i = 0; map->slots && i <= map->mask; i++) {
		struct slot *slot = &map->slots[i];

		if (!slot->value)
			continue;
		mem_free(slot->key);
		if (free_value)
			free_value(slot->value);
	}
	mem_free(map->slots);
	mem_free(map);
	*h = NULL;
}

size_t
hash_count(const struct hash *h)
{
	return h->count;
}

/* The slot of the key, or NULL. */
static struct slot *
slot_find(const struct hash *h, struct view key, uint64_t hash)
{
	if (!h->slots)
		return NULL;
	for (size_t i = hash & h->mask;; i = (i + 1) & h->mask) {
		struct slot *slot = &h->slots[i];

		if (!slot->key)
			return NULL;
		if (slot->hash == hash && slot->value &&
		    view_eq((struct view){ slot->key, slot->key_len }, key))
			return slot;
	}
}

/* The first slot on the way of this hash that holds no entry. */
static struct slot *
slot_free(const struct hash *h, uint64_t hash)
{
	size_t i = hash & h->mask;

	while (h->slots[i].value)
		i = (i + 1) & h->mask;
	return &h->slots[i];
}

/* A new array, one third full at most, without the marks. */
static void
rehash(struct hash *h)
{
	struct slot *old = h->slots;
	size_t old_count = old ? h->mask + 1 : 0;
	size_t count = FIRST_SLOTS;

	while (count < (h->count + 1) * 3)
		count *= 2;
	h->slots = mem_zero(count, sizeof(*h->slots));
	h->mask = count - 1;
	h->filled = h->count;
	for (size_t i = 0; i < old_count; i++) {
		if (old[i].value)
			*slot_free(h, old[i].hash) = old[i];
	}
	mem_free(old);
}

/* At two thirds full, or when hardly anything of a large array is left in use. */
static bool
needs_rehash(const struct hash *h)
{
	size_t count = h->mask + 1;

	if (!h->slots)
		return true;
	return h->filled >= count / 3 * 2 || (count > FIRST_SLOTS && h->count < count / 16);
}

void *
hash_find(const struct hash *h, struct view key)
{
	struct slot *slot = h->count ? slot_find(h, key, hash_of(key)) : NULL;

	return slot ? slot->value : NULL;
}

void *
hash_put(struct hash *h, struct view key, void *value)
{
	uint64_t hash = hash_of(key);
	struct slot *slot = slot_find(h, key, hash);

	assert(value);
	if (slot) {
		void *before = slot->value;

		slot->value = value;
		return before;
	}
	if (needs_rehash(h))
		rehash(h);
	slot = slot_free(h, hash);
	if (!slot->key)
		h->filled++;
	h->count++;
	*slot = (struct slot){ mem_dup(key.p, key.n), key.n, hash, value };
	return NULL;
}

/* Marks that no probe needs any more, because the slot behind them is empty, are taken off. */
static void
sweep_marks(struct hash *h, size_t i)
{
	if (h->slots[(i + 1) & h->mask].key)
		return;
	while (h->slots[i].key && !h->slots[i].value) {
		h->slots[i].key = NULL;
		h->filled--;
		i = (i - 1) & h->mask;
	}
}

void *
hash_remove(struct hash *h, struct view key)
{
	struct slot *slot = slot_find(h, key, hash_of(key));
	void *value;

	if (!slot)
		return NULL;
	value = slot->value;
	mem_free(slot->key);
	*slot = (struct slot){ .key = removed_mark };
	h->count--;
	sweep_marks(h, (size_t)(slot - h->slots));
	return value;
}

bool
hash_next(const struct hash *h, struct hash_iter *it)
{
	if (!h->slots)
		return false;
	while (it->slot <= h->mask) {
		const struct slot *slot = &h->slots[it->slot++];

		if (slot->value) {
			it->key = (struct view){ slot->key, slot->key_len };
			it->value = slot->value;
			return true;
		}
	}
	return false;
}
