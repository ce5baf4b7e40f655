/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growing buffers. The memory doubles until the maximum, so that appending costs constant time
 * on average, and every append is all or nothing: a reader never sees half of what was given.
 * The byte behind the contents is always NUL once there is memory at all.
 */
#include "base/buf.h"

#include <assert.h>
#include <stdio.h>

#include "base/mem.h"

#define FIRST_SIZE 64

/* Whatever the caller allowed, len + 1 must stay far from wrapping. */
#define SIZE_LIMIT (SIZE_MAX / 4)

void
buf_init(struct buf *b, size_t max)
{
	*b = (struct buf)BUF_INIT(max);
}

void
buf_done(struct buf *b)
{
	mem_free(b->data);
	buf_init(b, b->max);
}

void
buf_clear(struct buf *b)
{
	b->len = 0;
	b->overflow = false;
	if (b->data)
		b->data[0] = '\0';
}

void
buf_shrink(struct buf *b)
{
	if (b->len)
		return;
	mem_free(b->data);
	b->data = NULL;
	b->cap = 0;
}

/* Room for n more bytes and the NUL, out of line: most appends find it there. */
static __attribute__((noinline)) bool
buf_grow(struct buf *b, size_t n)
{
	size_t max = b->max < SIZE_LIMIT ? b->max : SIZE_LIMIT;
	size_t size;

	if (b->len > max || n > max - b->len) {
		b->overflow = true;
		return false;
	}
	size = b->cap > max / 2 ? max + 1 : b->cap * 2;
	if (size < FIRST_SIZE)
		size = max + 1 < FIRST_SIZE ? max + 1 : FIRST_SIZE;
	if (size < b->len + n + 1)
		size = b->len + n + 1;
	b->data = mem_resize(b->data, size, 1);
	b->cap = size;
	b->data[b->len] = '\0';
	return true;
}

/* cap never exceeds max + 1, so what fits into the memory also respects the maximum. */
static inline bool
buf_has_room(struct buf *b, size_t n)
{
	return n < b->cap - b->len || buf_grow(b, n);
}

bool
buf_append(struct buf *b, const void *p, size_t n)
{
	if (n == 0)
		return true;
	if (!buf_has_room(b, n))
		return false;
	memcpy(b->data + b->len, p, n);
	b->len += n;
	b->data[b->len] = '\0';
	return true;
}

bool
buf_append_view(struct buf *b, struct view v)
{
	return buf_append(b, v.p, v.n);
}

bool
buf_append_str(struct buf *b, const char *s)
{
	return buf_append(b, s, strlen(s));
}

bool
buf_append_char(struct buf *b, char c)
{
	if (!buf_has_room(b, 1))
		return false;
	b->data[b->len++] = c;
	b->data[b->len] = '\0';
	return true;
}

bool
buf_printf(struct buf *b, const char *format, ...)
{
	va_list ap;
	bool ok;

	va_start(ap, format);
	ok = buf_vprintf(b, format, ap);
	va_end(ap);
	return ok;
}

bool
buf_vprintf(struct buf *b, const char *format, va_list ap)
{
	size_t room = b->cap - b->len;
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(room ? b->data + b->len : NULL, room, format, ap);
	if (n >= 0 && (size_t)n >= room && buf_grow(b, (size_t)n))
		n = vsnprintf(b->data + b->len, (size_t)n + 1, format, again);
	else if (n < 0 || (size_t)n >= room)
		n = -1;
	va_end(again);
	if (n < 0) {
		b->overflow = true;
		if (b->data)
			b->data[b->len] = '\0';
		return false;
	}
	b->len += (size_t)n;
	return true;
}

char *
buf_reserve(struct buf *b, size_t n)
{
	return buf_has_room(b, n) ? b->data + b->len : NULL;
}

void
buf_commit(struct buf *b, size_t n)
{
	if (n == 0)
		return;
	assert(n < b->cap - b->len);
	b->len += n;
	b->data[b->len] = '\0';
}

void
buf_truncate(struct buf *b, size_t len)
{
	if (len >= b->len)
		return;
	b->len = len;
	b->data[len] = '\0';
}

void
buf_consume(struct buf *b, size_t n)
{
	if (n == 0)
		return;
	if (n >= b->len) {
		buf_truncate(b, 0);
		return;
	}
	b->len -= n;
	memmove(b->data, b->data + n, b->len + 1);
}

/* The low n bytes of the value, most significant first. */
static bool
buf_append_int(struct buf *b, uint64_t value, size_t n)
{
	unsigned char bytes[8];

	for (size_t i = n; i > 0; i--) {
		bytes[i - 1] = (unsigned char)value;
		value >>= 8;
	}
	return buf_append(b, bytes, n);
}

bool
buf_append_u16(struct buf *b, uint16_t value)
{
	return buf_append_int(b, value, 2);
}

bool
buf_append_u32(struct buf *b, uint32_t value)
{
	return buf_append_int(b, value, 4);
}

bool
buf_append_u64(struct buf *b, uint64_t value)
{
	return buf_append_int(b, value, 8);
}

struct view
buf_view(const struct buf *b)
{
	return (struct view){ buf_str(b), b->len };
}

const char *
buf_str(const struct buf *b)
{
	return b->data ? b->data : "";
}

char *
buf_steal(struct buf *b)
{
	char *data = b->data ? b->data : mem_strdup("");

	buf_init(b, b->max);
	return data;
}
