/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of one transaction or one command: allocated piece by piece, given back whole. With
 * -DPOSTERN_ARENA_MALLOC=ON (the sanitizer builds) each piece is its own heap object. An arena
 * that was never used, or was reset, holds no memory.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/view.h"

struct arena_block;

struct arena {
	struct arena_block *blocks;
	size_t used; /* bytes handed out since the last reset */
};

#define ARENA_INIT                                                                             \
	{                                                                                      \
		0                                                                              \
	}

void *arena_alloc(struct arena *a, size_t n);    /* zeroed, aligned for any type */
char *arena_dup(struct arena *a, struct view v); /* NUL-terminated */
struct view arena_view(struct arena *a, struct view v);
char *arena_printf(struct arena *a, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void arena_reset(struct arena *a);

#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))

#endif
