/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Header fields. The splitter never copies and looks at each byte once. The builder is the one
 * way by which text from outside gets into a header of ours: it leaves no line end in a value
 * but those it makes itself, each before a blank.
 */
#include "mail/header.h"

#define FOLD_COLUMN 78

bool
header_line_is_field(struct view line, struct view *name)
{
	size_t n = 0;
	size_t colon;

	while (n < line.n && line.p[n] > ' ' && line.p[n] <= '~' && line.p[n] != ':')
		n++;
	colon = n;
	while (colon < line.n && (line.p[colon] == ' ' || line.p[colon] == '\t'))
		colon++;
	if (n == 0 || colon == line.n || line.p[colon] != ':')
		return false;
	*name = view_sub(line, 0, n);
	return true;
}

/* The length of the first line, its end included. */
static size_t
line_length(struct view block)
{
	size_t n = view_find(block, '\n');

	return n < block.n ? n + 1 : n;
}

static bool
is_continuation(struct view block)
{
	return block.n && (block.p[0] == ' ' || block.p[0] == '\t');
}

bool
header_next(struct view *block, struct header_field *out)
{
	size_t n = line_length(*block);
	struct view name;

	if (!header_line_is_field(view_sub(*block, 0, n), &name))
		return false;
	while (is_continuation(view_sub(*block, n, 1)))
		n += line_length(view_sub(*block, n, block->n));
	out->raw = view_sub(*block, 0, n);
	out->name = name;
	out->value = view_sub(out->raw, name.n, n);
	out->value = view_trim(view_sub(out->value, view_find(out->value, ':') + 1, n));
	*block = view_sub(*block, n, block->n);
	return true;
}

bool
header_is(const struct header_field *f, struct view name)
{
	return view_eq_nocase(f->name, name);
}

static bool
is_line_breaker(char c)
{
	return c == '\r' || c == '\n' || c == '\0';
}

void
header_unfold(struct buf *out, struct view value)
{
	size_t run = 0;

	for (size_t i = 0; i < value.n; i++) {
		size_t end = i;

		if (!is_line_breaker(value.p[i]))
			continue;
		if (value.p[i] == '\r' && i + 1 < value.n && value.p[i + 1] == '\n')
			i++;
		buf_append_view(out, view_sub(value, run, end - run));
		if (value.p[i] != '\n')
			buf_append_char(out, ' ');
		run = i + 1;
	}
	buf_append_view(out, view_sub(value, run, value.n));
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || is_line_breaker(c);
}

/* The bytes with what could end a line made a blank. */
static void
append_masked(struct buf *out, struct view v)
{
	for (size_t i = 0; i < v.n; i++)
		buf_append_char(out, is_line_breaker(v.p[i]) ? ' ' : v.p[i]);
}

/* Blanks and the word behind them, from byte `from`. */
static void
next_piece(struct view value, size_t from, struct view *blanks, struct view *word)
{
	size_t i = from;
	size_t start;

	while (i < value.n && is_space(value.p[i]))
		i++;
	start = i;
	while (i < value.n && !is_space(value.p[i]))
		i++;
	*blanks = view_sub(value, from, start - from);
	*word = view_sub(value, start, i - start);
}

void
header_build(struct buf *out, const char *name, struct view value)
{
	size_t column = strlen(name) + 1;
	bool first = true;
	size_t at = 0;

	buf_append_str(out, name);
	buf_append_char(out, ':');
	for (;;) {
		struct view blanks, word;

		next_piece(value, at, &blanks, &word);
		if (word.n == 0)
			break;
		at += blanks.n + word.n;
		if (first)
			blanks = VIEW(" ");
		if (!first && column + blanks.n + word.n > FOLD_COLUMN) {
			buf_append_str(out, "\r\n");
			column = 0;
		}
		append_masked(out, blanks);
		buf_append_view(out, word);
		column += blanks.n + word.n;
		first = false;
	}
	buf_append_str(out, "\r\n");
}
