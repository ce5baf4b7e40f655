/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text to number. Nothing is skipped, nothing wraps, nothing but digits is a number: what the
 * C library's functions let pass (signs, blanks, prefixes, a stop at the first wrong byte) has
 * opened mail servers more than once.
 */
#include "base/number.h"

static bool
digits_parse(struct view v, unsigned base, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;

	if (v.n == 0)
		return false;
	for (size_t i = 0; i < v.n; i++) {
		int digit = number_hex_digit(v.p[i]);

		if (digit < 0 || (unsigned)digit >= base)
			return false;
		if (__builtin_mul_overflow(value, base, &value) ||
		    __builtin_add_overflow(value, (uint64_t)digit, &value) || value > max)
			return false;
	}
	*out = value;
	return true;
}

bool
number_parse(struct view v, uint64_t max, uint64_t *out)
{
	return digits_parse(v, 10, max, out);
}

bool
number_parse_octal(struct view v, uint64_t max, uint64_t *out)
{
	return digits_parse(v, 8, max, out);
}

bool
number_parse_hex(struct view v, uint64_t *out)
{
	return v.n <= 16 && digits_parse(v, 16, UINT64_MAX, out);
}

int
number_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}
