/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heap memory. No function here returns NULL: a process that has no memory left says so on
 * standard error and exits with EX_OSERR, in this one place; master starts another.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* n bytes, not initialised; n may be 0. */
void *mem_alloc(size_t n);

/* count * size bytes, zeroed; a product that does not fit counts as no memory. */
void *mem_zero(size_t count, size_t size);

/* As realloc for count * size bytes. */
void *mem_resize(void *p, size_t count, size_t size);

/* A copy of n bytes with a NUL behind them. */
char *mem_dup(const void *p, size_t n);

char *mem_strdup(const char *s);

/* As free; NULL is fine. */
void mem_free(void *p);

/* printf into a new string. */
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define NEW(type)                       ((type *)mem_zero(1, sizeof(type)))
#define ARRAY_LEN(a)                    (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#endif
