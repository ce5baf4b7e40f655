/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bounded reader under every parser. After a failure nothing is left to read, so loops that
 * run until the end of the input end; the place of the failure stays in `p`.
 */
#include "base/cursor.h"

struct cursor
cursor_of(struct view v)
{
	const char *p = v.n ? v.p : "";

	return (struct cursor){ .p = p, .end = p + v.n };
}

size_t
cursor_left(const struct cursor *c)
{
	return c->failed ? 0 : (size_t)(c->end - c->p);
}

bool
cursor_at_end(const struct cursor *c)
{
	return cursor_left(c) == 0;
}

struct view
cursor_rest(const struct cursor *c)
{
	return (struct view){ c->p, cursor_left(c) };
}

void
cursor_fail(struct cursor *c)
{
	c->failed = true;
}

int
cursor_peek(const struct cursor *c)
{
	return cursor_left(c) ? (unsigned char)*c->p : -1;
}

char
cursor_take(struct cursor *c)
{
	if (cursor_left(c))
		return *c->p++;
	cursor_fail(c);
	return 0;
}

bool
cursor_skip(struct cursor *c, char byte)
{
	if (cursor_left(c) == 0 || *c->p != byte)
		return false;
	c->p++;
	return true;
}

void
cursor_expect(struct cursor *c, char byte)
{
	if (!cursor_skip(c, byte))
		cursor_fail(c);
}

struct view
cursor_take_n(struct cursor *c, size_t n)
{
	struct view taken = { c->p, n };

	if (c->failed || n > cursor_left(c)) {
		cursor_fail(c);
		return VIEW_NONE;
	}
	c->p += n;
	return taken;
}

struct view
cursor_take_while(struct cursor *c, bool (*is)(char))
{
	size_t left = cursor_left(c);
	size_t n = 0;

	while (n < left && is(c->p[n]))
		n++;
	c->p += n;
	return (struct view){ c->p - n, n };
}

void
cursor_skip_blanks(struct cursor *c)
{
	size_t left = cursor_left(c);

	for (; left && (*c->p == ' ' || *c->p == '\t'); left--)
		c->p++;
}

static uint64_t
cursor_int(struct cursor *c, size_t n)
{
	struct view bytes = cursor_take_n(c, n);
	uint64_t value = 0;

	for (size_t i = 0; i < bytes.n; i++)
		value = value << 8 | (unsigned char)bytes.p[i];
	return value;
}

uint8_t
cursor_u8(struct cursor *c)
{
	return (uint8_t)cursor_int(c, 1);
}

uint16_t
cursor_u16(struct cursor *c)
{
	return (uint16_t)cursor_int(c, 2);
}

uint32_t
cursor_u32(struct cursor *c)
{
	return (uint32_t)cursor_int(c, 4);
}

uint64_t
cursor_u64(struct cursor *c)
{
	return cursor_int(c, 8);
}
