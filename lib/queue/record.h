/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The envelope's records, to and from their bytes: u8 type, u32 length, payload; texts inside a
 * payload are a u32 length and their bytes. Pure.
 */
#ifndef QUEUE_RECORD_H
#define QUEUE_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cursor.h"
#include "base/view.h"
#include "queue/queue_file.h"

enum record_type {
	RECORD_SENDER = 'S',    /* the bare address */
	RECORD_ATTRIBUTE = 'A', /* name, value */
	RECORD_RECIPIENT = 'R', /* u32 notify, address, original, orcpt */
};

struct record {
	uint8_t type;
	struct view payload;
};

/* What does not fit sets out->overflow; the caller checks once. */
void record_append_sender(struct buf *out, struct view address);
void record_append_attribute(struct buf *out, struct view name, struct view value);
void record_append_recipient(struct buf *out, const struct queue_recipient *r);

/* The next record; false at the end, or with c->failed when what is left is none. */
bool record_next(struct cursor *c, struct record *out);

/* False when the payload is not exactly what its type demands. */
bool record_parse_attribute(struct view payload, struct view *name, struct view *value);
bool record_parse_recipient(struct view payload, struct queue_recipient *out);

/*
 * Whether these are the records of one envelope, to the last byte: one sender, known types,
 * well formed, that many recipients. *sender points into the envelope.
 */
bool record_check_envelope(struct view envelope, uint32_t recipient_count, struct view *sender);

#endif
