/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replies. The text may be an administrator's, a policy service's, a milter's, or quote a
 * client: so the printer alone decides what reaches the wire, and every reply that comes out
 * of it is well-formed whatever went in.
 */
#include "smtp/reply.h"

#include <stdio.h>

#include "base/escape.h"
#include "mail/dsn.h"

/* Three digits and a blank or the end: 200 to 599, the second digit up to 5. */
static bool
code_take(struct view *text, int *code)
{
	const char *p = text->p;

	if (text->n < 3 || p[0] < '2' || p[0] > '5' || p[1] < '0' || p[1] > '5' ||
	    !char_is_digit(p[2]) || (text->n > 3 && !char_is_blank(p[3])))
		return false;
	*code = (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
	*text = view_trim(view_sub(*text, 3, text->n));
	return true;
}

void
smtp_reply_parse(
    struct view text, int default_code, const char *default_status, struct smtp_reply *out)
{
	struct view status = view_of(default_status);

	out->code = default_code;
	out->status[0] = '\0';
	out->text = view_trim(text);
	code_take(&out->text, &out->code);
	dsn_split(out->text, &status, &out->text);
	if (dsn_is_valid(status) && out->code / 100 != 3)
		dsn_with_class(status, (char)('0' + out->code / 100), out->status);
}

/* One character of n bytes, 0 when it is malformed. */
static bool
is_printable(struct view text, size_t n, unsigned code_point)
{
	if (n == 1)
		return text.p[0] == '\t' || (text.p[0] >= ' ' && text.p[0] != 0x7f);
	return n > 1 && code_point >= 0xa0;
}

static void
line_print(struct buf *out, struct view line, size_t room)
{
	while (line.n) {
		unsigned code_point = 0;
		size_t n = utf8_next(line, &code_point);
		bool ok = is_printable(line, n, code_point);

		if ((ok ? n : 1) > room)
			return;
		if (ok)
			buf_append(out, line.p, n);
		else
			buf_append_char(out, '?');
		room -= ok ? n : 1;
		line = view_sub(line, n ? n : 1, line.n);
	}
}

void
smtp_reply_print(struct buf *out, const struct smtp_reply *r, bool with_status)
{
	struct view rest = r->text;

	for (int count = 1;; count++) {
		size_t lf = view_find(rest, '\n');
		bool last = lf == rest.n || count == SMTP_REPLY_LINES_MAX;
		struct view line = view_sub(rest, 0, lf);
		size_t start = out->len;

		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		buf_printf(out, "%03d%c", r->code, last ? ' ' : '-');
		if (with_status && r->status[0])
			buf_printf(out, "%s ", r->status);
		line_print(out, line, SMTP_REPLY_LINE_MAX - 2 - (out->len - start));
		while (out->len > start + 4 && out->data[out->len - 1] == ' ')
			buf_truncate(out, out->len - 1);
		buf_append_str(out, "\r\n");
		if (last)
			return;
		rest = view_sub(rest, lf + 1, rest.n);
	}
}
