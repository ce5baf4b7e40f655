/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRC-32C. x86 processors since 2008 and AArch64 have an instruction; elsewhere eight tables
 * take eight bytes per step. The tables (8 KiB) are computed when first needed, which on most
 * machines is never.
 */
#include "base/crc32c.h"

#include <endian.h>
#include <pthread.h>
#include <string.h>

#define POLYNOMIAL 0x82f63b78U /* 0x1edc6f41 with its bits reversed */

static uint32_t table[8][256];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void
fill_table(void)
{
	for (uint32_t byte = 0; byte < 256; byte++) {
		uint32_t crc = byte;

		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
		table[0][byte] = crc;
	}
	for (int i = 1; i < 8; i++) {
		for (int byte = 0; byte < 256; byte++) {
			uint32_t crc = table[i - 1][byte];

			table[i][byte] = crc >> 8 ^ table[0][crc & 0xff];
		}
	}
}

static inline uint64_t
load_word(const uint8_t *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

uint32_t
crc32c_by_table(uint32_t crc, const void *data, size_t n)
{
	const uint8_t *p = data;

	pthread_once(&table_once, fill_table);
	crc = ~crc;
	for (; n >= 8; p += 8, n -= 8) {
		uint64_t word = le64toh(load_word(p)) ^ crc;

		crc = 0;
		for (int i = 0; i < 8; i++)
			crc ^= table[7 - i][word >> (8 * i) & 0xff];
	}
	for (; n; n--)
		crc = crc >> 8 ^ table[0][(crc ^ *p++) & 0xff];
	return ~crc;
}

#if defined(__x86_64__)

#include <nmmintrin.h>

static uint32_t __attribute__((target("sse4.2")))
by_instruction(uint32_t crc, const uint8_t *p, size_t n)
{
	uint64_t wide = (uint32_t)~crc;

	for (; n >= 8; p += 8, n -= 8)
		wide = _mm_crc32_u64(wide, load_word(p));
	crc = (uint32_t)wide;
	for (; n; n--)
		crc = _mm_crc32_u8(crc, *p++);
	return ~crc;
}

uint32_t
crc32c(uint32_t crc, const void *p, size_t n)
{
	if (__builtin_cpu_supports("sse4.2"))
		return by_instruction(crc, p, n);
	return crc32c_by_table(crc, p, n);
}

#elif defined(__ARM_FEATURE_CRC32)

#include <arm_acle.h>

uint32_t
crc32c(uint32_t crc, const void *data, size_t n)
{
	const uint8_t *p = data;

	crc = ~crc;
	for (; n >= 8; p += 8, n -= 8)
		crc = __crc32cd(crc, le64toh(load_word(p)));
	for (; n; n--)
		crc = __crc32cb(crc, *p++);
	return ~crc;
}

#else

uint32_t
crc32c(uint32_t crc, const void *p, size_t n)
{
	return crc32c_by_table(crc, p, n);
}

#endif
