/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses in internal form: taking them apart, printing and comparing them. The printer is
 * the inverse of the parser for every address that a parser hands out, and is harmless for any
 * other bytes: no line end, no bracket, no second address comes out of it.
 */
#include "mail/address.h"

#include "mail/mailbox.h"

void
address_split(struct view address, struct view *local, struct view *domain)
{
	size_t at = view_find_last(address, '@');

	*local = view_sub(address, 0, at);
	*domain = view_sub(address, at < address.n ? at + 1 : at, address.n);
}

/* Dot-string of RFC 5321 4.1.2. */
static bool
is_dot_string(struct view local)
{
	char before = '.';

	for (size_t i = 0; i < local.n; i++) {
		char c = local.p[i];

		if (c == '.' ? before == '.' : !char_is_atext(c))
			return false;
		before = c;
	}
	return before != '.';
}

static void
quoted_string_print(struct buf *out, struct view local)
{
	buf_append_char(out, '"');
	for (size_t i = 0; i < local.n; i++) {
		char c = char_is_control(local.p[i]) ? '?' : local.p[i];

		if (c == '"' || c == '\\')
			buf_append_char(out, '\\');
		buf_append_char(out, c);
	}
	buf_append_char(out, '"');
}

static void
domain_print(struct buf *out, struct view domain)
{
	for (size_t i = 0; i < domain.n; i++) {
		char c = domain.p[i];
		bool mask = char_is_control(c) || c == ' ' || c == '<' || c == '>';

		buf_append_char(out, mask ? '?' : c);
	}
}

void
address_quote(struct buf *out, struct view address)
{
	struct view local, domain;

	if (address.n == 0)
		return;
	address_split(address, &local, &domain);
	if (is_dot_string(local))
		buf_append_view(out, local);
	else
		quoted_string_print(out, local);
	if (local.n < address.n) {
		buf_append_char(out, '@');
		domain_print(out, domain);
	}
}

bool
address_unquote(struct buf *out, struct view external)
{
	struct cursor c = cursor_of(external);
	struct mailbox m;

	if (external.n == 0)
		return true;
	if (mailbox_take(&c, true, &m) || !cursor_at_end(&c))
		return false;
	return buf_append(out, m.text, m.n);
}

bool
address_eq_nocase(struct view a, struct view b)
{
	return view_eq_nocase(a, b);
}

/* Names that a delimiter inside does not divide. */
static bool
is_whole(struct view local, const char *delimiters)
{
	if (view_eq_nocase(local, VIEW("mailer-daemon")) ||
	    view_eq_nocase(local, VIEW("postmaster")))
		return true;
	if (!strchr(delimiters, '-'))
		return false;
	return view_has_prefix_nocase(local, VIEW("owner-")) ||
	    (local.n > 8 && view_has_suffix_nocase(local, VIEW("-request")));
}

bool
address_split_extension(
    struct view local, const char *delimiters, struct view *user, struct view *extension)
{
	size_t i = 0;

	if (is_whole(local, delimiters))
		return false;
	while (i < local.n && (local.p[i] == '\0' || !strchr(delimiters, local.p[i])))
		i++;
	if (i == 0 || i == local.n)
		return false;
	*user = view_sub(local, 0, i);
	*extension = view_sub(local, i + 1, local.n);
	return true;
}
