/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message for a server without 8BITMIME (RFC 6152 3): parts with bytes above 127 become
 * quoted-printable (RFC 2045 6.7), all others stay byte for byte. Only parts that hold no other
 * parts are encoded; what is around them is labelled 7bit. Header fields keep their bytes.
 *
 * Two passes over the same bytes: the first finds the parts concerned, the second converts.
 * Input has CRLF line ends and may come in pieces of any size.
 */
#ifndef MAIL_TO_7BIT_H
#define MAIL_TO_7BIT_H

#include "base/buf.h"
#include "base/view.h"
#include "mail/mime.h"

#define TO_7BIT_PARTS_MAX 4096  /* later ones are all encoded */
#define TO_7BIT_LINE_MAX  65536 /* of structure; a longer line is text */

struct to_7bit;
struct to_7bit *to_7bit_new(const struct mime_limits *limits);
void to_7bit_free(struct to_7bit **t);

void to_7bit_scan(struct to_7bit *t, struct view bytes);
void to_7bit_start(struct to_7bit *t); /* ends the first pass */

/* Appends the converted text: at most four times the input and some kilobytes. */
void to_7bit_feed(struct to_7bit *t, struct view bytes, struct buf *out);
void to_7bit_end(struct to_7bit *t, struct buf *out); /* a last line without its end */

#endif
