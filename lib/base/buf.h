/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An owned, growing run of bytes with a hard maximum, always followed by a NUL for convenience
 * (the NUL is not counted). An append that would pass the maximum adds nothing, returns false
 * and sets `overflow`, which stays set until buf_clear; a caller may check once at the end.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/view.h"

struct buf {
	char *data; /* never NULL to a reader: use buf_str */
	size_t len;
	size_t cap; /* bytes allocated, the NUL included */
	size_t max; /* the largest len */
	bool overflow;
};

/* An initialiser for a buffer of at most `maximum` bytes; nothing is allocated yet. */
#define BUF_INIT(maximum)                                                                      \
	{                                                                                      \
		.max = (maximum)                                                               \
	}

void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);   /* frees; the buffer may be used again */
void buf_clear(struct buf *b);  /* empties, keeps the memory */
void buf_shrink(struct buf *b); /* gives the memory of an empty buffer back */

bool buf_append(struct buf *b, const void *p, size_t n);
bool buf_append_view(struct buf *b, struct view v);
bool buf_append_str(struct buf *b, const char *s);
bool buf_append_char(struct buf *b, char c);
bool buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool buf_vprintf(struct buf *b, const char *format, va_list ap)
    __attribute__((format(printf, 2, 0)));

/* Room for n more bytes at data + len, or NULL past the maximum; buf_commit counts them in. */
char *buf_reserve(struct buf *b, size_t n);
void buf_commit(struct buf *b, size_t n);

/* Cuts to len bytes (no more than there are), or drops n bytes at the front. */
void buf_truncate(struct buf *b, size_t len);
void buf_consume(struct buf *b, size_t n);

/* Big-endian integers, for records and frames. */
bool buf_append_u16(struct buf *b, uint16_t value);
bool buf_append_u32(struct buf *b, uint32_t value);
bool buf_append_u64(struct buf *b, uint64_t value);

/* The contents. The string is "" for a buffer that never held anything. */
struct view buf_view(const struct buf *b);
const char *buf_str(const struct buf *b);

/* Takes the contents out as a heap string; the buffer is left empty. */
char *buf_steal(struct buf *b);

#endif
