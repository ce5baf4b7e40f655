/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32C against RFC 3720 B.4 and against its definition, by instruction and by table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/crc32c.h"
#include "base/mem.h"

typedef uint32_t crc_function(uint32_t crc, const void *p, size_t n);

static crc_function *const functions[] = { crc32c, crc32c_by_table };

static void
vectors(void **state)
{
	(void)state;
	static const uint8_t read_command[48] = { 0x01, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0x04, 0, 0, 0, 0, 0x14, 0, 0, 0, 0x18, 0x28, 0, 0,
		0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0 };
	uint8_t bytes[32];

	for (size_t f = 0; f < ARRAY_LEN(functions); f++) {
		crc_function *crc = functions[f];

		assert_int_equal(crc(0, "", 0), 0);
		assert_int_equal(crc(0, "123456789", 9), 0xe3069283);
		memset(bytes, 0, 32);
		assert_int_equal(crc(0, bytes, 32), 0x8a9136aa);
		memset(bytes, 0xff, 32);
		assert_int_equal(crc(0, bytes, 32), 0x62a8ab43);
		for (int i = 0; i < 32; i++)
			bytes[i] = (uint8_t)i;
		assert_int_equal(crc(0, bytes, 32), 0x46dd794e);
		for (int i = 0; i < 32; i++)
			bytes[i] = (uint8_t)(31 - i);
		assert_int_equal(crc(0, bytes, 32), 0x113fdb5c);
		assert_int_equal(crc(0, read_command, 48), 0xd9963a56);
	}
}

/* Bit by bit, as the polynomial says. */
static uint32_t
by_definition(const uint8_t *p, size_t n)
{
	uint32_t crc = 0xffffffff;

	for (; n; n--) {
		crc ^= *p++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
	}
	return ~crc;
}

/* Every length around the word size, at every alignment, whole and in two parts. */
static void
lengths_and_parts(void **state)
{
	(void)state;
	uint8_t bytes[80];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 167 + 13);
	for (size_t start = 0; start < 8; start++) {
		for (size_t n = 0; n <= 70; n++) {
			uint32_t expected = by_definition(bytes + start, n);
			size_t cut = n * 3 / 7;

			for (size_t f = 0; f < ARRAY_LEN(functions); f++) {
				uint32_t crc = functions[f](0, bytes + start, cut);

				assert_int_equal(functions[f](0, bytes + start, n), expected);
				assert_int_equal(
				    functions[f](crc, bytes + start + cut, n - cut), expected);
			}
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors),
		cmocka_unit_test(lengths_and_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
