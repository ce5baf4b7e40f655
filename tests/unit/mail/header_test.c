/* SPDX-License-Identifier: Apache-2.0 */
/* Splitting header blocks, unfolding, and building fields that nothing can break out of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "mail/header.h"

static void
field_lines(void **state)
{
	static const struct {
		const char *line, *name;
	} rows[] = {
		{ "Subject: x", "Subject" },
		{ "Subject:", "Subject" },
		{ "Subject : x", "Subject" },
		{ "X-~!$: x", "X-~!$" },
		{ "From sender Fri", NULL },
		{ ">From: x", ">From" },
		{ "Sub ject: x", NULL },
		{ " Subject: x", NULL },
		{ "Subject", NULL },
		{ ":", NULL },
		{ ": x", NULL },
		{ "", NULL },
		{ "S\xc3\xa9: x", NULL },
		{ "S\x01: x", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct view name = VIEW_NONE;

		assert_int_equal(
		    header_line_is_field(view_of(rows[i].line), &name), rows[i].name != NULL);
		assert_true(view_eq(name, view_of(rows[i].name)));
	}
	assert_false(header_line_is_field(VIEW("a\0b: x"), &(struct view){ 0 }));
}

/* RFC 5322 A.1.1 and A.5, CRLF and LF. */
static void
splitting(void **state)
{
	struct view block = VIEW("From: John Doe <jdoe@machine.example>\r\n"
				 "Subject : a\r\n\tb\n"
				 "Empty:\r\n"
				 "Date: Thu,\n      13\n        Feb\n"
				 "Last: no end");
	static const struct {
		const char *name, *value;
	} rows[] = {
		{ "From", "John Doe <jdoe@machine.example>" },
		{ "Subject", "a\r\n\tb" },
		{ "Empty", "" },
		{ "Date", "Thu,\n      13\n        Feb" },
		{ "Last", "no end" },
	};
	struct header_field f;
	size_t total = block.n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_true(header_next(&block, &f));
		assert_true(header_is(&f, view_of(rows[i].name)));
		assert_true(view_eq(f.value, view_of(rows[i].value)));
		total -= f.raw.n;
	}
	assert_int_equal(total, 0);
	assert_false(header_next(&block, &f));
	assert_int_equal(block.n, 0);
}

static void
block_ends(void **state)
{
	static const char *const rows[] = { "\r\nbody", "no field", " continuation\r\nA: b",
		"From x@y Fri\nA: b", "\0A: b" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct view block = view_of(rows[i]);
		struct header_field f;

		assert_false(header_next(&block, &f));
		assert_ptr_equal(block.p, rows[i]);
	}
}

static void
unfolding(void **state)
{
	struct buf out = BUF_INIT(1000);

	(void)state;
	header_unfold(&out, VIEW("a\r\n b\n\tc\rd\r\n"));
	assert_string_equal(buf_str(&out), "a b\tc d");
	buf_clear(&out);
	header_unfold(&out, VIEW("\r\0x\n"));
	assert_string_equal(buf_str(&out), "  x");
	buf_done(&out);
}

static void
building(void **state)
{
	static const struct {
		const char *value, *text;
	} rows[] = {
		{ "short", "X: short\r\n" },
		{ "", "X:\r\n" },
		{ "  \t ", "X:\r\n" },
		{ " a  b ", "X: a  b\r\n" },
		{ "a\r\nEvil: b", "X: a  Evil: b\r\n" },
		{ "a\nb\rc", "X: a b c\r\n" },
		{ "111111111 222222222 333333333 444444444 555555555 666666666 777777777 88 9 "
		  "0",
		    "X: 111111111 222222222 333333333 444444444 555555555 666666666 777777777 "
		    "88 9\r\n 0\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = BUF_INIT(1000);

		header_build(&out, "X", view_of(rows[i].value));
		assert_string_equal(buf_str(&out), rows[i].text);
		buf_done(&out);
	}
}

/* Whatever the value: one field comes out, with no line of blanks alone. */
static void
building_is_safe(void **state)
{
	static const char alphabet[] = "ab :\t\r\n";

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct buf out = BUF_INIT(1000);
		char value[200];
		size_t n = random_below(sizeof(value));
		struct header_field f;
		struct view block;

		for (size_t i = 0; i < n; i++)
			value[i] = alphabet[random_below(sizeof(alphabet))];
		header_build(&out, "X", (struct view){ value, n });
		block = buf_view(&out);
		assert_true(header_next(&block, &f));
		assert_int_equal(block.n, 0);
		for (size_t i = 0; i + 1 < out.len; i++) {
			assert_true(out.data[i] != '\n' || out.data[i - 1] == '\r');
			assert_true(out.data[i] != '\r' || out.data[i + 1] == '\n');
			assert_true(out.data[i] != '\0');
		}
		block = buf_view(&out);
		while (block.n) {
			size_t end = view_find(block, '\n');

			assert_true(view_trim(view_sub(block, 0, end)).n > 0);
			block = view_sub(block, end + 1, block.n);
		}
		buf_done(&out);
	}
}

static void
time_is_linear(void **state)
{
	struct buf block = BUF_INIT(100 << 20);
	nanoseconds start = clock_now();
	struct header_field f;
	struct view rest;
	size_t count = 0;

	(void)state;
	buf_append_str(&block, "X: 1\r\n");
	for (int i = 0; i < 2000000; i++)
		buf_append_str(&block, " x\r\n");
	for (int i = 0; i < 1000000; i++)
		buf_append_str(&block, "Y: 1\r\n");
	rest = buf_view(&block);
	while (header_next(&rest, &f))
		count++;
	assert_int_equal(count, 1000001);
	assert_true(clock_now() - start < 10 * SECOND);
	buf_done(&block);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(field_lines),
		cmocka_unit_test(splitting),
		cmocka_unit_test(block_ends),
		cmocka_unit_test(unfolding),
		cmocka_unit_test(building),
		cmocka_unit_test(building_is_safe),
		cmocka_unit_test(time_is_linear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
