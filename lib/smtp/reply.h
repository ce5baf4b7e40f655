/* SPDX-License-Identifier: Apache-2.0 */
/* Replies of an SMTP server (RFC 5321 4.2), as a value: code, enhanced status, text. */
#ifndef SMTP_REPLY_H
#define SMTP_REPLY_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/view.h"

struct smtp_reply {
	int code;         /* 200..599 */
	char status[12];  /* "5.7.1", or "" for none */
	struct view text; /* one or more lines separated by LF */
};

/*
 * "550 5.7.1 text", "450 text" or "5.7.1 text" split up; a missing code or status comes from
 * the defaults, and a status whose class differs from the code's is made to agree.
 * default_status may be NULL or "". A 3xx code has no status. Never fails: text that cannot be
 * sent is masked when printed.
 */
void smtp_reply_parse(
    struct view text, int default_code, const char *default_status, struct smtp_reply *out);

#define SMTP_REPLY_LINE_MAX  512 /* with CRLF */
#define SMTP_REPLY_LINES_MAX 100

/*
 * Appends the lines as they go on the wire: "550-5.7.1 first" CRLF "550 5.7.1 last" CRLF. Bytes
 * that may not appear in a reply (controls, malformed UTF-8) become '?'; lines are cut at 512
 * bytes, never inside a character, and after SMTP_REPLY_LINES_MAX lines the rest is dropped.
 */
void smtp_reply_print(struct buf *out, const struct smtp_reply *r, bool with_status);

#endif
