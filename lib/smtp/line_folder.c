/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line is copied in runs of what still fits. A character of several bytes that would be cut
 * begins the next line, if all of it is at hand.
 */
#include "smtp/line_folder.h"

void
line_folder_init(struct line_folder *f, size_t limit)
{
	*f = (struct line_folder){ .limit = limit < 2 ? 2 : limit };
}

/* Without the first bytes of a character that goes on behind n. */
static size_t
before_character(struct view text, size_t n)
{
	size_t back = 0;

	while (back < 3 && back < n && ((unsigned char)text.p[n - back] & 0xc0) == 0x80)
		back++;
	return n > back && back > 0 ? n - back : n;
}

/* Text without LF. CR counts for nothing: it is part of the line's end. */
static void
text_fold(struct line_folder *f, struct view text, struct buf *out)
{
	while (text.n > 0) {
		/* A CR that ends no line has gone one too far. */
		size_t room = f->column < f->limit ? f->limit - f->column : 0;
		bool ends = f->column <= f->limit && text.n == room + 1 && text.p[room] == '\r';
		size_t n = text.n <= room || ends ? text.n : before_character(text, room);

		buf_append(out, text.p, n);
		f->column += n;
		text = view_sub(text, n, text.n);
		if (text.n > 0) {
			buf_append_str(out, "\r\n ");
			f->column = 1;
		}
	}
}

void
line_folder_feed(struct line_folder *f, struct view input, struct buf *out)
{
	while (input.n > 0) {
		size_t lf = view_find(input, '\n');

		text_fold(f, view_sub(input, 0, lf), out);
		if (lf == input.n)
			return;
		buf_append_char(out, '\n');
		f->column = 0;
		input = view_sub(input, lf + 1, input.n);
	}
}
