/* SPDX-License-Identifier: Apache-2.0 */
/* Enhanced status codes (RFC 3463) and DSN parameters (RFC 3461). */
#ifndef MAIL_DSN_H
#define MAIL_DSN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/view.h"

#define DSN_SIZE 12 /* "5.999.999" with its NUL, and room */

/* NOTIFY of RFC 3461; the same bits as enum queue_notify. */
enum dsn_notify {
	DSN_NOTIFY_NEVER = 1,
	DSN_NOTIFY_SUCCESS = 2,
	DSN_NOTIFY_FAILURE = 4,
	DSN_NOTIFY_DELAY = 8,
};

/*
 * Takes a status code off the front: class 2, 4 or 5, and two numbers of up to three digits.
 * The rest is what follows its blanks, possibly empty. False when there is none; *rest is then
 * all.
 */
bool dsn_split(struct view text, struct view *code, struct view *rest);
bool dsn_is_valid(struct view code);

/* The same code with another class: '4' for "5.1.1" gives "4.1.1". */
void dsn_with_class(struct view code, char class_digit, char out[DSN_SIZE]);

/* "NEVER" or a comma list of SUCCESS, FAILURE, DELAY as enum dsn_notify bits; 0: malformed. */
unsigned dsn_notify_parse(struct view text);
void dsn_notify_print(struct buf *out, unsigned notify);

/*
 * xtext (RFC 3461 4). Decoding refuses lower-case hexadecimal digits as the RFC does, anything
 * outside "!".."~", "=", and encoded control characters other than TAB. False: malformed; out
 * unchanged.
 */
bool xtext_decode(struct buf *out, struct view text);
void xtext_encode(struct buf *out, struct view raw);

/*
 * "rfc822;user+2Bx@host" checked and decoded after the semicolon into "rfc822;user+x@host". The
 * type utf-8 has the encoding of RFC 6533 ("\x{E9}"), with utf8 also bytes above 127.
 */
bool dsn_orcpt_decode(struct buf *out, struct view text, bool utf8);

#endif
