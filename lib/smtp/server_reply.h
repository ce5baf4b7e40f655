/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replies of an SMTP server as a client reads them (RFC 5321 4.2): fed line by line, bounded in
 * every direction, and never guessed at. What is no reply is SERVER_REPLY_MALFORMED, and the
 * client does not know from there on what the server is answering. Pure.
 */
#ifndef SMTP_SERVER_REPLY_H
#define SMTP_SERVER_REPLY_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/view.h"
#include "mail/dsn.h"

#define SERVER_REPLY_LINE_MAX  4096 /* bytes of a line without its end */
#define SERVER_REPLY_LINES_MAX 250
#define SERVER_REPLY_TEXT_MAX  16384 /* kept of all lines; the rest is dropped */
#define SERVER_REPLY_SHOWN_MAX 900   /* bytes of a reply in a log line or notice */

enum server_reply_result { SERVER_REPLY_MORE, SERVER_REPLY_DONE, SERVER_REPLY_MALFORMED };

struct server_reply {
	int code;              /* 200..599, the same in all lines */
	unsigned lines;        /* so far */
	struct buf lines_text; /* as they came, without line ends, LF between them */
};

void server_reply_init(struct server_reply *r);
void server_reply_clear(struct server_reply *r); /* before the next one; keeps the memory */
void server_reply_done(struct server_reply *r);

/*
 * One line without its end: a code, then "-" when more lines follow, a blank or nothing when
 * none does. MALFORMED: no code of three digits from 200 to 599, another code than the lines
 * before, or more than SERVER_REPLY_LINES_MAX lines. A reply that is done or malformed takes no
 * more.
 */
enum server_reply_result server_reply_feed(struct server_reply *r, struct view line);

/* The first digit of the code; 0 before the first line. */
int server_reply_class(const struct server_reply *r);

/*
 * The enhanced status code (RFC 2034) of the last line, when its class is that of the code;
 * else "class.0.0".
 */
void server_reply_dsn(const struct server_reply *r, char out[DSN_SIZE]);

/*
 * Steps through the lines: *rest starts as buf_view(&r->lines_text); *text is what stands
 * behind code and separator. False at the end.
 */
bool server_reply_next(struct view *rest, struct view *text);

/* Appends all lines in one, blanks between them, escaped and cut for logs and notices. */
void server_reply_print(const struct server_reply *r, struct buf *out);

#endif
