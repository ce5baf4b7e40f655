/* SPDX-License-Identifier: Apache-2.0 */
/* What is taken from the lines of a reply to EHLO. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "smtp/ehlo.h"

static void
lines(void **state)
{
	static const struct {
		const char *line;
		unsigned features, xforward;
		uint64_t size;
	} rows[] = {
		{ "PIPELINING", EHLO_PIPELINING, 0, 0 },
		{ "pipelining", EHLO_PIPELINING, 0, 0 },
		{ "PIPELINING x", EHLO_PIPELINING, 0, 0 },
		{ "PIPELININGX", 0, 0, 0 },
		{ "SIZE", EHLO_SIZE, 0, 0 },
		{ "SIZE 10240000", EHLO_SIZE, 0, 10240000 },
		{ "SIZE 0", EHLO_SIZE, 0, 0 },
		{ "SIZE -1", EHLO_SIZE, 0, 0 },
		{ "SIZE 18446744073709551615", EHLO_SIZE, 0, UINT64_MAX },
		{ "SIZE 18446744073709551616", EHLO_SIZE, 0, 0 },
		{ "SIZE x", EHLO_SIZE, 0, 0 },
		{ "8BITMIME", EHLO_8BITMIME, 0, 0 },
		{ "AUTH PLAIN LOGIN", EHLO_AUTH, 0, 0 },
		{ "AUTH=PLAIN", EHLO_AUTH, 0, 0 },
		{ "XFORWARD NAME addr FOO", EHLO_XFORWARD, XFORWARD_NAME | XFORWARD_ADDR, 0 },
		{ "X-OTHER", 0, 0, 0 },
		{ "", 0, 0, 0 },
		{ " ", 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ehlo e = { 0 };

		ehlo_line(&e, view_of(rows[i].line));
		assert_int_equal(e.features, rows[i].features);
		assert_int_equal(e.xforward, rows[i].xforward);
		assert_true(e.size == rows[i].size);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
