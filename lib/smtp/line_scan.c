/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop under the DATA codecs. A clean line costs one memchr for CR and one for LF; the
 * places found are kept, so that text full of one of the two is not searched again and again
 * for the other.
 */
#include "smtp/line_scan.h"

static const char *
find(const char *p, const char *end, char c)
{
	const char *at = memchr(p, c, (size_t)(end - p));

	return at ? at : end;
}

void
line_scan_init(struct line_scan *s, struct view input, struct buf *out)
{
	s->p = s->run = input.p;
	s->end = input.p + input.n;
	s->cr = find(s->p, s->end, '\r');
	s->lf = find(s->p, s->end, '\n');
	s->out = out;
}

void
line_scan_flush(struct line_scan *s)
{
	buf_append(s->out, s->run, (size_t)(s->p - s->run));
	s->run = s->p;
}

void
line_scan_replace(struct line_scan *s, size_t n, struct view text)
{
	line_scan_flush(s);
	buf_append_view(s->out, text);
	s->p += n;
	s->run = s->p;
}

enum line_end
line_scan_text(struct line_scan *s)
{
	if (s->cr < s->p)
		s->cr = find(s->p, s->end, '\r');
	if (s->lf < s->p)
		s->lf = find(s->p, s->end, '\n');
	s->p = s->cr < s->lf ? s->cr : s->lf;
	if (s->p == s->end)
		return LINE_NO_END;
	if (*s->p == '\n') {
		line_scan_replace(s, 1, VIEW("\r\n"));
		return LINE_LF;
	}
	if (s->p + 1 == s->lf && s->lf < s->end) {
		s->p += 2;
		return LINE_CRLF;
	}
	line_scan_replace(s, 1, VIEW(""));
	return LINE_CR;
}

bool
line_scan_cr(struct line_scan *s)
{
	bool is_crlf = *s->p == '\n';

	if (is_crlf)
		line_scan_replace(s, 1, VIEW("\r\n"));
	else
		line_scan_replace(s, 0, VIEW(" "));
	return is_crlf;
}
