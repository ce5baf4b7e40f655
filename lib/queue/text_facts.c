/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One pass over the text, line by line with memchr, and a word at a time for bytes above 127:
 * this runs over every byte that is received. A line ends at LF, whether or not a CR stands
 * before it: the flags decide if an agent must stuff dots, so a doubtful line start counts as
 * one.
 */
#include "queue/text_facts.h"

#include <stdint.h>
#include <string.h>

#define HIGH_BITS UINT64_C(0x8080808080808080)

static bool
has_high_bit(const char *p, size_t n)
{
	uint64_t seen = 0, word;
	unsigned char rest = 0;

	for (; n >= sizeof(word); p += sizeof(word), n -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		seen |= word;
	}
	for (; n; p++, n--)
		rest |= (unsigned char)*p;
	return (seen & HIGH_BITS) || (rest & 0x80);
}

/* Bytes of one line, none of them a line feed; n > 0. */
static void
add_part(struct text_facts *f, const char *p, size_t n)
{
	if (!f->mid_line && p[0] == '.')
		f->has_dot_line = true;
	if (f->after_cr)
		f->line_length++; /* it was no line end after all */
	f->after_cr = p[n - 1] == '\r';
	f->line_length += f->after_cr ? n - 1 : n;
	f->mid_line = true;
	if (f->line_length > TEXT_LINE_MAX)
		f->has_long_line = true;
}

static void
end_line(struct text_facts *f)
{
	f->ends_in_crlf = f->after_cr;
	f->mid_line = false;
	f->after_cr = false;
	f->line_length = 0;
}

void
text_facts_add(struct text_facts *f, struct view text)
{
	const char *p = text.p, *end = text.p + text.n;

	if (text.n == 0)
		return;
	if (!f->has_8bit)
		f->has_8bit = has_high_bit(text.p, text.n);
	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		const char *stop = lf ? lf : end;

		if (stop > p)
			add_part(f, p, (size_t)(stop - p));
		if (!lf)
			break;
		end_line(f);
		p = lf + 1;
	}
	if (f->mid_line)
		f->ends_in_crlf = false;
}
