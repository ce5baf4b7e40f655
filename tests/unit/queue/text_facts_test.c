/* SPDX-License-Identifier: Apache-2.0 */
/* The facts must not depend on where the text was cut. */
#include "queue_fixture.h"

#include "queue/text_facts.h"

struct expected {
	bool has_8bit, has_dot_line, has_long_line, ends_in_crlf;
};

static void
check(struct view text, struct expected e, size_t piece)
{
	struct text_facts f = { 0 };

	for (size_t at = 0; at < text.n; at += piece)
		text_facts_add(&f, view_sub(text, at, piece));
	assert_int_equal(f.has_8bit, e.has_8bit);
	assert_int_equal(f.has_dot_line, e.has_dot_line);
	assert_int_equal(f.has_long_line, e.has_long_line);
	assert_int_equal(f.ends_in_crlf, e.ends_in_crlf);
}

static void
test_short_texts(void **state)
{
	static const struct {
		struct view text;
		struct expected e;
	} cases[] = {
		{ { "", 0 }, { 0 } },
		{ { "a", 1 }, { 0 } },
		{ { "\r", 1 }, { 0 } },
		{ { "\n", 1 }, { 0 } },
		{ { "\r\n", 2 }, { .ends_in_crlf = true } },
		{ { "a\n", 2 }, { 0 } },
		{ { "a\r\n", 3 }, { .ends_in_crlf = true } },
		{ { "a\r\nb", 4 }, { 0 } },
		{ { "a\r\n\r", 4 }, { 0 } },
		{ { ".", 1 }, { .has_dot_line = true } },
		{ { "a.\r\n", 4 }, { .ends_in_crlf = true } },
		{ { "a\r\n.\r\n", 6 }, { .has_dot_line = true, .ends_in_crlf = true } },
		{ { "a\n.\r\n", 5 }, { .has_dot_line = true, .ends_in_crlf = true } },
		{ { "a\r.\r\n", 5 }, { .ends_in_crlf = true } },
		{ { "\303\244", 2 }, { .has_8bit = true } },
		{ { "0123456789abcdef\200", 17 }, { .has_8bit = true } },
		{ { "0\200123456789abcdef", 17 }, { .has_8bit = true } },
		{ { "a\0b\177", 4 }, { 0 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t piece = 1; piece <= 18; piece++)
			check(cases[i].text, cases[i].e, piece);
	}
}

static void
test_line_length(void **state)
{
	static const struct {
		size_t length;
		const char *end;
		bool is_long;
	} cases[] = {
		{ 998, "\r\n", false },
		{ 999, "\r\n", true },
		{ 998, "", false },
		{ 999, "", true },
		{ 998, "\rx\r\n", true },
		{ 997, "\r\r\n", false },
		{ 998, "\r\r\n", true },
	};
	char text[1100];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t end = strlen(cases[i].end);
		struct expected e = { .has_long_line = cases[i].is_long, .ends_in_crlf = end };
		struct view v = { text, 3 + cases[i].length + end };

		memcpy(text, "a\r\n", 3);
		memset(text + 3, 'x', cases[i].length);
		memcpy(text + 3 + cases[i].length, cases[i].end, end);
		for (size_t piece = 1; piece < 1010; piece += 13)
			check(v, e, piece);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_short_texts),
		cmocka_unit_test(test_line_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
