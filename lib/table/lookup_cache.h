/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small, short-lived memory of answers, for tables whose every lookup costs a round trip (the
 * asking side) or a call of the name service (the `tables` side). "Cannot tell" is never kept.
 */
#ifndef TABLE_LOOKUP_CACHE_H
#define TABLE_LOOKUP_CACHE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/view.h"
#include "table/table.h"

struct lookup_cache;

/* At most max_entries answers of at most 1 kB, each no longer than lifetime. */
struct lookup_cache *lookup_cache_new(size_t max_entries, nanoseconds lifetime);
void lookup_cache_free(struct lookup_cache **c);
bool lookup_cache_find(struct lookup_cache *c, struct view table, struct view key,
    enum table_result *result, struct buf *value);
void lookup_cache_put(struct lookup_cache *c, struct view table, struct view key,
    enum table_result result, struct view value);

#endif
