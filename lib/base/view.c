/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Views: comparing, searching and cutting borrowed bytes. Every function takes an empty view
 * with a NULL pointer, so nothing here hands such a pointer to the C library. Case folding
 * works on eight bytes at a time, because names of headers, domains and verbs are compared
 * without case on every message.
 */
#include "base/view.h"

#include <stdint.h>

#define EACH_BYTE 0x0101010101010101ULL

/* The bytes that a caller of the word functions named as separators. */
struct byte_set {
	uint64_t bits[4];
};

static struct byte_set
byte_set_of(const char *bytes)
{
	struct byte_set set = { { 0 } };

	for (; *bytes; bytes++)
		set.bits[(unsigned char)*bytes >> 6] |= 1ULL << (*bytes & 63);
	return set;
}

static bool
byte_set_has(const struct byte_set *set, char c)
{
	return set->bits[(unsigned char)c >> 6] >> (c & 63) & 1;
}

/* Lower case for each of eight bytes; those above 127 stay as they are. */
static uint64_t
fold_word(uint64_t x)
{
	uint64_t low = x & (EACH_BYTE * 0x7f);
	uint64_t from_a = low + EACH_BYTE * (0x80 - 'A');
	uint64_t above_z = low + EACH_BYTE * (0x7f - 'Z');
	uint64_t upper = (from_a ^ above_z) & ~x & (EACH_BYTE * 0x80);

	return x | upper >> 2;
}

static bool
bytes_eq_nocase(const char *a, const char *b, size_t n)
{
	for (; n >= 8; a += 8, b += 8, n -= 8) {
		uint64_t x;
		uint64_t y;

		memcpy(&x, a, 8);
		memcpy(&y, b, 8);
		if (x != y && fold_word(x) != fold_word(y))
			return false;
	}
	for (; n; a++, b++, n--) {
		if (*a != *b && char_lower(*a) != char_lower(*b))
			return false;
	}
	return true;
}

bool
view_eq(struct view a, struct view b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool
view_eq_nocase(struct view a, struct view b)
{
	return a.n == b.n && bytes_eq_nocase(a.p, b.p, a.n);
}

int
view_compare(struct view a, struct view b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int order = n ? memcmp(a.p, b.p, n) : 0;

	if (order)
		return order;
	return (a.n > b.n) - (a.n < b.n);
}

bool
view_has_prefix(struct view v, struct view prefix)
{
	return v.n >= prefix.n && (prefix.n == 0 || memcmp(v.p, prefix.p, prefix.n) == 0);
}

bool
view_has_prefix_nocase(struct view v, struct view prefix)
{
	return v.n >= prefix.n && bytes_eq_nocase(v.p, prefix.p, prefix.n);
}

bool
view_has_suffix(struct view v, struct view suffix)
{
	return v.n >= suffix.n && view_eq(view_sub(v, v.n - suffix.n, suffix.n), suffix);
}

bool
view_has_suffix_nocase(struct view v, struct view suffix)
{
	return v.n >= suffix.n && view_eq_nocase(view_sub(v, v.n - suffix.n, suffix.n), suffix);
}

size_t
view_find(struct view v, char c)
{
	const char *at = v.n ? memchr(v.p, c, v.n) : NULL;

	return at ? (size_t)(at - v.p) : v.n;
}

size_t
view_find_last(struct view v, char c)
{
	const char *at = v.n ? memrchr(v.p, c, v.n) : NULL;

	return at ? (size_t)(at - v.p) : v.n;
}

struct view
view_sub(struct view v, size_t from, size_t n)
{
	if (from > v.n)
		from = v.n;
	if (from)
		v.p += from;
	v.n -= from;
	if (v.n > n)
		v.n = n;
	return v;
}

struct view
view_trim(struct view v)
{
	while (v.n && char_is_blank(v.p[v.n - 1]))
		v.n--;
	while (v.n && char_is_blank(*v.p)) {
		v.p++;
		v.n--;
	}
	return v;
}

/* The word ends at the first separator outside braces, if braces count at all. */
static size_t
word_length(struct view v, const struct byte_set *separators, bool braces)
{
	size_t depth = 0;
	size_t i;

	for (i = 0; i < v.n; i++) {
		char c = v.p[i];

		if (braces && c == '{')
			depth++;
		else if (depth && c == '}')
			depth--;
		else if (depth == 0 && byte_set_has(separators, c))
			break;
	}
	return i;
}

static bool
next_word(struct view *rest, const char *separators, bool braces, struct view *word)
{
	struct byte_set set = byte_set_of(separators);
	size_t skip = 0;

	while (skip < rest->n && byte_set_has(&set, rest->p[skip]))
		skip++;
	*rest = view_sub(*rest, skip, SIZE_MAX);
	if (rest->n == 0) {
		*word = VIEW_NONE;
		return false;
	}
	*word = view_sub(*rest, 0, word_length(*rest, &set, braces));
	*rest = view_sub(*rest, word->n, SIZE_MAX);
	return true;
}

bool
view_next_word(struct view *rest, const char *separators, struct view *word)
{
	return next_word(rest, separators, false, word);
}

bool
view_next_braced(struct view *rest, const char *separators, struct view *word)
{
	return next_word(rest, separators, true, word);
}

bool
char_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool
char_is_alpha(char c)
{
	c |= 0x20;
	return c >= 'a' && c <= 'z';
}

bool
char_is_alnum(char c)
{
	return char_is_digit(c) || char_is_alpha(c);
}

bool
char_is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

char
char_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}
