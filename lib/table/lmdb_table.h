/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LMDB files as postmap, postalias and newaliases write them: one transaction replaces the
 * whole contents under running readers. Keys and values carry a trailing NUL or not; readers
 * accept both. File NAME.lmdb, no subdirectory.
 *
 * A reader that is jailed cannot open a file again: a table that was replaced by another file
 * (mv, a restored backup) is seen after a reload only. postmap never does that.
 */
#ifndef TABLE_LMDB_TABLE_H
#define TABLE_LMDB_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/view.h"
#include "table/table.h"

struct lmdb_table;

/* For readers: no lock is taken and nothing is written. *why is valid until the next call. */
struct lmdb_table *lmdb_table_open(const char *path, const char **why);
void lmdb_table_close(struct lmdb_table **t);
enum table_result lmdb_table_find(
    struct lmdb_table *t, struct view key, struct buf *value, const char **why);

/*
 * Writing: begin takes the lock against other writers (it waits) and, with empty_first, empties
 * the table inside the transaction; commit makes all of it visible at once and durable; abort
 * leaves the table as it was. A file that is there keeps its identity, so that running readers
 * see the change. A new one, or one that is no LMDB file (empty_first only), comes into being
 * at commit, by a rename. Symbolic links and files that are not regular are refused.
 */
struct lmdb_writer;
struct lmdb_writer_options {
	size_t map_size; /* upper limit of the file */
	bool empty_first;
	bool with_nul; /* keys and values get a trailing NUL, as Postfix writes them */
	unsigned mode; /* of the file, 0: leave; 0644 when it is new */
};
struct lmdb_writer *lmdb_writer_begin(
    const char *path, const struct lmdb_writer_options *o, const char **why);
enum lmdb_put {
	LMDB_PUT_OK,
	LMDB_PUT_EXISTS,
	LMDB_PUT_KEY_SIZE, /* empty or longer than LMDB_TABLE_KEY_MAX */
	LMDB_PUT_FULL,     /* abort and begin again with a larger map */
	LMDB_PUT_FAILED,
};
enum lmdb_put lmdb_writer_put(
    struct lmdb_writer *w, struct view key, struct view value, bool replace, const char **why);
bool lmdb_writer_delete(struct lmdb_writer *w, struct view key, bool *found, const char **why);
bool lmdb_writer_commit(struct lmdb_writer **w, const char **why);
void lmdb_writer_abort(struct lmdb_writer **w);

#define LMDB_TABLE_KEY_MAX 511 /* the trailing NUL included */

/* Steps through all entries: for postmap -s. */
bool lmdb_table_each(struct lmdb_table *t,
    bool (*fn)(struct view key, struct view value, void *context), void *context,
    const char **why);

#endif
