/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the index holds of one message: enough for a line of mailq, for the filters of the queue
 * tools and for a summary, without opening the file. A message with many recipients, or long
 * reasons, is there in part: the rest is in its file.
 *
 * The encoded form ends with a CRC-32C, because the index is not synced.
 */
#ifndef QUEUE_INDEX_ENTRY_H
#define QUEUE_INDEX_ENTRY_H

#include "base/buf.h"
#include "queue/queue_file.h"

#define INDEX_RECIPIENTS_MAX 32 /* in one entry */
#define INDEX_DOMAINS_MAX    64
#define INDEX_VALUE_MAX      8192

/* A recipient that is still to be delivered. */
struct index_recipient {
	struct view address;
	struct view original; /* empty: the same */
	struct view reason;   /* why it is still here; empty: not tried yet */
};

struct index_entry {
	char id[QUEUE_ID_SIZE];
	enum queue_place place; /* QUEUE_DEFERRED or QUEUE_HOLD */
	microseconds due, arrival;
	uint64_t length; /* of the file, when this was entered */
	uint64_t size;
	uint32_t pending; /* recipients still to be delivered, all of them */
	uint32_t attempts;
	bool forced_expire;
	bool partial;      /* not all recipients or not all of their reasons are here */
	bool more_domains; /* nor all of their domains */
	struct view sender;
	size_t count;
	struct index_recipient recipients[INDEX_RECIPIENTS_MAX];
	size_t domain_count; /* of pending recipients, lower case, each once, sorted */
	struct view domains[INDEX_DOMAINS_MAX];
};

/*
 * Encodes what a message is: opened, its journal replayed. due is its file's time. Does no I/O.
 */
void index_entry_encode(
    const struct queue_message *m, enum queue_place place, microseconds due, struct buf *out);

/* False: damaged. The views point into value; out->id is the caller's. */
bool index_entry_decode(struct view value, struct index_entry *out);

/* Changes the due time, or the place, in an encoded entry. */
bool index_entry_set_due(struct buf *value, microseconds due);

/* The fields that every entry begins with; false: too short to have them. */
struct index_head {
	enum queue_place place;
	microseconds due;
	uint64_t length;
};
bool index_entry_peek(struct view value, struct index_head *out);

#endif
