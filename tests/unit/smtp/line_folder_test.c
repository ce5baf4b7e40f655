/* SPDX-License-Identifier: Apache-2.0 */
/* Lines over the limit go on behind a blank. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "smtp/line_folder.h"

static void
folds(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "", "" },
		{ "12345678\r\n", "12345678\r\n" },
		{ "123456789\r\n", "12345678\r\n 9\r\n" },
		{ "123456789012345\r\n", "12345678\r\n 9012345\r\n" },
		{ "1234567890123456\r\n", "12345678\r\n 9012345\r\n 6\r\n" },
		{ "12345678", "12345678" },
		{ "123456789", "12345678\r\n 9" },
		{ "\r\n\r\n", "\r\n\r\n" },
		/* a character of two bytes stands across the limit */
		{ "1234567\xc3\xa4\r\n", "1234567\r\n \xc3\xa4\r\n" },
		/* no text at all in this encoding: cut where the limit is */
		{ "\x80\x80\x80\x80\x80\x80\x80\x80\x80\r\n",
		    "\x80\x80\x80\x80\x80\r\n \x80\x80\x80\x80\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct line_folder f;
		struct buf out = BUF_INIT(1000);

		line_folder_init(&f, 8);
		line_folder_feed(&f, view_of(rows[i].in), &out);
		assert_string_equal(buf_str(&out), rows[i].out);
		buf_done(&out);
	}
}

/* However the input is cut, no line is longer than the limit and no byte is lost. */
static void
any_pieces(void **state)
{
	static const char in[] =
	    "123456789abcdefghijk\r\nshort\r\n0123456789abcdefghijklmnop\r\n";

	(void)state;
	for (size_t size = 1; size < sizeof(in); size++) {
		struct line_folder f;
		struct buf out = BUF_INIT(1000), text = BUF_INIT(1000);
		size_t line = 0;

		line_folder_init(&f, 8);
		for (size_t at = 0; at < sizeof(in) - 1; at += size)
			line_folder_feed(
			    &f, view_sub((struct view){ in, sizeof(in) - 1 }, at, size), &out);
		for (size_t i = 0; i < out.len; i++) {
			line = out.data[i] == '\n' ? 0 : line + 1;
			assert_true(line <= 8 || (line == 9 && out.data[i] == '\r'));
			if (i + 2 < out.len && memcmp(out.data + i, "\r\n ", 3) == 0) {
				i += 2;
				line = 1;
			} else {
				buf_append_char(&text, out.data[i]);
			}
		}
		assert_string_equal(buf_str(&text), in);
		buf_done(&out);
		buf_done(&text);
	}
}

/* A stray CR where a piece ends, which the queue does not hold. */
static void
stray_cr(void **state)
{
	struct line_folder f;
	struct buf out = BUF_INIT(1000);

	(void)state;
	line_folder_init(&f, 8);
	line_folder_feed(&f, VIEW("12345678\r"), &out);
	line_folder_feed(&f, VIEW("abcdefghijkl"), &out);
	assert_string_equal(buf_str(&out), "12345678\r\r\n abcdefg\r\n hijkl");
	buf_done(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(folds),
		cmocka_unit_test(any_pieces),
		cmocka_unit_test(stray_cr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
