/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The path of MAIL and RCPT. Source routes are read over, as RFC 5321 asks: what counts is the
 * mailbox behind them, and relay rules see only that. A path ends with its bracket; text right
 * behind it is refused, not guessed at.
 */
#include "mail/address.h"

#include "base/escape.h"
#include "mail/mailbox.h"

static bool
is_route_byte(char c)
{
	return c != ',' && c != ':' && c != '>' && c != ' ' && c != '\t';
}

/* One host of a route; the colons of a literal do not end it. */
static struct view
route_host_take(struct cursor *c)
{
	struct view rest = cursor_rest(c);

	if (cursor_peek(c) == '[') {
		size_t close = view_find(rest, ']');

		return cursor_take_n(c, close < rest.n ? close + 1 : rest.n);
	}
	return cursor_take_while(c, is_route_byte);
}

/* "@one,@two:" */
static const char *
route_skip(struct cursor *c, bool utf8)
{
	for (int count = 0; count < ADDRESS_ROUTE_MAX; count++) {
		if (!cursor_skip(c, '@') || !domain_is_valid(route_host_take(c), utf8))
			return "malformed source route";
		if (cursor_skip(c, ':'))
			return NULL;
		if (!cursor_skip(c, ','))
			return "malformed source route";
	}
	return "source route too long";
}

/* What stands between the brackets, or all up to the blank where there are none. */
static const char *
path_body(struct cursor *c, unsigned flags, bool bracket, struct mailbox *m, struct view *text)
{
	bool utf8 = flags & PATH_UTF8;
	bool blanks = bracket && !(flags & PATH_STRICT);
	bool is_null;
	const char *why = NULL;

	m->n = 0;
	if (blanks)
		cursor_skip_blanks(c);
	is_null = bracket && cursor_peek(c) == '>';
	if (bracket && cursor_peek(c) == '@')
		why = route_skip(c, utf8);
	*text = view_sub(cursor_rest(c), 0, 0);
	if (!why && !is_null) {
		why = mailbox_take(c, utf8, m);
		text->n = (size_t)(c->p - text->p);
	}
	if (why)
		return why;
	if (blanks)
		cursor_skip_blanks(c);
	if (bracket && !cursor_skip(c, '>'))
		return "unbalanced angle bracket or unexpected character in address";
	if (!cursor_at_end(c) && cursor_peek(c) != ' ' && cursor_peek(c) != '\t')
		return "unexpected character in address or text behind it";
	return NULL;
}

bool
path_parse(
    struct cursor *c, unsigned flags, struct arena *arena, struct path *out, const char **why)
{
	struct mailbox m;
	struct view text;
	bool bracket = cursor_skip(c, '<');

	*why = NULL;
	if (!bracket && (flags & PATH_STRICT))
		*why = "missing angle brackets";
	else if (cursor_at_end(c))
		*why = "missing address";
	else
		*why = path_body(c, flags, bracket, &m, &text);
	if (*why)
		return false;
	out->text = text;
	out->address = arena_view(arena, (struct view){ m.text, m.n });
	out->is_utf8 = !ascii_is_all(out->address);
	return true;
}
