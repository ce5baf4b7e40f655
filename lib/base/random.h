/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Bytes from getrandom(2); the process ends if the kernel has none. */
void random_bytes(void *p, size_t n);

/* Uniform in 0..limit-1; limit > 0. Drawn from a per-process generator seeded by the kernel. */
uint64_t random_below(uint64_t limit);

#endif
