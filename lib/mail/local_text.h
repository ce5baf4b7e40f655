/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message as local programs write it, on its way to the form of the queue: lines end in LF,
 * become CRLF; a CR that does not belong to a line end becomes a blank, so that nothing that
 * leaves this system has a bare CR or LF. NUL stays. Pure, in pieces of any size.
 */
#ifndef MAIL_LOCAL_TEXT_H
#define MAIL_LOCAL_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/view.h"

/* sendmail_fix_line_endings: whether CR before LF belongs to the line end. */
enum local_text_cr {
	LOCAL_TEXT_CR_ALWAYS,
	LOCAL_TEXT_CR_STRICT, /* when it does in the first line */
	LOCAL_TEXT_CR_NEVER,
};

struct local_text {
	enum local_text_cr cr_rule;
	bool dot_ends; /* a line of one dot ends the message; false with sendmail -i */
	bool done;     /* that line was met: what follows is not read */
	int state;
	bool after_cr;
	bool cr_decided;
	size_t quotes;    /* '>' held back at the front of the message */
	unsigned matched; /* bytes of "From " held back behind them */
};

void local_text_init(struct local_text *t, enum local_text_cr cr_rule, bool dot_ends);

/*
 * Appends what input amounts to: at most twice its length, and what was held back before. A
 * mailbox separator ("From ...", with or without '>') in the first line is dropped.
 */
void local_text_feed(struct local_text *t, struct view input, struct buf *out);

/* What was held back. A last line without an end stays without one. */
void local_text_end(struct local_text *t, struct buf *out);

#endif
