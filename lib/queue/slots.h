/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slots: room for small messages in files that are there already. Most messages leave within
 * moments; for them a file of their own, made, synced with its directory and removed again,
 * costs more than everything else together. A slot holds such a message instead, in the format
 * of a queue file without a journal, and is free when its first bytes are zero.
 *
 *   slots/0 .. slots/63   one for each process that writes, who locks it (flock)
 *   slot i of a file      SLOT_SIZE bytes at i * SLOT_SIZE
 *   while it is written   its writer holds a lock on its first byte (F_OFD_SETLK)
 *
 * Private to lib/queue. For the rest of the program such a message is in QUEUE_INCOMING.
 */
#ifndef QUEUE_SLOTS_H
#define QUEUE_SLOTS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/hash.h"
#include "queue/group_sync.h"
#include "queue/preamble.h"
#include "queue/queue.h"

#define SLOT_SIZE      131072
#define SLOTS_MAX      256 /* in one file */
#define SLOT_FILES_MAX 64

/* Names one of all slots: file * SLOTS_MAX + index + 1. 0 is none. */
#define SLOT_NUMBERS ((uint64_t)SLOT_FILES_MAX * SLOTS_MAX)

struct slot_file {
	int fd; /* -1: not opened yet */
	bool read_only;
	char (*ids)[QUEUE_ID_SIZE]; /* what by_id says of its slots; SLOTS_MAX of them */
};

struct slots {
	int dir_fd;
	pthread_mutex_t mutex; /* for all below */
	struct slot_file files[SLOT_FILES_MAX];
	struct hash *by_id;     /* the number of a slot, as a pointer */
	struct slot_pool *pool; /* where this process may write, or NULL */
};

void slots_init(struct slots *s, int dir_fd);
void slots_done(struct slots *s);

unsigned slot_file_number(uint64_t slot);
off_t slot_offset(uint64_t slot); /* in its file */

/* The descriptor of a file, opened when needed; -1 with errno. Stays ours. */
int slots_fd(struct slots *s, unsigned file);
/* How many slots a file has; 0 also when there is none. */
unsigned slots_count(struct slots *s, unsigned file);

/* ---- reading (slots.c) ---- */

/* What a slot's first bytes say. PREAMBLE_ABSENT: free. Any failure counts as PREAMBLE_ABSENT.
 */
enum preamble_state slot_peek(struct slots *s, uint64_t slot, struct preamble *p);

/* Whether its writer is at work on it. */
bool slot_is_locked(struct slots *s, uint64_t slot);

/* Whether its preamble is wrong and nobody is writing it. */
bool slot_is_damaged(struct slots *s, uint64_t slot);

/* Notes that the message is in the slot; only where to look first. */
void slot_learn(struct slots *s, uint64_t slot, const char *id);

/* The slot that holds the message, by what was learned and by looking into all. 0: none. */
uint64_t slot_learned(struct slots *s, const char *id);
uint64_t slot_search(struct slots *s, const char *id);
bool slot_holds(struct slots *s, uint64_t slot, const char *id);

/*
 * The message's bytes; the caller frees them after QUEUE_OK. QUEUE_GONE when the slot does not
 * hold it (any more), QUEUE_BUSY while its writer has not finished. Checksums other than the
 * preamble's are not looked at. now: anything but QUEUE_OK may only mean that the bytes are not
 * in memory.
 */
enum queue_result slot_read(struct slots *s, uint64_t slot, const char *id, bool now,
    struct buf *bytes, const char **why);

/* A file in memory that can be read and nothing else, by anybody, for ever; -1 with errno. */
int slot_sealed_copy(struct view bytes);

/* Makes it free. Not synced: like a removal, it may be undone by a loss of power. */
enum queue_result slot_release(struct slots *s, uint64_t slot, const char **why);

/* Gives the message in the slot a file of its own in the place, and frees the slot
 * (slot_move.c). */
enum queue_result slot_move(
    struct queue *q, uint64_t slot, const char *id, enum queue_place to, const char **why);

/* ---- writing (slot_pool.c) ---- */

/* A free slot for this process, locked; 0 when there is none. */
uint64_t slot_pool_take(struct slots *s);
int slot_pool_fd(const struct slots *s);
/* Waits until what was written before is on disk. 0 or errno. */
int slot_pool_sync(struct slots *s);
/* The message is whole and on disk: from here on its reader frees the slot. */
void slot_pool_commit(struct slots *s, uint64_t slot);
/* It is worthless. */
void slot_pool_abandon(struct slots *s, uint64_t slot);
void slot_pool_free(struct slot_pool **pool);

#endif
