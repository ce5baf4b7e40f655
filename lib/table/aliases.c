/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aliases(5): "name: value, value". The name and the members of the value may be quoted. A
 * member that is one quoted string as a whole is what stands between the quotes (a command with
 * its arguments, a path with a space); quotes in only a part of it belong to an address with a
 * quoted local part and stay.
 */
#include "table/aliases.h"

/* The length of the quoted string at the front, both quotes included; 0: it has no end. */
static size_t
quoted_length(struct view v)
{
	for (size_t i = 1; i < v.n; i++) {
		if (v.p[i] == '\\')
			i++;
		else if (v.p[i] == '"')
			return i + 1;
	}
	return 0;
}

static void
append_unquoted(struct buf *out, struct view quoted)
{
	for (size_t i = 1; i + 1 < quoted.n; i++) {
		if (quoted.p[i] == '\\' && i + 2 < quoted.n)
			i++;
		buf_append_char(out, quoted.p[i]);
	}
}

bool
value_member_next(struct view *rest, struct view *member, bool *malformed)
{
	size_t n, quoted;

	*malformed = false;
	while (rest->n > 0) {
		for (n = 0; n < rest->n && rest->p[n] != ','; n++) {
			if (rest->p[n] == '\\') {
				n++;
			} else if (rest->p[n] == '"') {
				quoted = quoted_length(view_sub(*rest, n, rest->n));
				if (quoted == 0) {
					*malformed = true;
					return false;
				}
				n += quoted - 1;
			}
		}
		*member = view_trim(view_sub(*rest, 0, n));
		*rest = view_sub(*rest, n + 1, rest->n);
		if (member->n > 0)
			return true;
	}
	return false;
}

static bool
name_parse(struct view entry, struct buf *key, size_t *colon)
{
	size_t n = 0;

	buf_clear(key);
	if (entry.p[0] == '"') {
		n = quoted_length(entry);
		if (n == 0)
			return false;
		append_unquoted(key, view_sub(entry, 0, n));
		while (n < entry.n && char_is_blank(entry.p[n]))
			n++;
	} else {
		n = view_find(entry, ':');
		buf_append_view(key, view_trim(view_sub(entry, 0, n)));
	}
	*colon = n;
	return key->len > 0 && n < entry.n && entry.p[n] == ':';
}

bool
alias_entry_parse(struct view entry, struct buf *key, struct buf *value, const char **why)
{
	struct view rest, member;
	bool malformed;
	size_t colon;

	buf_clear(value);
	if (entry.n == 0 || char_is_blank(entry.p[0])) {
		*why = "logical line must not start with whitespace";
		return false;
	}
	if (!name_parse(entry, key, &colon)) {
		*why = "need name:value pair";
		return false;
	}
	rest = view_sub(entry, colon + 1, entry.n);
	while (value_member_next(&rest, &member, &malformed)) {
		if (value->len > 0)
			buf_append_str(value, ", ");
		buf_append_view(value, member);
	}
	if (malformed) {
		*why = "unmatched quote";
		return false;
	}
	if (value->len == 0) {
		*why = "need name:value pair";
		return false;
	}
	if (value->overflow || key->overflow) {
		*why = "entry is too long";
		return false;
	}
	return true;
}

/* "Full Name <user@example.com>" */
static struct view
address_of(struct view text)
{
	size_t open;

	if (text.n == 0 || text.p[text.n - 1] != '>')
		return text;
	open = view_find_last(text, '<');
	return open < text.n ? view_trim(view_sub(text, open + 1, text.n - open - 2)) : text;
}

bool
alias_member_next(struct view *rest, struct buf *scratch, struct alias_member *out)
{
	struct view text, as_written;
	bool malformed;

	if (!value_member_next(rest, &as_written, &malformed))
		return false;
	text = as_written;
	if (text.p[0] == '"' && quoted_length(text) == text.n) {
		buf_clear(scratch);
		append_unquoted(scratch, text);
		text = buf_view(scratch);
	}
	if (view_has_prefix(text, VIEW("|"))) {
		out->kind = ALIAS_COMMAND;
		out->text = view_trim(view_sub(text, 1, text.n));
	} else if (view_has_prefix(text, VIEW("/"))) {
		out->kind = ALIAS_FILE;
		out->text = text;
	} else if (view_has_prefix_nocase(text, VIEW(":include:"))) {
		out->kind = ALIAS_INCLUDE;
		out->text = view_trim(view_sub(text, 9, text.n));
		if (out->text.n > 1 && out->text.p[0] == '"' &&
		    quoted_length(out->text) == out->text.n)
			out->text = view_sub(out->text, 1, out->text.n - 2);
	} else {
		out->kind = ALIAS_ADDRESS;
		out->text = address_of(as_written);
	}
	return true;
}
