/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LMDB files as postmap, postalias and newaliases write them: one transaction replaces the whole
 * contents under running readers. Keys and values carry a trailing NUL or not; readers accept
 * both. File NAME.lmdb, no subdirectory.
 */
#ifndef TABLE_LMDB_TABLE_H
#define TABLE_LMDB_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/view.h"
#include "table/table.h"

struct lmdb_table;

struct lmdb_table *lmdb_table_open(const char *path, const char **why);
void lmdb_table_close(struct lmdb_table **t);
enum table_result lmdb_table_find(struct lmdb_table *t, struct view key, struct buf *value,
    const char **why);

/* Writing: begin empties the table inside the transaction; commit makes all of it visible. */
struct lmdb_writer;
struct lmdb_writer *lmdb_writer_begin(const char *path, size_t map_size, bool empty_first,
    const char **why);
enum lmdb_put { LMDB_PUT_OK, LMDB_PUT_EXISTS, LMDB_PUT_FAILED };
enum lmdb_put lmdb_writer_put(struct lmdb_writer *w, struct view key, struct view value,
    bool replace, const char **why);
bool lmdb_writer_delete(struct lmdb_writer *w, struct view key, bool *found, const char **why);
bool lmdb_writer_commit(struct lmdb_writer **w, const char **why);
void lmdb_writer_abort(struct lmdb_writer **w);

/* Steps through all entries: for postmap -s. */
bool lmdb_table_each(struct lmdb_table *t, bool (*fn)(struct view key, struct view value,
    void *context), void *context, const char **why);

#endif
