/* SPDX-License-Identifier: Apache-2.0 */
/* The one place where text from outside becomes a number, and the encodings of numbers. */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/view.h"

/*
 * Decimal digits only: no sign, no blank, not empty, at most max. *out is untouched on failure.
 */
bool number_parse(struct view v, uint64_t max, uint64_t *out);

/* The same for octal digits (file modes) and for exactly v.n hexadecimal digits. */
bool number_parse_octal(struct view v, uint64_t max, uint64_t *out);
bool number_parse_hex(struct view v, uint64_t *out);

/* -1 when c is no hexadecimal digit. */
int number_hex_digit(char c);

#endif
