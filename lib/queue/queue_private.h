/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder, and their tests, share. */
#ifndef QUEUE_QUEUE_PRIVATE_H
#define QUEUE_QUEUE_PRIVATE_H

#include <stdatomic.h>

#include "queue/group_sync.h"
#include "queue/queue.h"
#include "queue/queue_file.h"
#include "queue/slots.h"

#define QUEUE_FAN_OUT 16 /* directories below deferred */
#define QUEUE_DIRS    (3 + QUEUE_FAN_OUT)

/* Larger ones are damage, whatever their checksum. */
#define QUEUE_ENVELOPE_MAX ((size_t)256 << 20)
#define QUEUE_JOURNAL_MAX  ((size_t)256 << 20)

struct queue_dir {
	int fd;
	struct group_sync sync;
};

struct queue {
	int fd;
	bool sync;
	struct queue_dir dirs[QUEUE_DIRS];
	atomic_bool foreign_logged[QUEUE_PLACES];
	struct slots slots;
};

/* The directory of a message, or NULL when the id is none. */
struct queue_dir *queue_dir_of(struct queue *q, enum queue_place place, const char *id);

/* One of the directories of a place: index from 0; NULL behind the last. */
struct queue_dir *queue_dir_at(struct queue *q, enum queue_place place, size_t index);

/* The slot of a message in this place; 0 when it has a file of its own, or is not there. */
uint64_t queue_slot_of(struct queue *q, enum queue_place place, const char *id);

/* queue_message_open for a message that has a file of its own. */
enum queue_result queue_file_open(struct queue *q, enum queue_place place, const char *id,
    bool for_journal, struct queue_message *m, const char **why);

/* NO_SPACE or ERROR, with the system's text for the error. */
enum queue_result queue_system_error(int error, const char **why);

/* The same for a file that was looked up by name: GONE when it was not there. */
enum queue_result queue_lookup_error(int error, const char **why);

/* Waits for the directory to be on disk, unless syncs are off. 0 or errno. */
int queue_dir_sync(struct queue *q, struct queue_dir *dir);

/* Replays [journal_offset, file_size) into *m, whose status array is there. */
enum queue_result queue_journal_replay(
    struct queue_message *m, uint64_t file_size, const char **why);

#endif
