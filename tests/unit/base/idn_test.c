/* SPDX-License-Identifier: Apache-2.0 */
/* Punycode: the samples of RFC 3492 section 7.1 (with ASCII in lower case), and what is
 * refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/idn.h"
#include "base/mem.h"

struct row {
	const char *domain;
	const char *expected; /* NULL: refused */
};

static const struct row rows[] = {
	{ "", "" },
	{ "example.org", "example.org" },
	{ "Example.ORG.", "Example.ORG." },
	{ "xn--bcher-kva", "xn--bcher-kva" },
	{ "b\u00fccher.example", "xn--bcher-kva.example" },
	{ "a.m\u00fcnchen.b", "a.xn--mnchen-3ya.b" },
	{ "\u00fc", "xn--tda" },
	{ "\u4ed6\u4eec\u4e3a\u4ec0\u4e48\u4e0d\u8bf4\u4e2d\u6587",
	    "xn--ihqwcrb4cv8a8dqg056pqjye" },
	{ "\u043f\u043e\u0447\u0435\u043c\u0443\u0436\u0435\u043e\u043d\u0438\u043d\u0435\u0433"
	  "\u043e\u0432\u043e\u0440\u044f\u0442\u043f\u043e\u0440\u0443\u0441\u0441\u043a"
	  "\u0438",
	    "xn--b1abfaaepdrnnbgefbadotcwatmq2g4l" },
	{ "3\u5e74B\u7d44\u91d1\u516b\u5148\u751f", "xn--3b-ww4c5e180e575a65lsy2b" },
	{ "\u305d\u306e\u30b9\u30d4\u30fc\u30c9\u3067", "xn--d9juau41awczczp" },
	{ "\xf0\x9f\x93\xa7.example", "xn--du8h.example" },
	{ "a\xff", NULL },
	{ "\xc3", NULL },
};

static void
domains(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = BUF_INIT(1000);
		bool ok = idn_to_ascii(view_of(rows[i].domain), &out);
		if (ok != (rows[i].expected != NULL))
			fail_msg("row %zu", i);
		if (ok && strcmp(buf_str(&out), rows[i].expected) != 0)
			fail_msg("row %zu: got %s", i, buf_str(&out));
		buf_done(&out);
	}
}

static void
long_labels(void **state)
{
	char label[200];
	struct buf out = BUF_INIT(1000);

	(void)state;
	/* 63 characters, and more than 63 */
	for (size_t n = 60; n < 100; n++) {
		memset(label, 'a', n);
		memcpy(label + n, "\u00fc", 3);
		assert_false(idn_to_ascii(view_of(label), &out));
		buf_clear(&out);
	}
	memset(label, 'a', 50);
	memcpy(label + 50, "\u00fc", 3);
	assert_true(idn_to_ascii(view_of(label), &out));
	assert_true(out.len <= 63);
	buf_done(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(domains),
		cmocka_unit_test(long_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
