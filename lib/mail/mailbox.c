/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One mailbox from its external form. The grammar is RFC 5321 4.1.2 with what real clients
 * send: dots anywhere in an unquoted local part, words and quoted strings mixed, no domain.
 * Everything else is refused, in the first place a second '@': whoever takes `v@x@here` apart
 * at the wrong one relays for strangers.
 */
#include "mail/mailbox.h"

#include "base/escape.h"

bool
char_is_atext(char c)
{
	switch (c) {
	case '!':
	case '#':
	case '$':
	case '%':
	case '&':
	case '\'':
	case '*':
	case '+':
	case '-':
	case '/':
	case '=':
	case '?':
	case '^':
	case '_':
	case '`':
	case '{':
	case '|':
	case '}':
	case '~':
		return true;
	default:
		return char_is_alnum(c) || (unsigned char)c > 127;
	}
}

bool
char_is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

static bool
is_local_byte(char c)
{
	return c == '.' || char_is_atext(c);
}

static bool
is_domain_byte(char c)
{
	return c != '>' && c != ' ' && c != '\t';
}

static bool
mailbox_append(struct mailbox *m, const char *p, size_t n)
{
	if (n > sizeof(m->text) - m->n)
		return false;
	memcpy(m->text + m->n, p, n);
	m->n += n;
	return true;
}

/* The opening quote is taken already. */
static const char *
quoted_string_take(struct cursor *c, struct mailbox *m)
{
	while (!cursor_at_end(c)) {
		char byte = cursor_take(c);

		if (byte == '"')
			return NULL;
		if (byte == '\\') {
			if (cursor_at_end(c))
				break;
			byte = cursor_take(c);
		}
		if (!mailbox_append(m, &byte, 1))
			return "address too long";
	}
	return "unterminated quoted string";
}

static const char *
local_part_take(struct cursor *c, struct mailbox *m)
{
	bool word_may_start = true;

	for (;;) {
		struct view run = cursor_take_while(c, is_local_byte);
		const char *why;

		if (run.n) {
			if (!word_may_start && run.p[0] != '.')
				return "text behind a quoted string";
			if (!mailbox_append(m, run.p, run.n))
				return "address too long";
			word_may_start = run.p[run.n - 1] == '.';
		}
		if (cursor_peek(c) != '"')
			return NULL;
		if (!word_may_start)
			return "misplaced quote";
		cursor_take(c);
		why = quoted_string_take(c, m);
		if (why)
			return why;
		word_may_start = false;
	}
}

const char *
mailbox_take(struct cursor *c, bool utf8, struct mailbox *m)
{
	const char *why;
	struct view domain;

	m->n = 0;
	m->has_domain = false;
	m->at = 0;
	why = local_part_take(c, m);
	if (why)
		return why;
	if (cursor_skip(c, '@')) {
		m->has_domain = true;
		m->at = m->n;
		domain = cursor_take_while(c, is_domain_byte);
		if (!mailbox_append(m, "@", 1) || !mailbox_append(m, domain.p, domain.n))
			return "address too long";
	}
	return mailbox_check((struct view){ m->text, m->n }, m->has_domain, m->at, utf8);
}

/* C0 and DEL, or C1 in UTF-8. */
static bool
has_control(struct view v)
{
	for (size_t i = 0; i < v.n; i++) {
		unsigned char byte = (unsigned char)v.p[i];

		if (char_is_control(v.p[i]))
			return true;
		if (byte == 0xc2 && i + 1 < v.n && (unsigned char)v.p[i + 1] < 0xa0)
			return true;
	}
	return false;
}

const char *
mailbox_check(struct view text, bool has_domain, size_t at, bool utf8)
{
	struct view local = view_sub(text, 0, has_domain ? at : text.n);
	struct view domain = view_sub(text, has_domain ? at + 1 : text.n, ADDRESS_MAX);

	if (text.n > ADDRESS_MAX)
		return "address too long";
	if (local.n == 0)
		return "empty local part";
	if (!utf8 && !ascii_is_all(text))
		return "non-ASCII address without SMTPUTF8";
	if (!utf8_is_valid(text))
		return "malformed UTF-8 in address";
	if (has_control(text))
		return "control character in address";
	if (!has_domain)
		return view_find(local, '@') < local.n ? "quoted @ without a domain" : NULL;
	if (view_find(domain, '@') < domain.n)
		return "address has more than one @";
	if (!domain_is_valid(domain, utf8))
		return "malformed domain";
	return NULL;
}
