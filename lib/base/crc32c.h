/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32C (Castagnoli, RFC 3720 appendix B.4); the processor's instruction where it has one. */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Start with 0; feed the result back to continue. */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);

/* The same without the instruction; public so that tests can compare the two. */
uint32_t crc32c_by_table(uint32_t crc, const void *p, size_t n);

#endif
