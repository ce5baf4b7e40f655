/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reasons that differ in nothing but hosts, addresses and numbers are one reason in a summary:
 * each word that is such a thing becomes "*". Punctuation around it stays, and so do reply
 * codes, which say what the reason is.
 */
#include "showq/showq.h"

#define GENERAL_MAX 200

static bool
is_word_char(char c)
{
	return char_is_alnum(c) || c == '-' || c == '_' || c == '.';
}

/* mail.example.com, 192.0.2.1, 2001:db8::1; but neither 4.2.1 nor a word with a full stop. */
static bool
is_host(struct view w)
{
	size_t dots = 0, colons = 0;
	bool alphabetic;

	for (size_t i = 0; i < w.n; i++) {
		if (!is_word_char(w.p[i]) && w.p[i] != ':')
			return false;
		dots += w.p[i] == '.';
		colons += w.p[i] == ':';
	}
	if (colons >= 2)
		return true;
	if (dots == 0 || w.p[0] == '.' || w.p[w.n - 1] == '.')
		return false;
	alphabetic = char_is_alpha(w.p[w.n - 1]);
	return colons == 0 && (alphabetic || dots == 3);
}

/* Queue ids, times, ports: anything long with digits in it. */
static bool
is_number(struct view w)
{
	size_t digits = 0;

	for (size_t i = 0; i < w.n; i++) {
		if (!is_word_char(w.p[i]))
			return false;
		digits += char_is_digit(w.p[i]);
	}
	return digits > 0 && w.n >= 6 && view_find(w, '.') == w.n;
}

static bool
is_particular(struct view w)
{
	return view_find(w, '@') < w.n || view_find(w, '[') < w.n || is_host(w) || is_number(w);
}

static bool
is_punctuation(char c)
{
	return c == ',' || c == ':' || c == ';' || c == '(' || c == ')' || c == '<' ||
	    c == '>' || c == '"' || c == '\'';
}

static void
append_word(struct buf *out, struct view w)
{
	size_t first = 0, last = w.n;

	while (first < last && is_punctuation(w.p[first]))
		first++;
	while (last > first && (is_punctuation(w.p[last - 1]) || w.p[last - 1] == '.'))
		last--;
	if (!is_particular(view_sub(w, first, last - first))) {
		buf_append_view(out, w);
		return;
	}
	buf_append_view(out, view_sub(w, 0, first));
	buf_append_char(out, '*');
	buf_append_view(out, view_sub(w, last, w.n));
}

void
reason_generalize(struct buf *out, struct view reason)
{
	struct view word;

	buf_clear(out);
	while (view_next_word(&reason, " \t\r\n", &word) && out->len + word.n < GENERAL_MAX) {
		if (out->len > 0)
			buf_append_char(out, ' ');
		append_word(out, word);
	}
}
