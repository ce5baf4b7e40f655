/* SPDX-License-Identifier: Apache-2.0 */
/* Replies: what texts of tables and policies become, and that nothing breaks the framing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/escape.h"
#include "base/mem.h"
#include "base/random.h"
#include "smtp/reply.h"

static void
parsing(void **state)
{
	static const struct {
		const char *text;
		int default_code;
		const char *default_status;
		const char *wire;
	} rows[] = {
		{ "550 5.7.1 no", 554, "5.7.0", "550 5.7.1 no\r\n" },
		{ "450 later", 554, "5.7.1", "450 4.7.1 later\r\n" },
		{ "5.1.2 no", 450, "4.7.1", "450 4.1.2 no\r\n" },
		{ "4.7.1 no", 554, "5.7.1", "554 5.7.1 no\r\n" },
		{ "text only", 554, "5.7.1", "554 5.7.1 text only\r\n" },
		{ "5.7.2", 554, "5.7.1", "554 5.7.2\r\n" },
		{ "550", 554, "5.7.1", "550 5.7.1\r\n" },
		{ "550 5.7.2", 554, "5.7.1", "550 5.7.2\r\n" },
		{ "550 5.7.2 ", 554, "5.7.1", "550 5.7.2\r\n" },
		{ "", 554, "5.7.1", "554 5.7.1\r\n" },
		{ "", 554, NULL, "554 \r\n" },
		{ "550", 554, "", "550 \r\n" },
		{ "550 text", 554, NULL, "550 text\r\n" },
		{ "354 go on", 250, "2.0.0", "354 go on\r\n" },
		{ "250 2.1.0 Ok", 250, NULL, "250 2.1.0 Ok\r\n" },
		{ "600 x", 554, "5.7.1", "554 5.7.1 600 x\r\n" },
		{ "199 x", 554, "5.7.1", "554 5.7.1 199 x\r\n" },
		{ "561 x", 554, "5.7.1", "554 5.7.1 561 x\r\n" },
		{ "5500 x", 554, "5.7.1", "554 5.7.1 5500 x\r\n" },
		{ "55", 554, "5.7.1", "554 5.7.1 55\r\n" },
		{ "550-x", 554, "5.7.1", "554 5.7.1 550-x\r\n" },
		{ "550 5.7 x", 554, "5.7.1", "550 5.7.1 5.7 x\r\n" },
		{ "550 one\ntwo", 554, "5.7.1", "550-5.7.1 one\r\n550 5.7.1 two\r\n" },
		{ "550 one\r\ntwo\r\n", 554, "5.7.1", "550-5.7.1 one\r\n550 5.7.1 two\r\n" },
		{ "550 a\rb\x01\x7f\x1b[2J\tc", 554, NULL, "550 a?b???[2J\tc\r\n" },
		{ "550 \xc3\xa9 \xff \xc2\x85", 554, NULL, "550 \xc3\xa9 ? ?\r\n" },
		{ "550 %s%n", 554, NULL, "550 %s%n\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = BUF_INIT(10000);
		struct smtp_reply r;

		smtp_reply_parse(
		    view_of(rows[i].text), rows[i].default_code, rows[i].default_status, &r);
		smtp_reply_print(&out, &r, true);
		assert_string_equal(buf_str(&out), rows[i].wire);
		buf_done(&out);
	}
}

static void
without_status(void **state)
{
	struct buf out = BUF_INIT(1000);
	struct smtp_reply r;

	(void)state;
	smtp_reply_parse(VIEW("550 5.7.1 no\nway"), 554, NULL, &r);
	smtp_reply_print(&out, &r, false);
	assert_string_equal(buf_str(&out), "550-no\r\n550 way\r\n");
	buf_done(&out);
}

/* RFC 5321 4.2: every line is code, '-' or ' ', text, CRLF, at most 512 bytes. */
static size_t
check_framing(struct view wire, int code)
{
	size_t lines = 0;
	bool last = false;

	while (wire.n) {
		size_t n = view_find(wire, '\n') + 1;

		assert_false(last);
		assert_true(n >= 6 && n <= SMTP_REPLY_LINE_MAX && n <= wire.n);
		assert_int_equal(
		    (wire.p[0] - '0') * 100 + (wire.p[1] - '0') * 10 + (wire.p[2] - '0'), code);
		assert_true(wire.p[3] == ' ' || wire.p[3] == '-');
		last = wire.p[3] == ' ';
		assert_int_equal(view_find(view_sub(wire, 0, n), '\r'), n - 2);
		assert_int_equal(view_find(view_sub(wire, 0, n), '\0'), n);
		wire = view_sub(wire, n, wire.n);
		lines++;
	}
	assert_true(last);
	return lines;
}

static void
limits(void **state)
{
	static const struct {
		const char *what;
		size_t n, lines;
	} rows[] = {
		{ "x", 65536, 1 },
		{ "\xc3\xa9", 65536, 1 },
		{ "a\n", 65536, SMTP_REPLY_LINES_MAX },
		{ "a\n", 99, 99 },
		{ "\xff", 65536, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf text = BUF_INIT(1 << 20);
		struct buf out = BUF_INIT(1 << 20);
		struct smtp_reply r;

		for (size_t j = 0; j < rows[i].n; j++)
			buf_append_str(&text, rows[i].what);
		smtp_reply_parse(buf_view(&text), 554, "5.7.1", &r);
		smtp_reply_print(&out, &r, true);
		assert_int_equal(check_framing(buf_view(&out), 554), rows[i].lines);
		assert_true(utf8_is_valid(buf_view(&out)));
		if (i == 1) { /* 500 bytes behind "554 5.7.1 " */
			assert_int_equal(out.len, SMTP_REPLY_LINE_MAX);
			assert_int_equal(view_find(buf_view(&out), '?'), out.len);
		}
		buf_done(&text);
		buf_done(&out);
	}
}

/* A character of two bytes where only one more would fit is left out. */
static void
cut_between_characters(void **state)
{
	struct buf text = BUF_INIT(2000);
	struct buf out = BUF_INIT(2000);
	struct smtp_reply r;

	(void)state;
	buf_append_str(&text, "x");
	for (size_t i = 0; i < 600; i++)
		buf_append_str(&text, "\xc3\xa9");
	smtp_reply_parse(buf_view(&text), 554, "5.7.1", &r);
	smtp_reply_print(&out, &r, true);
	assert_int_equal(out.len, SMTP_REPLY_LINE_MAX - 1);
	assert_true(view_has_suffix(buf_view(&out), VIEW("\xc3\xa9\r\n")));
	buf_done(&text);
	buf_done(&out);
}

static void
random_texts(void **state)
{
	static const char alphabet[] = "5. -0\r\n\xc3\xa9x\x7f";

	(void)state;
	for (int round = 0; round < 50000; round++) {
		struct buf out = BUF_INIT(1 << 20);
		char text[40];
		size_t n = random_below(sizeof(text));
		struct smtp_reply r;

		for (size_t i = 0; i < n; i++)
			text[i] = alphabet[random_below(sizeof(alphabet))];
		smtp_reply_parse((struct view){ text, n }, 554, "5.7.1", &r);
		assert_true(r.code >= 200 && r.code < 600);
		smtp_reply_print(&out, &r, true);
		check_framing(buf_view(&out), r.code);
		buf_done(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parsing),
		cmocka_unit_test(without_status),
		cmocka_unit_test(limits),
		cmocka_unit_test(cut_between_characters),
		cmocka_unit_test(random_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
