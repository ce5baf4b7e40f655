/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index of deferred and held mail: by id, by due time and by domain of the recipients
 * (docs/queue.md, "Index"). It is a cache. The queue files are the truth: an entry without a
 * file means nothing, and what has no entry is found by comparing (qmgr/reconcile.c).
 *
 * One process writes, the owner of the queue; others read. It is an LMDB file without LMDB's
 * lock file, so that readers need no right to write: each look is short, takes place under a
 * shared lock of the file (flock), and leaves nothing behind when its process dies.
 *
 * Everything here blocks on the disk. The functions of one struct queue_index may be called by
 * several threads; they wait for each other. *why is constant text, or lives in the thread.
 * A failure means that the index is not to be used any more: close it, and begin a new one.
 */
#ifndef QUEUE_INDEX_H
#define QUEUE_INDEX_H

#include "base/buf.h"
#include "queue/index_entry.h"
#include "queue/queue.h"

struct queue_index;

/* What the writer finds when it opens the index. */
enum index_trust {
	INDEX_EMPTY,   /* there was none, or none that can be believed: all is to be read */
	INDEX_BEHIND,  /* its last writer was killed, or files changed since: to be compared */
	INDEX_TRUSTED, /* closed in order, and no directory has changed since */
};

/* Tells this start of the machine from others. To be called before a jail; "" when unknown. */
const char *queue_index_boot(void);

/*
 * For the writer: opens or creates the index below the queue directory. fresh: what is there is
 * thrown away. NULL with *why: there can be none now.
 */
struct queue_index *queue_index_open(struct queue *q, const char *directory, bool fresh,
    enum index_trust *trust, const char **why);

/* Says that every message of the places has its entry, or that this is not known. */
bool queue_index_set_complete(struct queue_index *x, bool complete, const char **why);

/* True while the file that is open is the one that others would open. */
bool queue_index_is_there(struct queue_index *x);

/*
 * For others. NULL: there is none, or it cannot be read. Only as good as the last commit of the
 * writer: ask qmgr (QUEUECTL_INDEX) whether it is complete, or queue_index_is_settled.
 */
struct queue_index *queue_index_open_reader(const char *directory, const char **why);

/* While nobody writes: true when it was complete and nothing has changed since. */
bool queue_index_is_settled(struct queue *q, struct queue_index *x);

/* Whoever changes queue files in qmgr's place: the index is to be compared at the next start.
 */
void queue_index_doubt(const char *directory);

/* Nor is what is there worth comparing: it is made anew at the next start. */
void queue_index_forget(const char *directory);

/* The writer syncs it and notes that it is in order. Readers: just closes. */
void queue_index_close(struct queue_index **x);

/* ---- writing ---- */

enum index_op {
	INDEX_PUT,     /* value is the entry */
	INDEX_REMOVE,  /* when it is in place */
	INDEX_SET_DUE, /* when it is there */
};

struct index_change {
	enum index_op op;
	char id[QUEUE_ID_SIZE];
	enum queue_place place; /* for INDEX_REMOVE */
	microseconds due;       /* for INDEX_SET_DUE */
	struct buf value;       /* for INDEX_PUT */
};

/* All of them or, on failure, none. Waits for readers, a while. */
bool queue_index_apply(
    struct queue_index *x, struct index_change **changes, size_t count, const char **why);

/* ---- reading: every call is one look ---- */

struct index_due {
	microseconds due;
	char id[QUEUE_ID_SIZE];
};

/*
 * Up to max deferred messages behind *after in the order of due time and id, due no later than
 * until. *next: the due time of the one behind them, INT64_MAX for none.
 */
bool queue_index_due(struct queue_index *x, const struct index_due *after, microseconds until,
    struct index_due *out, size_t max, size_t *count, microseconds *next, const char **why);

/*
 * Up to max entries behind the id after ("": from the first on), in the order of ids, that is
 * of arrival: their values one behind the other in values, lengths in lengths.
 */
struct index_page {
	char ids[64][QUEUE_ID_SIZE];
	size_t ends[64]; /* in values */
	size_t count;
	struct buf values;
};
#define INDEX_PAGE_INIT                                                                        \
	{                                                                                      \
		.values = BUF_INIT(64 * INDEX_VALUE_MAX)                                       \
	}
bool queue_index_page(
    struct queue_index *x, const char *after, struct index_page *page, const char **why);
struct view index_page_value(const struct index_page *page, size_t i);

/*
 * The same for messages with a pending recipient in the domain (lower case), or of which that
 * cannot be told without their file.
 */
bool queue_index_page_domain(struct queue_index *x, struct view domain, const char *after,
    struct index_page *page, const char **why);

/* *found; then the entry's value. */
bool queue_index_find(
    struct queue_index *x, const char *id, struct buf *value, bool *found, const char **why);
bool queue_index_count(struct queue_index *x, uint64_t *count, const char **why);

#endif
