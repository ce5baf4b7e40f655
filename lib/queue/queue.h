/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue on disk: directories, ids, durable commits, moves. docs/queue.md has the table of
 * states a message can be in and what a crash may leave behind.
 *
 * Everything here blocks on the disk: daemons call it through task_offload. The functions are
 * safe in several threads at once as long as each writer or message has one thread at a time.
 * Names are looked up below directories opened by queue_open, so it all works after a chroot
 * and under Landlock. A process that writes here ignores SIGXFSZ.
 *
 * *why is constant text (or lives in the thread for queue_open and queue_create, in the writer
 * for queue_writer): nothing to free. It may be NULL where the result is QUEUE_OK. An id that
 * is not queue_id_is_valid is treated as that of a message that does not exist.
 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/view.h"

#define QUEUE_ID_SIZE 32 /* bytes for an id with its NUL */

enum queue_place {
	QUEUE_INCOMING, /* accepted; the first attempt is pending or running */
	QUEUE_DEFERRED, /* waits for its next attempt, in deferred/0 .. deferred/f */
	QUEUE_HOLD,     /* until postsuper -H */
	QUEUE_CORRUPT,  /* set aside: not a message of ours, or damaged */
	QUEUE_PLACES
};

enum queue_result {
	QUEUE_OK,
	QUEUE_GONE,       /* no such message there */
	QUEUE_INCOMPLETE, /* its writer is gone and never finished; worthless */
	QUEUE_BUSY,       /* its writer is still at work: look again later */
	QUEUE_DAMAGED,    /* was complete once: set it aside, never deliver it */
	QUEUE_NO_SPACE,   /* disk or quota full, or below queue_minfree: 452 */
	QUEUE_ERROR,      /* any other failure of the system: 451, try again */
};

struct queue;

/*
 * Opens the queue below the directory (absolute, or "." after a jail). sync says whether
 * commits wait for the disk (queue_sync; only tests and benchmarks turn it off).
 */
struct queue *queue_open(const char *directory, bool sync, const char **why);
void queue_close(struct queue **q);

/*
 * Makes commits of small messages to QUEUE_INCOMING cheap, by a file that this process alone
 * writes and that is there already (docs/queue.md, slots). Once, before the first commit. False
 * with *why: commits make files, as without it.
 */
bool queue_slots_claim(struct queue *q, const char **why);

/*
 * Says which slot a commit used (queue_writer_slot), so that the message is found without a
 * search. From whoever it comes, it is only believed where it is true.
 */
void queue_slot_hint(struct queue *q, const char *id, uint64_t slot);

/* Puts right what a crash left in slots. For the owner of the queue, before its first scan. */
void queue_slots_recover(struct queue *q);

/* Creates missing directories (mode 0700) below an existing one; for master and tests. */
bool queue_create(const char *directory, const char **why);

const char *queue_place_name(enum queue_place place); /* "incoming" ... */
bool queue_place_parse(struct view name, enum queue_place *out);

/* "incoming/ID" or "deferred/7/ID", relative to the queue directory. */
void queue_path(enum queue_place place, const char *id, char *out, size_t size);

/*
 * A new id: time in microseconds and 64 random bits, 6 or more characters of base 52 for the
 * seconds, 4 for the microseconds, 'z', and base 51 for the rest: the form of Postfix's long
 * ids.
 */
void queue_id_new(microseconds arrival, char out[QUEUE_ID_SIZE]);
bool queue_id_is_valid(struct view id); /* form only: 12 to 31 letters and digits */
bool queue_id_time(struct view id, microseconds *arrival);

/* Bytes free for unprivileged users on the queue's file system; false: cannot tell. */
bool queue_free_space(struct queue *q, unsigned long long *bytes);

/*
 * Renames; durable when it returns QUEUE_OK unless sync is off. QUEUE_GONE when it was not at
 * `from`. Moving onto an existing file is QUEUE_ERROR and changes nothing. When only the sync
 * fails, QUEUE_ERROR too: the message is at `to`, but a crash may put it back.
 */
enum queue_result queue_move(struct queue *q, const char *id, enum queue_place from,
    enum queue_place to, const char **why);

/* The same without waiting for the disk, and the wait for all that was moved in the place. */
enum queue_result queue_rename(struct queue *q, const char *id, enum queue_place from,
    enum queue_place to, const char **why);
enum queue_result queue_sync(struct queue *q, enum queue_place place, const char **why);

/* Removes. Not durable at once: after a crash it may be there again (delivering twice). */
enum queue_result queue_remove(
    struct queue *q, const char *id, enum queue_place from, const char **why);

/*
 * Removes what QUEUE_INCOMPLETE was said of, checking again under the lock that its writer
 * would hold. QUEUE_BUSY: a writer is at work; QUEUE_ERROR: it is a message by now; QUEUE_GONE.
 */
enum queue_result queue_remove_incomplete(
    struct queue *q, const char *id, enum queue_place place, const char **why);

/*
 * Where a message is now, searching incoming, deferred, hold, corrupt in this order; last, as
 * incoming, the slots. *place is undefined when it is nowhere.
 */
bool queue_find(struct queue *q, const char *id, enum queue_place *place);

/* Whether there is a file of this name in the place. */
bool queue_is_at(struct queue *q, const char *id, enum queue_place place);

/* When a message in `deferred` is due, kept as the file's modification time. */
enum queue_result queue_set_due(
    struct queue *q, const char *id, microseconds due, const char **why);

/*
 * Lists a place, in directory order: next fills id and due (mtime); false at the end or when a
 * directory cannot be read (*why then set, otherwise NULL). Names that are no ids and things
 * that are no regular files are skipped; the first one in each place is logged.
 */
struct queue_scan;
struct queue_scan *queue_scan_new(struct queue *q, enum queue_place place);
bool queue_scan_next(
    struct queue_scan *s, char id[QUEUE_ID_SIZE], microseconds *due, const char **why);
uint64_t queue_scan_length(const struct queue_scan *s); /* of the last file; 0: in a slot */
void queue_scan_free(struct queue_scan **s);

const char *queue_result_text(enum queue_result r);

#endif
