/* SPDX-License-Identifier: Apache-2.0 */
/* Status codes, NOTIFY, xtext and ORCPT: RFC 3461, 3463, 6533 examples and malformed ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/random.h"
#include "mail/dsn.h"

static void
status_codes(void **state)
{
	static const struct {
		const char *text, *code, *rest;
	} rows[] = {
		{ "5.7.1 Relay access denied", "5.7.1", "Relay access denied" },
		{ "4.999.999 x", "4.999.999", "x" },
		{ "2.0.0", "2.0.0", "" },
		{ "5.7.2", "5.7.2", "" },
		{ "5.7.2   ", "5.7.2", "" },
		{ "5.7.2\ttext", "5.7.2", "text" },
		{ "5.7.1text", NULL, "5.7.1text" },
		{ "5.7.1.", NULL, "5.7.1." },
		{ "3.7.1 x", NULL, "3.7.1 x" },
		{ "5.7", NULL, "5.7" },
		{ "5.", NULL, "5." },
		{ "5", NULL, "5" },
		{ "", NULL, "" },
		{ "5..1 x", NULL, "5..1 x" },
		{ "5.7. x", NULL, "5.7. x" },
		{ "5.1000.1 x", NULL, "5.1000.1 x" },
		{ "5.1.1000 x", NULL, "5.1.1000 x" },
		{ "55.1.1 x", NULL, "55.1.1 x" },
		{ " 5.1.1 x", NULL, " 5.1.1 x" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct view code = VIEW_NONE;
		struct view rest;
		bool ok = dsn_split(view_of(rows[i].text), &code, &rest);

		assert_int_equal(ok, rows[i].code != NULL);
		assert_true(view_eq(rest, view_of(rows[i].rest)));
		assert_true(view_eq(code, view_of(rows[i].code)));
		assert_int_equal(dsn_is_valid(code), ok);
	}
	assert_false(dsn_is_valid(VIEW("5.7.1 ")));
}

static void
other_class(void **state)
{
	char out[DSN_SIZE];

	(void)state;
	dsn_with_class(VIEW("5.1.1"), '4', out);
	assert_string_equal(out, "4.1.1");
	dsn_with_class(VIEW("4.999.999"), '5', out);
	assert_string_equal(out, "5.999.999");
	dsn_with_class(VIEW("5.1.1 far too long for a code"), '5', out);
	assert_true(strlen(out) < DSN_SIZE);
}

static void
notify(void **state)
{
	static const struct {
		const char *text;
		unsigned notify;
		const char *printed;
	} rows[] = {
		{ "NEVER", DSN_NOTIFY_NEVER, "NEVER" },
		{ "never", DSN_NOTIFY_NEVER, "NEVER" },
		{ "SUCCESS", DSN_NOTIFY_SUCCESS, "SUCCESS" },
		{ "Delay,failure", DSN_NOTIFY_FAILURE | DSN_NOTIFY_DELAY, "FAILURE,DELAY" },
		{ "SUCCESS,FAILURE,DELAY",
		    DSN_NOTIFY_SUCCESS | DSN_NOTIFY_FAILURE | DSN_NOTIFY_DELAY,
		    "SUCCESS,FAILURE,DELAY" },
		{ "NEVER,SUCCESS", 0, "" },
		{ "SUCCESS,NEVER", 0, "" },
		{ "", 0, "" },
		{ ",", 0, "" },
		{ "SUCCESS,", 0, "" },
		{ ",SUCCESS", 0, "" },
		{ "SUCCESS,,DELAY", 0, "" },
		{ "SUCCESS DELAY", 0, "" },
		{ "SUCCESSS", 0, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = BUF_INIT(100);

		assert_int_equal(dsn_notify_parse(view_of(rows[i].text)), rows[i].notify);
		dsn_notify_print(&out, rows[i].notify);
		assert_string_equal(buf_str(&out), rows[i].printed);
		buf_done(&out);
	}
}

static void
xtext(void **state)
{
	static const struct {
		const char *encoded, *decoded;
	} rows[] = {
		{ "QQ314159", "QQ314159" },
		{ "a+2Bb+3Dc", "a+b=c" },
		{ "", "" },
		{ "a+20b", "a b" },
		{ "a+09b", "a\tb" },
		{ "a+E9", "a\xe9" },
		{ "a+2b", NULL },
		{ "a+", NULL },
		{ "a+2", NULL },
		{ "a+2G", NULL },
		{ "a++2B", NULL },
		{ "a=b", NULL },
		{ "a b", NULL },
		{ "a\xe9", NULL },
		{ "a+00", NULL },
		{ "a+0A", NULL },
		{ "a+0D", NULL },
		{ "a+1B", NULL },
		{ "a+7F", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = BUF_INIT(100);
		bool ok;

		buf_append_str(&out, "x");
		ok = xtext_decode(&out, view_of(rows[i].encoded));
		assert_int_equal(ok, rows[i].decoded != NULL);
		assert_string_equal(buf_str(&out) + 1, ok ? rows[i].decoded : "");
		buf_done(&out);
	}
}

static void
xtext_round_trip(void **state)
{
	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct buf encoded = BUF_INIT(1000);
		struct buf decoded = BUF_INIT(1000);
		char raw[32];

		random_bytes(raw, sizeof(raw));
		for (size_t i = 0; i < sizeof(raw); i++) {
			if ((unsigned char)raw[i] < ' ' || raw[i] == 0x7f)
				raw[i] = '+';
		}
		xtext_encode(&encoded, (struct view){ raw, sizeof(raw) });
		assert_true(xtext_decode(&decoded, buf_view(&encoded)));
		assert_int_equal(decoded.len, sizeof(raw));
		assert_memory_equal(buf_str(&decoded), raw, sizeof(raw));
		buf_done(&encoded);
		buf_done(&decoded);
	}
}

static void
original_recipient(void **state)
{
	static const struct {
		const char *text;
		bool utf8;
		const char *decoded;
	} rows[] = {
		{ "rfc822;Bob@Example.COM", false, "rfc822;Bob@Example.COM" },
		{ "rfc822;Carol+2Bx@Ivory.EDU", false, "rfc822;Carol+x@Ivory.EDU" },
		{ "x-local;joe", false, "x-local;joe" },
		{ "utf-8;jos\\x{E9}@example.com", false, "utf-8;jos\xc3\xa9@example.com" },
		{ "UTF-8;\\x{1F600}", false, "UTF-8;\xf0\x9f\x98\x80" },
		{ "utf-8;a\\x{5C}b\\x{2B}", false, "utf-8;a\\b+" },
		{ "utf-8;jos\xc3\xa9@example.com", true, "utf-8;jos\xc3\xa9@example.com" },
		{ "utf-8;jos\xc3\xa9@example.com", false, NULL },
		{ "utf-8;\\x{D800}", true, NULL },
		{ "utf-8;\\x{0A}", true, NULL },
		{ "utf-8;\\x{85}", true, NULL },
		{ "utf-8;\\x{e9}", true, NULL },
		{ "utf-8;\\x{110000}", true, NULL },
		{ "utf-8;\\x{1234567}", true, NULL },
		{ "utf-8;\\x{E9", true, NULL },
		{ "utf-8;\\x}", true, NULL },
		{ "utf-8;\\", true, NULL },
		{ "utf-8;a+2B", true, NULL },
		{ "utf-8;\xc3", true, NULL },
		{ "rfc822;jos\xc3\xa9", true, NULL },
		{ "rfc822;", false, NULL },
		{ ";a", false, NULL },
		{ "rfc822", false, NULL },
		{ "rfc 822;a", false, NULL },
		{ "", false, NULL },
		{ "rfc822;a+0Ab", false, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = BUF_INIT(100);
		bool ok = dsn_orcpt_decode(&out, view_of(rows[i].text), rows[i].utf8);

		if (ok != (rows[i].decoded != NULL))
			fail_msg("%s", rows[i].text);
		assert_string_equal(buf_str(&out), ok ? rows[i].decoded : "");
		buf_done(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_codes),
		cmocka_unit_test(other_class),
		cmocka_unit_test(notify),
		cmocka_unit_test(xtext),
		cmocka_unit_test(xtext_round_trip),
		cmocka_unit_test(original_recipient),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
