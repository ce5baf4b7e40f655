/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Going through the messages of the queue, a few at a time: from the index where there is one
 * that can be believed, from the files otherwise. What is found by the index has a file, at the
 * time it is looked at. Deferred mail comes in the order of arrival from the index, all else in
 * the order of the directories. Blocks on the disk.
 */
#ifndef QUEUE_WALK_H
#define QUEUE_WALK_H

#include "queue/filter.h"
#include "queue/index.h"

struct queue_walk;

#define WALK_BATCH 64 /* that one read yields at most */

enum walk_places {
	WALK_INCOMING = 1, /* slots, too */
	WALK_DEFERRED = 2,
	WALK_HOLD = 4,
	WALK_ALL = WALK_INCOMING | WALK_DEFERRED | WALK_HOLD
};

/* One message. entry->place may be QUEUE_INCOMING here. */
struct queue_found {
	const struct index_entry *entry;
	const struct queue_message
	    *message; /* when the entry is partial; otherwise may be NULL */
};

/* index (NULL: read files) and filter (NULL: all) stay the caller's, and are kept. */
struct queue_walk *queue_walk_new(struct queue *q, struct queue_index *index, unsigned places,
    const struct queue_filter *filter);
void queue_walk_free(struct queue_walk **w);

/* For counting: the index is believed, and no file is looked for. */
void queue_walk_believe(struct queue_walk *w);

/*
 * Reads the next few; *count 0 at the end. False: something could not be read; what can be read
 * behind it follows with the next call.
 */
bool queue_walk_read(struct queue_walk *w, size_t *count, const char **why);

/* One of those; valid until the next read. */
struct queue_found queue_walk_at(const struct queue_walk *w, size_t i);

/* Steps through the recipients still to be delivered, from *state = {0}. */
struct queue_found_recipient {
	uint32_t index;
	size_t position;
	struct index_recipient r;
};
bool queue_found_recipient(const struct queue_found *f, struct queue_found_recipient *state);

#endif
