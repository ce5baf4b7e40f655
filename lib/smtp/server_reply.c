/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server may be broken or an enemy: the code alone decides, it must stand where it belongs,
 * and text is only ever shown.
 */
#include "smtp/server_reply.h"

#include "base/escape.h"

#define CODE_LENGTH 3

void
server_reply_init(struct server_reply *r)
{
	*r = (struct server_reply){ 0 };
	buf_init(&r->lines_text, SERVER_REPLY_TEXT_MAX);
}

void
server_reply_clear(struct server_reply *r)
{
	buf_clear(&r->lines_text);
	r->code = 0;
	r->lines = 0;
}

void
server_reply_done(struct server_reply *r)
{
	buf_done(&r->lines_text);
}

static bool
code_parse(struct view line, int *code, bool *more)
{
	const char *p = line.p;

	if (line.n < CODE_LENGTH || p[0] < '2' || p[0] > '5' || !char_is_digit(p[1]) ||
	    !char_is_digit(p[2]))
		return false;
	if (line.n > CODE_LENGTH && p[3] != ' ' && p[3] != '-')
		return false;
	*code = (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
	*more = line.n > CODE_LENGTH && p[3] == '-';
	return true;
}

enum server_reply_result
server_reply_feed(struct server_reply *r, struct view line)
{
	int code;
	bool more;

	if (r->lines == SERVER_REPLY_LINES_MAX || line.n > SERVER_REPLY_LINE_MAX ||
	    !code_parse(line, &code, &more) || (r->lines > 0 && code != r->code))
		return SERVER_REPLY_MALFORMED;
	r->code = code;
	if (r->lines_text.len + 1 + line.n <= r->lines_text.max) {
		if (r->lines++ > 0)
			buf_append_char(&r->lines_text, '\n');
		buf_append_view(&r->lines_text, line);
	} else {
		r->lines++;
	}
	return more ? SERVER_REPLY_MORE : SERVER_REPLY_DONE;
}

int
server_reply_class(const struct server_reply *r)
{
	return r->code / 100;
}

void
server_reply_dsn(const struct server_reply *r, char out[DSN_SIZE])
{
	struct view all = buf_view(&r->lines_text), code = VIEW_NONE, rest;
	size_t lf = view_find_last(all, '\n');
	struct view last = lf == all.n ? all : view_sub(all, lf + 1, all.n);
	char class_digit = (char)('0' + server_reply_class(r));

	dsn_split(view_sub(last, CODE_LENGTH + 1, last.n), &code, &rest);
	if (code.n == 0 || code.p[0] != class_digit)
		code = VIEW("2.0.0");
	dsn_with_class(code, class_digit, out);
}

bool
server_reply_next(struct view *rest, struct view *text)
{
	size_t lf;

	if (rest->n == 0)
		return false;
	lf = view_find(*rest, '\n');
	*text = view_sub(view_sub(*rest, 0, lf), CODE_LENGTH + 1, lf);
	*rest = view_sub(*rest, lf + 1, rest->n);
	return true;
}

void
server_reply_print(const struct server_reply *r, struct buf *out)
{
	struct view rest = buf_view(&r->lines_text);
	size_t start = out->len;

	while (rest.n > 0 && out->len - start < SERVER_REPLY_SHOWN_MAX) {
		size_t lf = view_find(rest, '\n');

		if (out->len > start)
			buf_append_char(out, ' ');
		escape_printable(out, view_trim(view_sub(rest, 0, lf)),
		    SERVER_REPLY_SHOWN_MAX - (out->len - start));
		rest = view_sub(rest, lf + 1, rest.n);
	}
}
