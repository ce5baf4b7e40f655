/* SPDX-License-Identifier: Apache-2.0 */
/* The content of one message: taken in by content.c, handed to cleanup by handover.c. */
#ifndef SMTPD_CONTENT_H
#define SMTPD_CONTENT_H

#include "smtpd/smtpd.h"

struct content {
	struct data_decoder decoder;
	struct line_normalizer normalizer;
	struct buf out;      /* decoded, not yet sent */
	struct ipc *cleanup; /* NULL until something was sent */
	bool is_bdat;
	bool failed;      /* cleanup is gone: the rest is read and forgotten */
	bool answer_lost; /* cleanup had all of it and did not answer */
	bool too_big;
	uint64_t size;     /* decoded */
	uint64_t received; /* from the client */
	nanoseconds started;
};

/* Passes on what was collected; from then on the message is not whole in here any more. */
void handover_collected(struct session *s, struct content *c);

/* A conversation that has begun is ended by abort, so that the connection can serve again. */
void handover_abort(struct content *c);

#endif
