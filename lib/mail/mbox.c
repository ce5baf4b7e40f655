/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From CRLF to LF, and "From " to ">From ", in pieces cut anywhere. Two things wait for the
 * next piece: a CR, and the part of "From " seen so far at the start of a line. All else is
 * copied in runs, a line at a time.
 */
#include "mail/mbox.h"

#include "mail/address.h"
#include "mail/date.h"

enum { AT_START, IN_LINE, AFTER_CR };

static const struct view from = VIEW("From ");

bool
mbox_is_from_line(struct view line)
{
	return view_has_prefix(line, from);
}

void
mbox_from_line_print(struct buf *out, struct view sender, microseconds when)
{
	char date[DATE_SIZE];

	date_print_asctime(when, date);
	buf_append_str(out, "From ");
	if (sender.n)
		address_quote(out, sender);
	else
		buf_append_str(out, "MAILER-DAEMON");
	buf_append_str(out, "  ");
	buf_append_str(out, date);
	buf_append_char(out, '\n');
}

void
mbox_encoder_init(struct mbox_encoder *e, bool quote_from)
{
	*e = (struct mbox_encoder){ .quote_from = quote_from, .state = AT_START };
}

/* At the start of a line: holds "From " back until it is complete or is something else. */
static size_t
start_feed(struct mbox_encoder *e, struct view input, struct buf *out)
{
	size_t i = 0;

	if (e->quote_from) {
		while (i < input.n && e->matched < from.n && input.p[i] == from.p[e->matched]) {
			e->matched++;
			i++;
		}
		if (e->matched < from.n && i == input.n)
			return i;
		if (e->matched == from.n)
			buf_append_char(out, '>');
		buf_append(out, from.p, e->matched);
		e->matched = 0;
	}
	e->state = IN_LINE;
	return i;
}

/* In a line: copies to its end, or to a CR whose meaning the next byte tells. */
static size_t
line_feed(struct mbox_encoder *e, struct view input, struct buf *out)
{
	size_t lf = view_find(input, '\n');
	size_t end = lf;

	if (lf < input.n) {
		e->state = AT_START;
		if (lf > 0 && input.p[lf - 1] == '\r')
			end--;
		buf_append(out, input.p, end);
		buf_append_char(out, '\n');
		return lf + 1;
	}
	if (input.n && input.p[input.n - 1] == '\r') {
		e->state = AFTER_CR;
		end--;
	}
	buf_append(out, input.p, end);
	return input.n;
}

void
mbox_encoder_feed(struct mbox_encoder *e, struct view input, struct buf *out)
{
	while (input.n) {
		size_t taken = 0;

		if (e->state == AFTER_CR) {
			if (input.p[0] != '\n')
				buf_append_char(out, '\r');
			e->state = IN_LINE;
		}
		if (e->state == AT_START)
			taken = start_feed(e, input, out);
		else
			taken = line_feed(e, input, out);
		input = view_sub(input, taken, input.n);
	}
}

void
mbox_encoder_end(struct mbox_encoder *e, struct buf *out)
{
	bool in_line = e->state != AT_START || e->matched;

	buf_append(out, from.p, e->matched);
	if (e->state == AFTER_CR)
		buf_append_char(out, '\r');
	if (in_line)
		buf_append_char(out, '\n');
	mbox_encoder_init(e, e->quote_from);
}
