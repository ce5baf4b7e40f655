/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines, MAIL and RCPT words, ESMTP parameters, BDAT. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "smtp/command_line.h"

static void
splitting(void **state)
{
	static const struct {
		struct view line, verb, argument;
		unsigned bytes;
	} rows[] = {
		{ VIEW("QUIT"), VIEW("QUIT"), VIEW(""), 0 },
		{ VIEW("mail FROM:<a@b> SIZE=1"), VIEW("mail"), VIEW("FROM:<a@b> SIZE=1"), 0 },
		{ VIEW("EHLO  x.example \t"), VIEW("EHLO"), VIEW("x.example"), 0 },
		{ VIEW(" \tRSET"), VIEW("RSET"), VIEW(""), 0 },
		{ VIEW(""), VIEW(""), VIEW(""), 0 },
		{ VIEW("  "), VIEW(""), VIEW(""), 0 },
		{ VIEW("NOOP\0x"), VIEW("NOOP\0x"), VIEW(""), COMMAND_HAS_NUL },
		{ VIEW("MAIL FROM:<a\0>"), VIEW("MAIL"), VIEW("FROM:<a\0>"), COMMAND_HAS_NUL },
		{ VIEW("NOOP a\rb"), VIEW("NOOP"), VIEW("a\rb"), COMMAND_HAS_CONTROL },
		{ VIEW("NOOP a\r"), VIEW("NOOP"), VIEW("a\r"), COMMAND_HAS_CONTROL },
		{ VIEW("NOOP \x7f"), VIEW("NOOP"), VIEW("\x7f"), COMMAND_HAS_CONTROL },
		{ VIEW("VRFY \xc3\xa9"), VIEW("VRFY"), VIEW("\xc3\xa9"), COMMAND_HAS_8BIT },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct command_line got = command_line_split(rows[i].line);

		assert_true(view_eq(got.verb, rows[i].verb));
		assert_true(view_eq(got.argument, rows[i].argument));
		assert_int_equal(got.bytes, rows[i].bytes);
	}
}

static void
colon_words(void **state)
{
	static const struct {
		const char *argument;
		bool strict;
		const char *rest; /* NULL: not there */
	} rows[] = {
		{ "FROM:<a@b>", false, "<a@b>" },
		{ "from: \t<a@b>", false, "<a@b>" },
		{ "from: <a@b>", true, " <a@b>" },
		{ "FROM :<a@b>", false, NULL },
		{ "FROM<a@b>", false, NULL },
		{ "FRO", false, NULL },
		{ "", false, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct cursor c = cursor_of(view_of(rows[i].argument));
		bool ok = command_take_colon_word(&c, VIEW("FROM:"), rows[i].strict);

		assert_int_equal(ok, rows[i].rest != NULL);
		assert_true(
		    view_eq(cursor_rest(&c), view_of(ok ? rows[i].rest : rows[i].argument)));
	}
}

static void
parameters(void **state)
{
	static const char *const names[] = { "SIZE", "BODY", "XVERP" };
	static const struct {
		const char *text;
		const char *found; /* "SIZE=1,BODY;" ... ; ends with '!' when malformed */
	} rows[] = {
		{ "", "" },
		{ "  ", "" },
		{ " SIZE=1000", "SIZE=1000;" },
		{ " size=1 Body=8BITMIME SMTPUTF8", "size=1;Body=8BITMIME;SMTPUTF8;" },
		{ " XVERP=+=", "XVERP=+=;" },
		{ " AUTH=<>", "AUTH=<>;" },
		{ "\tX-a=b", "X-a=b;" },
		{ " ORCPT=utf-8;\xc3\xa9", "ORCPT=utf-8;\xc3\xa9;" },
		{ " ORCPT=utf-8;\xc3", "!" },
		{ " SIZE=", "!" },
		{ " SIZE= 1", "!" },
		{ " =", "!" },
		{ " =x", "!" },
		{ " =\"", "!" },
		{ " \"\"\"\"=", "!" },
		{ " -X", "!" },
		{ " A=1 <b@c>", "A=1;!" },
		{ " A<1", "!" },
		{ " A=\x01", "!" },
		{ " A=1\x7f", "!" },
		{ " A\r", "!" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct cursor c = cursor_of(view_of(rows[i].text));
		struct buf got = BUF_INIT(1000);
		struct esmtp_param p;
		enum esmtp_result r;

		while ((r = esmtp_param_next(&c, &p)) == ESMTP_PARAM) {
			buf_append_view(&got, p.keyword);
			if (p.has_value)
				buf_printf(&got, "=%.*s", VIEW_ARG(p.value));
			buf_append_char(&got, ';');
		}
		if (r == ESMTP_MALFORMED)
			buf_append_char(&got, '!');
		assert_string_equal(buf_str(&got), rows[i].found);
		buf_done(&got);
	}
	assert_int_equal(esmtp_keyword_find(VIEW("body"), names, ARRAY_LEN(names)), 1);
	assert_int_equal(esmtp_keyword_find(VIEW("bod"), names, ARRAY_LEN(names)), -1);
	assert_int_equal(esmtp_keyword_find(VIEW(""), names, ARRAY_LEN(names)), -1);
}

static void
nul_in_parameter(void **state)
{
	struct cursor c = cursor_of(VIEW(" A=b\0c"));
	struct esmtp_param p;

	(void)state;
	assert_int_equal(esmtp_param_next(&c, &p), ESMTP_MALFORMED);
}

static void
duplicates(void **state)
{
	uint32_t seen = 0;

	(void)state;
	for (int i = 0; i < 32; i++)
		assert_true(esmtp_mark_first(&seen, i));
	for (int i = 0; i < 32; i++)
		assert_false(esmtp_mark_first(&seen, i));
}

static void
chunks(void **state)
{
	static const struct {
		const char *argument;
		bool ok, last;
		uint64_t size;
	} rows[] = {
		{ "0", true, false, 0 },
		{ "1000", true, false, 1000 },
		{ "86 LAST", true, true, 86 },
		{ "0 last", true, true, 0 },
		{ "5\t LAST", true, true, 5 },
		{ "9223372036854775807", true, false, INT64_MAX },
		{ "9223372036854775808", false, false, 0 },
		{ "18446744073709551616", false, false, 0 },
		{ "-1", false, false, 0 },
		{ "+1", false, false, 0 },
		{ "1e9", false, false, 0 },
		{ "0x10", false, false, 0 },
		{ "10 FOO", false, false, 0 },
		{ "10 LAST x", false, false, 0 },
		{ "10LAST", false, false, 0 },
		{ "LAST", false, false, 0 },
		{ "", false, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t size = 0;
		bool last = false;

		assert_int_equal(
		    bdat_parse(view_of(rows[i].argument), INT64_MAX, &size, &last), rows[i].ok);
		assert_int_equal(size, rows[i].size);
		assert_int_equal(last, rows[i].last);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(splitting),
		cmocka_unit_test(colon_words),
		cmocka_unit_test(parameters),
		cmocka_unit_test(nul_in_parameter),
		cmocka_unit_test(duplicates),
		cmocka_unit_test(chunks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
