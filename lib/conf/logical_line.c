/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes physical lines until the next one cannot belong to what was gathered: it begins neither
 * with a blank nor with #. A comment ends nothing: the line after it decides.
 */
#include "conf/logical_line.h"

void
logical_line_init(struct logical_line *l, struct view text)
{
	*l = (struct logical_line){ .rest = text };
}

static struct view
take_physical(struct logical_line *l)
{
	size_t n = view_find(l->rest, '\n');
	struct view line = view_sub(l->rest, 0, n);

	l->rest = view_sub(l->rest, n < l->rest.n ? n + 1 : n, l->rest.n);
	l->physical++;
	return line;
}

static bool
is_empty_or_comment(struct view line)
{
	struct view text = view_trim(line);

	return text.n == 0 || text.p[0] == '#';
}

enum logical_line_result
logical_line_next(struct logical_line *l, struct buf *out)
{
	bool found = false;

	buf_clear(out);
	while (l->rest.n > 0) {
		if (found && l->rest.p[0] != '#' && !char_is_blank(l->rest.p[0]))
			break;
		struct view line = take_physical(l);
		if (is_empty_or_comment(line))
			continue;
		if (!found)
			l->first = l->physical;
		found = true;
		l->last = l->physical;
		buf_append_view(out, line);
	}
	if (!found)
		return LOGICAL_LINE_END;
	if (out->overflow)
		return LOGICAL_LINE_LONG;
	if (view_find(buf_view(out), '\0') < out->len)
		return LOGICAL_LINE_NUL;
	if (char_is_blank(buf_str(out)[0]))
		return LOGICAL_LINE_BLANK_START;
	return LOGICAL_LINE_OK;
}
