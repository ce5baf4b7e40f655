/* SPDX-License-Identifier: Apache-2.0 */
/* Escaping for people and for JSON, and UTF-8 by the table of RFC 3629. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/escape.h"
#include "base/mem.h"

struct row {
	const char *text;
	size_t n;
	const char *shown;
};

#define ROW(text, shown)                                                                       \
	{                                                                                      \
		text, sizeof(text) - 1, shown                                                  \
	}

static const struct row printable[] = {
	ROW("", ""),
	ROW("plain text ~!", "plain text ~!"),
	ROW("back\\slash \"quoted\"", "back\\slash \"quoted\""),
	ROW("a\nb\r\n", "a\\012b\\015\\012"),
	ROW("nul\0tab\t", "nul\\000tab\\011"),
	ROW("\x1b[31mred\x7f", "\\033[31mred\\177"),
	ROW("gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"),
	ROW("\xe2\x82\xac \xf0\x9f\x93\xa7", "\xe2\x82\xac \xf0\x9f\x93\xa7"),
	ROW("Latin-1 \xfc", "Latin-1 \\374"),
	ROW("cut \xe2\x82", "cut \\342\\202"),
	ROW("overlong \xc0\xaf", "overlong \\300\\257"),
	ROW("\xc2\x80\xc2\x85\xc2\x9b", "\\302\\200\\302\\205\\302\\233"), /* C1 */
	ROW("\xc2\xa0", "\xc2\xa0"),                                       /* no-break space */
	ROW("\xe2\x80\xae"
	    "txt",
	    "\\342\\200\\256txt"),                       /* right-to-left override */
	ROW("\xe2\x81\xa6", "\\342\\201\\246"),          /* isolate */
	ROW("\xe2\x80\x8f", "\\342\\200\\217"),          /* right-to-left mark */
	ROW("\xd8\x9c", "\\330\\234"),                   /* Arabic letter mark */
	ROW("\xe2\x80\x8b", "\\342\\200\\213"),          /* zero width space */
	ROW("\xef\xbb\xbf", "\\357\\273\\277"),          /* byte order mark */
	ROW("\xe2\x80\xa8", "\\342\\200\\250"),          /* line separator */
	ROW("\xe2\x80\x90", "\xe2\x80\x90"),             /* hyphen, between those ranges */
	ROW("\xef\xbf\xbe", "\\357\\277\\276"),          /* U+FFFE */
	ROW("\xf4\x8f\xbf\xbf", "\\364\\217\\277\\277"), /* U+10FFFF, a noncharacter */
	ROW("\xef\xbf\xbd", "\xef\xbf\xbd"),             /* U+FFFD may be shown */
	ROW("\xf3\xa0\x81\x81", "\\363\\240\\201\\201"), /* tag */
	ROW("1234567\n12345678\n", "1234567\\01212345678\\012"),
};

static void
shown_for_people(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(printable); i++) {
		struct buf out = BUF_INIT(1000);
		char *copy = mem_alloc(printable[i].n); /* exact, for the sanitizer */

		memcpy(copy, printable[i].text, printable[i].n);
		buf_append_str(&out, "> ");
		escape_printable(&out, (struct view){ copy, printable[i].n }, 1000);
		assert_string_equal(buf_str(&out) + 2, printable[i].shown);
		assert_false(out.overflow);
		mem_free(copy);
		buf_done(&out);
	}
}

/* Each byte in each place of a word of eight, which is how the fast path looks at them. */
static void
each_byte_in_each_place(void **state)
{
	(void)state;
	for (int byte = 0; byte < 256; byte++) {
		bool plain = byte >= 0x20 && byte < 0x7f;

		for (size_t place = 0; place < 20; place++) {
			char text[20];
			struct buf out = BUF_INIT(100);

			memset(text, '~', sizeof(text));
			text[place] = (char)byte;
			escape_printable(&out, (struct view){ text, 20 }, 100);
			assert_int_equal(out.len, plain ? 20 : 23);
			assert_int_equal(buf_str(&out)[place], plain ? byte : '\\');
			buf_done(&out);
		}
	}
}

