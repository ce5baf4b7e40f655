/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded reader over a view with a sticky error: after the first failure every take returns
 * zero or an empty view and `failed` stays set, so a parser checks once at its end. No function
 * reads outside the view.
 */
#ifndef BASE_CURSOR_H
#define BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/view.h"

struct cursor {
	const char *p;
	const char *end;
	bool failed;
};

struct cursor cursor_of(struct view v);
size_t cursor_left(const struct cursor *c);
bool cursor_at_end(const struct cursor *c);
struct view cursor_rest(const struct cursor *c);
void cursor_fail(struct cursor *c);

/* The next byte as 0..255 without taking it, or -1 at the end or after a failure. */
int cursor_peek(const struct cursor *c);

/* Takes one byte; at the end it fails and returns 0. */
char cursor_take(struct cursor *c);

/* Takes the byte when it is there (skip), or fails when it is not (expect). */
bool cursor_skip(struct cursor *c, char byte);
void cursor_expect(struct cursor *c, char byte);

/* Takes exactly n bytes or fails. */
struct view cursor_take_n(struct cursor *c, size_t n);

/* Takes the longest run for which the predicate holds; may be empty. */
struct view cursor_take_while(struct cursor *c, bool (*is)(char));

/* Spaces and tabs. */
void cursor_skip_blanks(struct cursor *c);

/* Big-endian integers. */
uint8_t cursor_u8(struct cursor *c);
uint16_t cursor_u16(struct cursor *c);
uint32_t cursor_u32(struct cursor *c);
uint64_t cursor_u64(struct cursor *c);

#endif
