/* SPDX-License-Identifier: Apache-2.0 */
/* What local programs write, line by line and cut anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "mail/local_text.h"

#define BYTES(literal)                                                                         \
	{                                                                                      \
		literal, sizeof(literal) - 1                                                   \
	}

static const struct row {
	enum local_text_cr rule;
	bool dot_ends;
	struct view in, out;
} rows[] = {
	{ LOCAL_TEXT_CR_ALWAYS, true, BYTES(""), BYTES("") },
	{ LOCAL_TEXT_CR_ALWAYS, true, BYTES("a\nb\n"), BYTES("a\r\nb\r\n") },
	{ LOCAL_TEXT_CR_ALWAYS, true, BYTES("a\r\nb"), BYTES("a\r\nb") },
	{ LOCAL_TEXT_CR_ALWAYS, true, BYTES("\n\r\n\n"), BYTES("\r\n\r\n\r\n") },
	{ LOCAL_TEXT_CR_ALWAYS, true, BYTES("a\rb\r\r\nc\r"), BYTES("a b \r\nc ") },
	{ LOCAL_TEXT_CR_ALWAYS, true, BYTES("\ra\n\r\r"), BYTES(" a\r\n  ") },
	{ LOCAL_TEXT_CR_ALWAYS, true, BYTES("a\0b\n\0"), BYTES("a\0b\r\n\0") },
	{ LOCAL_TEXT_CR_ALWAYS, true, BYTES("a\n.\nb\n"), BYTES("a\r\n") },
	{ LOCAL_TEXT_CR_ALWAYS, true, BYTES(".\nb\n"), BYTES("") },
	{ LOCAL_TEXT_CR_ALWAYS, true, BYTES("a\n.\r\nb\n"), BYTES("a\r\n") },
	{ LOCAL_TEXT_CR_ALWAYS, true, BYTES("a\n."), BYTES("a\r\n") },
	{ LOCAL_TEXT_CR_ALWAYS, true, BYTES("a\n.\r"), BYTES("a\r\n. ") },
	{ LOCAL_TEXT_CR_ALWAYS, true, BYTES("a\n.\rb\n"), BYTES("a\r\n. b\r\n") },
	{ LOCAL_TEXT_CR_ALWAYS, true, BYTES("a\n..\n.b\n. \n"),
	    BYTES("a\r\n..\r\n.b\r\n. \r\n") },
	{ LOCAL_TEXT_CR_ALWAYS, true, BYTES("a\r.\nb\n"), BYTES("a .\r\nb\r\n") },
	{ LOCAL_TEXT_CR_ALWAYS, false, BYTES("a\n.\nb\n."), BYTES("a\r\n.\r\nb\r\n.") },
	/* the separator of mailboxes */
	{ LOCAL_TEXT_CR_ALWAYS, true, BYTES("From x y\nA: b\n"), BYTES("A: b\r\n") },
	{ LOCAL_TEXT_CR_ALWAYS, true, BYTES(">>From x y\r\nA: b\n"), BYTES("A: b\r\n") },
	{ LOCAL_TEXT_CR_ALWAYS, true, BYTES("From: x\n"), BYTES("From: x\r\n") },
	{ LOCAL_TEXT_CR_ALWAYS, true, BYTES(">>Fro\n"), BYTES(">>Fro\r\n") },
	{ LOCAL_TEXT_CR_ALWAYS, true, BYTES(">"), BYTES(">") },
	{ LOCAL_TEXT_CR_ALWAYS, true, BYTES("From"), BYTES("From") },
	{ LOCAL_TEXT_CR_ALWAYS, true, BYTES("From x"), BYTES("") },
	{ LOCAL_TEXT_CR_ALWAYS, true, BYTES("F>rom x\n"), BYTES("F>rom x\r\n") },
	{ LOCAL_TEXT_CR_ALWAYS, true, BYTES("a\nFrom x\n"), BYTES("a\r\nFrom x\r\n") },
	{ LOCAL_TEXT_CR_ALWAYS, true, BYTES("From x\nFrom y\n"), BYTES("From y\r\n") },
	/* sendmail_fix_line_endings */
	{ LOCAL_TEXT_CR_NEVER, true, BYTES("a\r\nb\n"), BYTES("a \r\nb\r\n") },
	{ LOCAL_TEXT_CR_NEVER, true, BYTES("a\n.\r\nb\n"), BYTES("a\r\n. \r\nb\r\n") },
	{ LOCAL_TEXT_CR_STRICT, true, BYTES("a\r\nb\r\nc\n"), BYTES("a\r\nb\r\nc\r\n") },
	{ LOCAL_TEXT_CR_STRICT, true, BYTES("a\nb\r\n"), BYTES("a\r\nb \r\n") },
	{ LOCAL_TEXT_CR_STRICT, true, BYTES("\nb\r\n"), BYTES("\r\nb \r\n") },
	{ LOCAL_TEXT_CR_STRICT, true, BYTES("From x\r\nb\r\n"), BYTES("b\r\n") },
	{ LOCAL_TEXT_CR_STRICT, true, BYTES("From x\nb\r\n"), BYTES("b \r\n") },
};

static void
check(const struct row *row, size_t step)
{
	struct buf out = BUF_INIT(1000);
	struct local_text t;

	local_text_init(&t, row->rule, row->dot_ends);
	for (size_t i = 0; i < row->in.n; i += step)
		local_text_feed(&t, view_sub(row->in, i, step), &out);
	local_text_end(&t, &out);
	if (!view_eq(buf_view(&out), row->out))
		print_message("row %td, step %zu: \"%s\"\n", row - rows, step, buf_str(&out));
	assert_true(view_eq(buf_view(&out), row->out));
	buf_done(&out);
}

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t step = 1; step <= rows[i].in.n + 1; step++)
			check(&rows[i], step);
	}
}

/* Nothing that goes in can make a bare CR or LF come out, and nothing is lost or piles up. */
static void
test_line_ends_of_all_short_texts(void **state)
{
	static const char alphabet[] = "\r\n.>x";
	struct buf out = BUF_INIT(1000);

	(void)state;
	for (unsigned n = 0; n < 5 * 5 * 5 * 5 * 5 * 5; n++) {
		char text[6];
		struct local_text t;
		unsigned rest = n;

		for (size_t i = 0; i < sizeof(text); i++, rest /= 5)
			text[i] = alphabet[rest % 5];
		buf_clear(&out);
		local_text_init(&t, (enum local_text_cr)(n % 3), n % 2);
		local_text_feed(&t, (struct view){ text, sizeof(text) }, &out);
		local_text_end(&t, &out);
		assert_true(out.len <= 2 * sizeof(text));
		for (size_t i = 0; i < out.len; i++) {
			if (out.data[i] == '\n')
				assert_true(i > 0 && out.data[i - 1] == '\r');
			if (out.data[i] == '\r')
				assert_true(i + 1 < out.len && out.data[i + 1] == '\n');
		}
	}
	buf_done(&out);
}

static void
test_done_stops_reading(void **state)
{
	struct buf out = BUF_INIT(100);
	struct local_text t;

	(void)state;
	local_text_init(&t, LOCAL_TEXT_CR_ALWAYS, true);
	local_text_feed(&t, VIEW("a\n.\nb\n"), &out);
	assert_true(t.done);
	local_text_feed(&t, VIEW("c\n"), &out);
	local_text_end(&t, &out);
	assert_string_equal(buf_str(&out), "a\r\n");
	buf_done(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_line_ends_of_all_short_texts),
		cmocka_unit_test(test_done_stops_reading),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
