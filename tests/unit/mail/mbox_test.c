/* SPDX-License-Identifier: Apache-2.0 */
/* mbox: From lines, quoting, line ends, at every split. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "mail/mbox.h"

static void
from_lines(void **state)
{
	static const struct {
		struct view sender;
		const char *line;
	} rows[] = {
		{ VIEW("a@b.example"), "From a@b.example  Fri Nov 20 19:24:07 2026\n" },
		{ VIEW(""), "From MAILER-DAEMON  Fri Nov 20 19:24:07 2026\n" },
		{ VIEW("a b@c"), "From \"a b\"@c  Fri Nov 20 19:24:07 2026\n" },
		{ VIEW("a\nFrom x@c"), "From \"a?From x\"@c  Fri Nov 20 19:24:07 2026\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = BUF_INIT(1000);

		mbox_from_line_print(&out, rows[i].sender, (microseconds)1795202647 * 1000000);
		assert_string_equal(buf_str(&out), rows[i].line);
		buf_done(&out);
	}
	assert_true(mbox_is_from_line(VIEW("From x")));
	assert_true(mbox_is_from_line(VIEW("From ")));
	assert_false(mbox_is_from_line(VIEW("From")));
	assert_false(mbox_is_from_line(VIEW("From: x")));
	assert_false(mbox_is_from_line(VIEW(">From x")));
	assert_false(mbox_is_from_line(VIEW("from x")));
}

static const struct {
	const char *input, *mbox, *maildir;
} rows[] = {
	{ "", "", "" },
	{ "a\r\nb\r\n", "a\nb\n", "a\nb\n" },
	{ "From a\r\n", ">From a\n", "From a\n" },
	{ "From: a\r\nFrom a\r\n From b\r\n", "From: a\n>From a\n From b\n",
	    "From: a\nFrom a\n From b\n" },
	{ ">From a\r\n", ">From a\n", ">From a\n" },
	{ "Fro\r\nFrom\r\nFrom \r\n", "Fro\nFrom\n>From \n", "Fro\nFrom\nFrom \n" },
	{ "\r\nFrom a\r\n", "\n>From a\n", "\nFrom a\n" },
	{ "FFrom a\r\n", "FFrom a\n", "FFrom a\n" },
	{ "no end", "no end\n", "no end\n" },
	{ "From", "From\n", "From\n" },
	{ "From ", ">From \n", "From \n" },
	{ "F", "F\n", "F\n" },
	{ "a\nFrom b\n", "a\n>From b\n", "a\nFrom b\n" },
	{ "a\rb\r\n", "a\rb\n", "a\rb\n" },
	{ "a\r", "a\r\n", "a\r\n" },
	{ "\r\n\r\n", "\n\n", "\n\n" },
	{ "\r\r\n", "\r\n", "\r\n" },
};

static void
encoding(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct view v = view_of(rows[i].input);

		for (size_t a = 0; a <= v.n; a++) {
			for (size_t b = a; b <= v.n; b++) {
				for (int quote = 0; quote < 2; quote++) {
					struct buf out = BUF_INIT(1000);
					struct mbox_encoder e;

					mbox_encoder_init(&e, quote);
					mbox_encoder_feed(&e, view_sub(v, 0, a), &out);
					mbox_encoder_feed(&e, view_sub(v, a, b - a), &out);
					mbox_encoder_feed(&e, view_sub(v, b, v.n), &out);
					mbox_encoder_end(&e, &out);
					assert_string_equal(buf_str(&out),
					    quote ? rows[i].mbox : rows[i].maildir);
					buf_done(&out);
				}
			}
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_lines),
		cmocka_unit_test(encoding),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
