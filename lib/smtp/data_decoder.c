/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the wire to the stored form. Clean text passes in one run over many lines: a line costs
 * two memchr and nothing is copied before something has to change (a stuffed dot, a bare LF, a
 * stray CR) or the input ends. The state between two inputs is one of five places around a line
 * end, so a message may be cut anywhere.
 */
#include "smtp/data_decoder.h"

#include "smtp/line_scan.h"

enum {
	LINE_START, /* behind CRLF: a dot means something here, and only here */
	DOT,        /* behind CRLF "." */
	DOT_CR,     /* behind CRLF "." CR */
	TEXT,
	TEXT_CR, /* behind a CR in text, not yet written */
};

void
data_decoder_init(struct data_decoder *d)
{
	*d = (struct data_decoder){ .state = LINE_START };
}

static void
note_nul(unsigned *notes, const char *p, const char *end)
{
	if (!(*notes & DATA_NUL) && memchr(p, '\0', (size_t)(end - p)))
		*notes |= DATA_NUL;
}

static void
text_feed(struct data_decoder *d, struct line_scan *s)
{
	switch (line_scan_text(s)) {
	case LINE_NO_END:
		break;
	case LINE_LF:
		d->notes |= DATA_BARE_LF;
		break;
	case LINE_CRLF:
		d->state = LINE_START;
		break;
	case LINE_CR:
		d->state = TEXT_CR;
		break;
	}
}

/* A CR was held back. */
static void
cr_feed(struct data_decoder *d, struct line_scan *s)
{
	if (line_scan_cr(s)) {
		d->state = LINE_START;
	} else {
		d->notes |= DATA_BARE_CR;
		d->state = TEXT;
	}
}

/* One step of the states around a dot. What is taken here is never written. */
static void
dot_feed(struct data_decoder *d, struct line_scan *s)
{
	char c = *s->p;

	if (d->state == LINE_START && c == '.') {
		d->state = DOT;
	} else if (d->state == DOT && c == '\r') {
		d->state = DOT_CR;
	} else if (d->state == DOT_CR && c == '\n') {
		d->done = true;
	} else {
		d->state = d->state == DOT_CR ? TEXT_CR : TEXT;
		return;
	}
	line_scan_replace(s, 1, VIEW(""));
}

size_t
data_decoder_feed(struct data_decoder *d, struct view input, struct buf *out)
{
	struct line_scan s;

	if (input.n == 0 || d->done)
		return 0;
	line_scan_init(&s, input, out);
	while (s.p < s.end && !d->done) {
		if (d->state == TEXT)
			text_feed(d, &s);
		else if (d->state == TEXT_CR)
			cr_feed(d, &s);
		else
			dot_feed(d, &s);
	}
	line_scan_flush(&s);
	note_nul(&d->notes, input.p, s.p);
	return (size_t)(s.p - input.p);
}

void
line_normalizer_init(struct line_normalizer *n)
{
	*n = (struct line_normalizer){ 0 };
}

void
line_normalizer_feed(struct line_normalizer *n, struct view input, struct buf *out)
{
	struct line_scan s;

	if (input.n == 0)
		return;
	line_scan_init(&s, input, out);
	note_nul(&n->notes, s.p, s.end);
	while (s.p < s.end) {
		enum line_end end;

		if (n->after_cr) {
			n->after_cr = false;
			if (!line_scan_cr(&s))
				n->notes |= DATA_BARE_CR;
			continue;
		}
		end = line_scan_text(&s);
		if (end == LINE_LF)
			n->notes |= DATA_BARE_LF;
		n->after_cr = end == LINE_CR;
	}
	line_scan_flush(&s);
}

void
line_normalizer_end(struct line_normalizer *n, struct buf *out)
{
	if (!n->after_cr)
		return;
	n->after_cr = false;
	n->notes |= DATA_BARE_CR;
	buf_append_char(out, ' ');
}
