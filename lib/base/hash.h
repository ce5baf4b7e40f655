/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A map from byte strings to pointers, hashed with SipHash-2-4 under a key drawn at process
 * start, so that a peer cannot choose colliding names. Keys are copied; values are the
 * caller's.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/view.h"

struct hash;

struct hash_iter {
	size_t slot;
	struct view key; /* valid until the entry is removed */
	void *value;
};

struct hash *hash_new(void);
void hash_free(struct hash **h, void (*free_value)(void *)); /* free_value may be NULL */
size_t hash_count(const struct hash *h);

/* The value, or NULL. */
void *hash_find(const struct hash *h, struct view key);

/* Stores and returns the value that was there before, or NULL. value is not NULL. */
void *hash_put(struct hash *h, struct view key, void *value);

/* Removes and returns the value, or NULL. */
void *hash_remove(struct hash *h, struct view key);

/* Steps through all entries in no order: start with a zeroed iterator. No put meanwhile. */
bool hash_next(const struct hash *h, struct hash_iter *it);

uint64_t siphash(const uint8_t key[16], const void *data, size_t n);

#endif
