/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The values of Content- fields (RFC 2045 5.1): type, subtype, parameters. Comments and folding
 * may stand between all tokens. One pass; a parameter that is malformed ends the search,
 * because what stands behind it could be read in two ways.
 */
#include "mail/mime.h"

#include "base/cursor.h"
#include "mail/mime_value.h"

bool
mime_char_is_token(char c)
{
	static const char specials[] = "()<>@,;:\\\"/[]?=";

	return c > ' ' && c <= '~' && !memchr(specials, c, sizeof(specials) - 1);
}

/* Blanks and comments. */
static void
space_skip(struct cursor *c)
{
	size_t depth = 0;

	while (!cursor_at_end(c)) {
		char byte = *c->p;

		if (byte == '(')
			depth++;
		else if (byte == ')' && depth)
			depth--;
		else if (depth == 0 && !char_is_blank(byte))
			return;
		else if (byte == '\\' && cursor_left(c) > 1)
			cursor_take(c);
		cursor_take(c);
	}
}

struct view
mime_token_take(struct cursor *c)
{
	struct view token;

	space_skip(c);
	token = cursor_take_while(c, mime_char_is_token);
	space_skip(c);
	return token;
}

static bool
type_take(struct cursor *c, struct view *type, struct view *subtype)
{
	*type = mime_token_take(c);
	cursor_expect(c, '/');
	*subtype = mime_token_take(c);
	return !c->failed && type->n && subtype->n;
}

bool
mime_content_type(struct view value, struct view *type, struct view *subtype)
{
	struct cursor c = cursor_of(value);
	struct view t, s;

	if (!type_take(&c, &t, &s))
		return false;
	*type = t;
	*subtype = s;
	return true;
}

/* The quoted string at the cursor, without its quotes. */
static struct view
quoted_take(struct cursor *c)
{
	struct view rest;

	cursor_expect(c, '"');
	rest = cursor_rest(c);
	for (size_t i = 0; i < rest.n; i++) {
		if (rest.p[i] == '"') {
			cursor_take_n(c, i + 1);
			return view_sub(rest, 0, i);
		}
		if (rest.p[i] == '\\')
			i++;
	}
	cursor_fail(c);
	return VIEW_NONE;
}

/* A value without quotes that holds specials, as some mailers write boundaries. */
static bool
is_loose_value(char c)
{
	return c > ' ' && c <= '~' && c != ';' && c != '"' && c != '(';
}

static bool
parameter_take(struct cursor *c, struct view *name, struct view *value)
{
	cursor_expect(c, ';');
	*name = mime_token_take(c);
	if (cursor_at_end(c) || cursor_peek(c) == ';')
		return !c->failed; /* "text/plain;" and ";;" */
	cursor_expect(c, '=');
	space_skip(c);
	if (cursor_peek(c) == '"')
		*value = quoted_take(c);
	else
		*value = cursor_take_while(c, is_loose_value);
	space_skip(c);
	return !c->failed;
}

bool
mime_parameter(struct view value, struct view name, struct view *out)
{
	struct cursor c = cursor_of(value);
	struct view found = VIEW_NONE;
	struct view content;

	if (!type_take(&c, &found, &content))
		return false;
	while (!cursor_at_end(&c)) {
		content = VIEW_NONE;
		if (!parameter_take(&c, &found, &content))
			return false;
		if (content.n && view_eq_nocase(found, name)) {
			*out = content;
			return true;
		}
	}
	return false;
}
