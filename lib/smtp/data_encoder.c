/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the stored form to the wire. Stored text is clean already; the checks for stray CR and
 * LF are here all the same, because this is the last place where two messages can become one.
 */
#include "smtp/data_encoder.h"

#include "smtp/line_scan.h"

enum { LINE_START, TEXT, TEXT_CR };

void
data_encoder_init(struct data_encoder *e)
{
	e->state = LINE_START;
}

void
data_encoder_feed(struct data_encoder *e, struct view input, struct buf *out)
{
	struct line_scan s;

	if (input.n == 0)
		return;
	line_scan_init(&s, input, out);
	while (s.p < s.end) {
		enum line_end end;

		if (e->state == TEXT_CR) {
			e->state = line_scan_cr(&s) ? LINE_START : TEXT;
			continue;
		}
		if (e->state == LINE_START && *s.p == '.')
			line_scan_replace(&s, 0, VIEW("."));
		end = line_scan_text(&s);
		e->state = end == LINE_NO_END ? TEXT : end == LINE_CR ? TEXT_CR : LINE_START;
	}
	line_scan_flush(&s);
}

void
data_encoder_end(struct data_encoder *e, struct buf *out)
{
	if (e->state == TEXT_CR)
		buf_append_char(out, ' ');
	if (e->state != LINE_START)
		buf_append_str(out, "\r\n");
	buf_append_str(out, ".\r\n");
	e->state = LINE_START;
}
