/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages as files: CRLF of the queue becomes LF, and in mbox files lines that look like the
 * start of a message are quoted with '>'. Pure, in pieces of any size.
 */
#ifndef MAIL_MBOX_H
#define MAIL_MBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/view.h"

/* True for a line that starts with "From " and so must be quoted in an mbox file. */
bool mbox_is_from_line(struct view line);

/*
 * Appends "From sender  Fri Nov 20 19:24:07 2026" LF; the null sender is MAILER-DAEMON. sender
 * is in internal form.
 */
void mbox_from_line_print(struct buf *out, struct view sender, microseconds when);

struct mbox_encoder {
	bool quote_from; /* mbox; false: Maildir */
	int state;
	unsigned matched; /* bytes of "From " held back at the start of a line */
};

void mbox_encoder_init(struct mbox_encoder *e, bool quote_from);

/* Appends at most two bytes more than twice the input. */
void mbox_encoder_feed(struct mbox_encoder *e, struct view input, struct buf *out);

/* What was held back, and a line end for a last line that has none. */
void mbox_encoder_end(struct mbox_encoder *e, struct buf *out);

#endif
