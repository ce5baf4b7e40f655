/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines for servers with a limit (RFC 5321 4.5.3.1.6): a longer one goes on in the next, behind
 * a blank, which is what a folded header field looks like.
 */
#ifndef SMTP_LINE_FOLDER_H
#define SMTP_LINE_FOLDER_H

#include <stddef.h>

#include "base/buf.h"
#include "base/view.h"

struct line_folder {
	size_t limit;  /* bytes of a line without its end, at least 2 */
	size_t column; /* bytes of the line so far */
};

void line_folder_init(struct line_folder *f, size_t limit);

/* Input has CRLF line ends. The limit is that of bytes; no UTF-8 character is cut. */
void line_folder_feed(struct line_folder *f, struct view input, struct buf *out);

#endif
