/* SPDX-License-Identifier: Apache-2.0 */
/* Views: comparing, searching, cutting, words. Inputs sit in exact heap objects where it
 * matters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/view.h"

static void
assert_view(struct view v, const char *expected)
{
	if (!view_eq(v, view_of(expected)))
		fail_msg("got \"%.*s\", expected \"%s\"", VIEW_ARG(v), expected);
}

static void
making(void **state)
{
	(void)state;
	assert_int_equal(VIEW("a\0b").n, 3);
	assert_int_equal(view_of(NULL).n, 0);
	assert_int_equal(view_of("").n, 0);
	assert_int_equal(view_of("abc").n, 3);
}

static void
equality(void **state)
{
	(void)state;
	assert_true(view_eq(VIEW_NONE, VIEW("")));
	assert_true(view_eq(VIEW("a\0b"), VIEW("a\0b")));
	assert_false(view_eq(VIEW("a\0b"), VIEW("a\0c")));
	assert_false(view_eq(VIEW("a"), VIEW("ab")));
	assert_false(view_eq(VIEW("a"), VIEW("A")));
	assert_true(view_eq_nocase(VIEW_NONE, VIEW("")));
	assert_true(view_eq_nocase(
	    VIEW("Content-Transfer-Encoding"), VIEW("content-TRANSFER-encoding")));
	assert_false(view_eq_nocase(
	    VIEW("Content-Transfer-Encoding"), VIEW("content-TRANSFER-encodinh")));
	assert_false(view_eq_nocase(VIEW("abc"), VIEW("abcd")));
}

/* Every pair of bytes, alone and inside a word of eight, against the plain definition. */
static void
folding_is_ascii_only(void **state)
{
	(void)state;
	for (int a = 0; a < 256; a++) {
		for (int b = 0; b < 256; b++) {
			int fold_a = a >= 'A' && a <= 'Z' ? a + 32 : a;
			int fold_b = b >= 'A' && b <= 'Z' ? b + 32 : b;
			char x[9] = { 'q', 'R', (char)0xff, (char)a, 0, (char)0x80, 'z', 'Z',
				(char)a };
			char y[9] = { 'Q', 'r', (char)0xff, (char)b, 0, (char)0x80, 'Z', 'z',
				(char)b };

			assert_int_equal(
			    view_eq_nocase((struct view){ x, 8 }, (struct view){ y, 8 }),
			    fold_a == fold_b);
			assert_int_equal(view_eq_nocase((struct view){ x + 8, 1 },
					     (struct view){ y + 8, 1 }),
			    fold_a == fold_b);
		}
	}
}

static void
ordering(void **state)
{
	(void)state;
	assert_int_equal(view_compare(VIEW(""), VIEW_NONE), 0);
	assert_int_equal(view_compare(VIEW("abc"), VIEW("abc")), 0);
	assert_true(view_compare(VIEW("ab"), VIEW("abc")) < 0);
	assert_true(view_compare(VIEW("abc"), VIEW("ab")) > 0);
	assert_true(view_compare(VIEW("b"), VIEW("abc")) > 0);
	assert_true(view_compare(VIEW("\x80"), VIEW("a")) > 0); /* bytes are unsigned */
	assert_true(view_compare(VIEW_NONE, VIEW("a")) < 0);
}

static void
prefixes_and_suffixes(void **state)
{
	(void)state;
	struct view v = VIEW("Received: x");

	assert_true(view_has_prefix(v, VIEW("Received:")));
	assert_false(view_has_prefix(v, VIEW("received:")));
	assert_true(view_has_prefix_nocase(v, VIEW("rECEIVED:")));
	assert_false(view_has_prefix_nocase(v, VIEW("received; ")));
	assert_true(view_has_prefix(v, VIEW_NONE));
	assert_true(view_has_prefix(VIEW_NONE, VIEW("")));
	assert_false(view_has_prefix(VIEW("Rec"), VIEW("Received")));
	assert_true(view_has_suffix(VIEW("a.example.com"), VIEW(".example.com")));
	assert_false(view_has_suffix(VIEW("a.Example.com"), VIEW(".example.com")));
	assert_true(view_has_suffix_nocase(VIEW("a.Example.COM"), VIEW(".example.com")));
	assert_false(view_has_suffix_nocase(VIEW("com"), VIEW(".com")));
	assert_true(view_has_suffix(VIEW("x"), VIEW("")));
	assert_true(view_has_suffix(VIEW_NONE, VIEW("")));
}

