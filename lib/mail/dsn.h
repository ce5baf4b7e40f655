/* SPDX-License-Identifier: Apache-2.0 */
/* Enhanced status codes (RFC 3463) and DSN parameters (RFC 3461). */
#ifndef MAIL_DSN_H
#define MAIL_DSN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/view.h"

#define DSN_SIZE 12 /* "5.999.999" with its NUL, and room */

/*
 * Takes a status code off the front: class 2, 4 or 5, and two numbers of up to three digits. The
 * rest is what follows its blanks, possibly empty. False when there is none; *rest is then all.
 */
bool dsn_split(struct view text, struct view *code, struct view *rest);
bool dsn_is_valid(struct view code);

/* The same code with another class: '4' for "5.1.1" gives "4.1.1". */
void dsn_with_class(struct view code, char class_digit, char out[DSN_SIZE]);

/* NOTIFY=NEVER or a comma list of SUCCESS,FAILURE,DELAY as enum queue_notify bits; 0: malformed. */
unsigned dsn_notify_parse(struct view text);
void dsn_notify_print(struct buf *out, unsigned notify);

/*
 * xtext (RFC 3461 4). Decoding refuses lower-case hexadecimal digits as the RFC does, anything
 * outside "!".."~", and encoded NUL, CR and LF. False: malformed; out unchanged.
 */
bool xtext_decode(struct buf *out, struct view text);
void xtext_encode(struct buf *out, struct view raw);

/* "rfc822;user+2Bx@host" checked and decoded after the semicolon into "rfc822;user+x@host". */
bool dsn_orcpt_decode(struct buf *out, struct view text, bool utf8);

#endif