/* Every maximum gives a prefix of the whole that ends between two shown characters. */
static void
cut_between_characters(void **state)
{
	(void)state;
	static const struct {
		size_t max;
		const char *shown;
	} rows[] = {
		{ 0, "" },
		{ 1, "a" },
		{ 2, "a" },
		{ 3, "a\xc3\xbc" },
		{ 6, "a\xc3\xbc" },
		{ 7, "a\xc3\xbc\\012" },
		{ 9, "a\xc3\xbc\\012" },
		{ 10, "a\xc3\xbc\\012\xe2\x82\xac" },
		{ 11,
		    "a\xc3\xbc\\012\xe2\x82\xac"
		    "b" },
		{ 12,
		    "a\xc3\xbc\\012\xe2\x82\xac"
		    "bc" },
		{ SIZE_MAX,
		    "a\xc3\xbc\\012\xe2\x82\xac"
		    "bc" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = BUF_INIT(100);
		struct buf small;

		escape_printable(&out,
		    VIEW("a\xc3\xbc\n\xe2\x82\xac"
			 "bc"),
		    rows[i].max);
		assert_string_equal(buf_str(&out), rows[i].shown);
		assert_false(out.overflow);
		buf_done(&out);

		/* the buffer's own maximum cuts in the same places, and that is an overflow */
		buf_init(&small, rows[i].max);
		escape_printable(&small,
		    VIEW("a\xc3\xbc\n\xe2\x82\xac"
			 "bc"),
		    SIZE_MAX);
		assert_string_equal(buf_str(&small), rows[i].shown);
		assert_int_equal(small.overflow, rows[i].max < 12);
		buf_done(&small);
	}
}

/* The definition: what each code point encodes to; everything else is malformed. */
static size_t
encode(unsigned code_point, char out[4])
{
	if (code_point < 0x80) {
		out[0] = (char)code_point;
		return 1;
	}
	if (code_point < 0x800) {
		out[0] = (char)(0xc0 | code_point >> 6);
		out[1] = (char)(0x80 | (code_point & 0x3f));
		return 2;
	}
	if (code_point < 0x10000) {
		out[0] = (char)(0xe0 | code_point >> 12);
		out[1] = (char)(0x80 | (code_point >> 6 & 0x3f));
		out[2] = (char)(0x80 | (code_point & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | code_point >> 18);
	out[1] = (char)(0x80 | (code_point >> 12 & 0x3f));
	out[2] = (char)(0x80 | (code_point >> 6 & 0x3f));
	out[3] = (char)(0x80 | (code_point & 0x3f));
	return 4;
}

static void
every_code_point(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 0x120000; i++) {
		bool valid = i <= 0x10ffff && (i < 0xd800 || i > 0xdfff);
		unsigned code_point = 0;
		char text[4];
		size_t n = encode(i, text);
		struct view v = { text, n };

		assert_true(utf8_next(v, &code_point) == (valid ? n : 0));
		assert_true(utf8_is_valid(v) == valid);
		if (valid)
			assert_true(code_point == i);
		for (size_t cut = 1; cut < n; cut++)
			assert_true(utf8_next(view_sub(v, 0, cut), &code_point) == 0);
	}
}

/* All strings of three bytes with the first above ASCII: as many valid as there are characters.
 */
static void
no_other_form(void **state)
{
	(void)state;
	unsigned long valid = 0;
	char text[3];

	for (unsigned i = 0x800000; i <= 0xffffff; i++) {
		unsigned code_point;

		text[0] = (char)(i >> 16);
		text[1] = (char)(i >> 8);
		text[2] = (char)i;
		valid += utf8_next((struct view){ text, 3 }, &code_point) == 3;
	}
	assert_int_equal(valid, 0x10000 - 0x800 - 0x800);
}

static void
validity(void **state)
{
	(void)state;
	assert_true(utf8_is_valid(VIEW_NONE));
	assert_true(utf8_is_valid(VIEW("0123456789abcdef gr\xc3\xbc\xc3\x9f")));
	assert_true(utf8_is_valid(VIEW("a\0b")));
	assert_false(utf8_is_valid(VIEW("01234567\xc3")));
	assert_false(utf8_is_valid(VIEW("\x80")));
	assert_false(utf8_is_valid(VIEW("\xc0\x80")));
	assert_false(utf8_is_valid(VIEW("\xc1\xbf")));
	assert_false(utf8_is_valid(VIEW("\xe0\x9f\xbf")));
	assert_false(utf8_is_valid(VIEW("\xf0\x8f\xbf\xbf")));
	assert_false(utf8_is_valid(VIEW("\xf5\x80\x80\x80")));
	assert_false(utf8_is_valid(VIEW("\xf8\x88\x80\x80\x80")));
	assert_false(utf8_is_valid(VIEW("\xfe\xff")));
	assert_true(ascii_is_all(VIEW_NONE));
	assert_true(ascii_is_all(VIEW("\0\x7f 0123456789")));
	for (size_t place = 0; place < 20; place++) {
		char text[20] = { 0 };

		text[place] = (char)0x80;
		assert_false(ascii_is_all((struct view){ text, 20 }));
		assert_true(ascii_is_all((struct view){ text, place }));
	}
}

static const struct row json[] = {
	ROW("", ""), ROW("plain/text", "plain/text"), ROW("a\"b\\c", "a\\\"b\\\\c"),
	ROW("\b\t\n\v\f\r", "\\b\\t\\n\\u000b\\f\\r"),
	ROW("\0\x01\x1f\x7f", "\\u0000\\u0001\\u001f\x7f"),
	ROW("gr\xc3\xbc \xf0\x9f\x93\xa7", "gr\xc3\xbc \xf0\x9f\x93\xa7"),
	ROW("bad \xfc!", "bad \xef\xbf\xbd!"), ROW("cut \xc3", "cut \xef\xbf\xbd"),
	ROW("\xed\xa0\x80"
	    "x",
	    "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx"), /* surrogate */
};

static void
shown_as_json(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(json); i++) {
		struct buf out = BUF_INIT(1000);
		struct buf small = BUF_INIT(strlen(json[i].shown));

		escape_json(&out, (struct view){ json[i].text, json[i].n });
		assert_string_equal(buf_str(&out), json[i].shown);
		assert_false(out.overflow);
		escape_json(&small, (struct view){ json[i].text, json[i].n });
		assert_false(small.overflow);
		escape_json(&small, VIEW("x"));
		assert_true(small.overflow);
		buf_done(&out);
		buf_done(&small);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shown_for_people),
		cmocka_unit_test(each_byte_in_each_place),
		cmocka_unit_test(cut_between_characters),
		cmocka_unit_test(every_code_point),
		cmocka_unit_test(no_other_form),
		cmocka_unit_test(validity),
		cmocka_unit_test(shown_as_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
