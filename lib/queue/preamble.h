/* SPDX-License-Identifier: Apache-2.0 */
/* The fixed first part of a queue file, to and from its bytes. Pure. */
#ifndef QUEUE_PREAMBLE_H
#define QUEUE_PREAMBLE_H

#include <stdint.h>

#include "base/clock.h"
#include "base/view.h"
#include "queue/queue_file.h"

/*
 * The parts follow one another without a gap, so the lengths say where each begins. They are
 * kept below 2^60 by the decoder: sums of all of them do not wrap.
 */
struct preamble {
	uint32_t flags;
	microseconds arrival;
	uint64_t body_length;
	uint64_t header_length;
	uint64_t envelope_length;
	uint32_t body_crc;
	uint32_t header_crc;
	uint32_t envelope_crc;
	uint32_t recipient_count;
	uint64_t size;
	char id[QUEUE_ID_SIZE];
	uint32_t own_crc; /* set by both directions */
};

/* What the first bytes of a file say. */
enum preamble_state {
	PREAMBLE_VALID,
	PREAMBLE_ABSENT, /* nothing but zeros: never written */
	PREAMBLE_WRONG   /* not ours, of another version, cut or damaged */
};

void preamble_encode(struct preamble *p, unsigned char out[QUEUE_PREAMBLE_SIZE]);

/* bytes: the first QUEUE_PREAMBLE_SIZE of the file, or all there are. *why for PREAMBLE_WRONG.
 */
enum preamble_state preamble_decode(struct view bytes, struct preamble *out, const char **why);

#endif
