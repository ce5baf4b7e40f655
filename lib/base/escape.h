/* SPDX-License-Identifier: Apache-2.0 */
/* Text from outside made safe to show: in a log line, a reply, a listing. */
#ifndef BASE_ESCAPE_H
#define BASE_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/view.h"

/*
 * Appends v with every byte that is neither printable ASCII nor part of a valid printable UTF-8
 * character as \ooo. Bidirectional controls, zero-width characters and C1 controls count as not
 * printable. Cut at max bytes of output, never inside a character.
 */
void escape_printable(struct buf *out, struct view v, size_t max);

/* Well-formed UTF-8 by RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF. */
bool utf8_is_valid(struct view v);
bool ascii_is_all(struct view v); /* no byte above 127 */

/*
 * One character off the front: its length in bytes (1..4) and code point, or 0 when malformed.
 */
size_t utf8_next(struct view v, unsigned *code_point);

/* JSON string contents without the quotes (RFC 8259); malformed UTF-8 becomes U+FFFD. */
void escape_json(struct buf *out, struct view v);

#endif