static void
finding(void **state)
{
	(void)state;
	assert_int_equal(view_find(VIEW("user@a@b"), '@'), 4);
	assert_int_equal(view_find_last(VIEW("user@a@b"), '@'), 6);
	assert_int_equal(view_find(VIEW("user"), '@'), 4);
	assert_int_equal(view_find_last(VIEW("user"), '@'), 4);
	assert_int_equal(view_find(VIEW_NONE, '@'), 0);
	assert_int_equal(view_find_last(VIEW_NONE, '@'), 0);
	assert_int_equal(view_find(VIEW("ab\0c"), '\0'), 2);
	assert_int_equal(view_find(VIEW("\x80\xff"), '\xff'), 1);
}

static void
parts(void **state)
{
	(void)state;
	assert_view(view_sub(VIEW("abcdef"), 2, 3), "cde");
	assert_view(view_sub(VIEW("abcdef"), 4, 3), "ef");
	assert_view(view_sub(VIEW("abcdef"), 6, 1), "");
	assert_view(view_sub(VIEW("abcdef"), 7, 1), "");
	assert_view(view_sub(VIEW("abcdef"), SIZE_MAX, SIZE_MAX), "");
	assert_view(view_sub(VIEW("abcdef"), 1, SIZE_MAX), "bcdef");
	assert_view(view_sub(VIEW_NONE, 1, 1), "");
	assert_view(view_trim(VIEW(" \t\r\n\v\fa b\f\v\n\r\t ")), "a b");
	assert_view(view_trim(VIEW(" \t ")), "");
	assert_view(view_trim(VIEW_NONE), "");
	assert_view(view_trim(VIEW("\x01"
				   "a")),
	    "\x01"
	    "a");
}

struct words_case {
	const char *text;
	const char *plain; /* the words with | behind each */
	const char *braced;
};

static const struct words_case words_cases[] = {
	{ "", "", "" },
	{ " , \t", "", "" },
	{ "a, b c", "a|b|c|", "a|b|c|" },
	{ ",,a,,b,,", "a|b|", "a|b|" },
	{ "check { a, b } c", "check|{|a|b|}|c|", "check|{ a, b }|c|" },
	{ "{ a { b c } d } e", "{|a|{|b|c|}|d|}|e|", "{ a { b c } d }|e|" },
	{ "x={a, b}y, z", "x={a|b}y|z|", "x={a, b}y|z|" },
	{ "{ a, b", "{|a|b|", "{ a, b|" },      /* never closed: the rest is one word */
	{ "a } b, c", "a|}|b|c|", "a|}|b|c|" }, /* never opened: a byte like others */
	{ "{}{}", "{}{}|", "{}{}|" },
};

static void
words(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words_cases); i++) {
		const struct words_case *row = &words_cases[i];

		for (int braces = 0; braces < 2; braces++) {
			char *copy = mem_dup(row->text, strlen(row->text));
			struct view rest = view_of(copy);
			struct view word;
			char got[100] = "";
			size_t n = 0;

			while (braces ? view_next_braced(&rest, ", \t", &word)
				      : view_next_word(&rest, ", \t", &word))
				n += (size_t)snprintf(
				    got + n, sizeof(got) - n, "%.*s|", VIEW_ARG(word));
			assert_string_equal(got, braces ? row->braced : row->plain);
			assert_int_equal(rest.n, 0);
			mem_free(copy);
		}
	}
}

static void
words_take_any_byte(void **state)
{
	(void)state;
	struct view rest = VIEW("a\0b\xff\xff"
				"c");
	struct view word;

	assert_true(view_next_word(&rest, "\xff", &word));
	assert_true(view_eq(word, VIEW("a\0b"))); /* NUL is never a separator */
	assert_true(view_next_word(&rest, "\xff", &word));
	assert_view(word, "c");
	assert_false(view_next_word(&rest, "\xff", &word));
	rest = VIEW_NONE;
	assert_false(view_next_word(&rest, " ", &word));
}

/* The C library in the C locale is the other opinion. */
static void
classes(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		assert_int_equal(char_is_digit((char)c), isdigit(c) != 0);
		assert_int_equal(char_is_alpha((char)c), isalpha(c) != 0);
		assert_int_equal(char_is_alnum((char)c), isalnum(c) != 0);
		assert_int_equal(char_is_blank((char)c), isspace(c) != 0);
		assert_int_equal((unsigned char)char_lower((char)c), tolower(c));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(making),
		cmocka_unit_test(equality),
		cmocka_unit_test(folding_is_ascii_only),
		cmocka_unit_test(ordering),
		cmocka_unit_test(prefixes_and_suffixes),
		cmocka_unit_test(finding),
		cmocka_unit_test(parts),
		cmocka_unit_test(words),
		cmocka_unit_test(words_take_any_byte),
		cmocka_unit_test(classes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
