/* SPDX-License-Identifier: Apache-2.0 */
/* Text to number: a row per input, and what must never pass. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/number.h"

#define UNTOUCHED 0xdeadbeefdeadbeefULL

struct row {
	const char *text;
	size_t n;
	uint64_t max;
	bool ok;
	uint64_t value;
};

#define ROW(text, max, ok, value)                                                              \
	{                                                                                      \
		text, sizeof(text) - 1, max, ok, value                                         \
	}

static const struct row decimal[] = {
	ROW("0", 0, true, 0),
	ROW("7", 7, true, 7),
	ROW("8", 7, false, 0),
	ROW("007", 7, true, 7),
	ROW("00000000000000000000000000000001", 9, true, 1),
	ROW("18446744073709551615", UINT64_MAX, true, UINT64_MAX),
	ROW("18446744073709551616", UINT64_MAX, false, 0),
	ROW("18446744073709551617", UINT64_MAX, false, 0),
	ROW("28446744073709551615", UINT64_MAX, false, 0),
	ROW("99999999999999999999999999", UINT64_MAX, false, 0),
	ROW("4294967296", UINT32_MAX, false, 0),
	ROW("4294967295", UINT32_MAX, true, UINT32_MAX),
	ROW("", UINT64_MAX, false, 0),
	ROW("+1", UINT64_MAX, false, 0),
	ROW("-1", UINT64_MAX, false, 0),
	ROW("-0", UINT64_MAX, false, 0),
	ROW(" 1", UINT64_MAX, false, 0),
	ROW("1 ", UINT64_MAX, false, 0),
	ROW("1\n", UINT64_MAX, false, 0),
	ROW("1\0", UINT64_MAX, false, 0),
	ROW("0x1", UINT64_MAX, false, 0),
	ROW("1a", UINT64_MAX, false, 0),
	ROW("a", UINT64_MAX, false, 0),
	ROW("1.0", UINT64_MAX, false, 0),
	ROW("1e3", UINT64_MAX, false, 0),
	ROW("1,000", UINT64_MAX, false, 0),
	ROW("\xb2", UINT64_MAX, false, 0), /* superscript two in Latin-1 */
	ROW("/", UINT64_MAX, false, 0),
	ROW(":", UINT64_MAX, false, 0),
};

static const struct row octal[] = {
	ROW("0600", 07777, true, 0600),
	ROW("7777", 07777, true, 07777),
	ROW("10000", 07777, false, 0),
	ROW("8", 07777, false, 0),
	ROW("068", 07777, false, 0),
	ROW("0o7", 07777, false, 0),
	ROW("", 07777, false, 0),
	ROW("1777777777777777777777", UINT64_MAX, true, UINT64_MAX),
	ROW("2000000000000000000000", UINT64_MAX, false, 0),
};

static const struct row hexadecimal[] = {
	ROW("0", 0, true, 0),
	ROW("aF09", 0, true, 0xaf09),
	ROW("ffffffffffffffff", 0, true, UINT64_MAX),
	ROW("00000000000000000", 0, false, 0), /* 17 digits */
	ROW("fffffffffffffffff", 0, false, 0),
	ROW("0x1", 0, false, 0),
	ROW("g", 0, false, 0),
	ROW("", 0, false, 0),
	ROW(" 1", 0, false, 0),
};

static bool
parse_hex(struct view v, uint64_t max, uint64_t *out)
{
	(void)max;
	return number_parse_hex(v, out);
}

static void
check(const struct row *rows, size_t count, bool (*parse)(struct view, uint64_t, uint64_t *))
{
	for (size_t i = 0; i < count; i++) {
		uint64_t value = UNTOUCHED;
		bool ok = parse((struct view){ rows[i].text, rows[i].n }, rows[i].max, &value);

		if (ok != rows[i].ok || value != (ok ? rows[i].value : UNTOUCHED))
			fail_msg("\"%s\" gave %d, %llu", rows[i].text, ok,
			    (unsigned long long)value);
	}
}

static void
decimals(void **state)
{
	(void)state;
	check(decimal, ARRAY_LEN(decimal), number_parse);
}

static void
octals(void **state)
{
	(void)state;
	check(octal, ARRAY_LEN(octal), number_parse_octal);
}

static void
hexadecimals(void **state)
{
	(void)state;
	check(hexadecimal, ARRAY_LEN(hexadecimal), parse_hex);
}

static void
no_view(void **state)
{
	(void)state;
	uint64_t value = UNTOUCHED;

	assert_false(number_parse(VIEW_NONE, 10, &value));
	assert_false(number_parse_octal(VIEW_NONE, 10, &value));
	assert_false(number_parse_hex(VIEW_NONE, &value));
	assert_true(value == UNTOUCHED);
}

static void
hex_digits(void **state)
{
	(void)state;
	static const char digits[] = "0123456789abcdef";

	for (int c = 0; c < 256; c++) {
		char lower = char_lower((char)c);
		const char *at = c ? memchr(digits, lower, 16) : NULL;

		assert_int_equal(number_hex_digit((char)c), at ? at - digits : -1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decimals),
		cmocka_unit_test(octals),
		cmocka_unit_test(hexadecimals),
		cmocka_unit_test(no_view),
		cmocka_unit_test(hex_digits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
