/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of cleanup: one message is a struct message from submit/1.begin to its status. It
 * takes the content as it comes, makes the canonical header block, and commits a queue file.
 */
#ifndef CLEANUP_CLEANUP_H
#define CLEANUP_CLEANUP_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"
#include "conf/conf.h"
#include "ipc/ipc.h"
#include "mail/mime.h"
#include "proto/submit.h"
#include "queue/queue.h"
#include "queue/queue_file.h"
#include "service/service.h"

#define CLEANUP_HEADER_MAX  (2 * 1024 * 1024) /* bytes of all header fields of one message */
#define CLEANUP_INBOUND_MAX 3600              /* seconds to wait for the client's next frame */

/* What went wrong, kept until `end`; the first one counts. */
struct verdict {
	enum submit_result result; /* SUBMIT_OK so far */
	const char *dsn;           /* constant */
	const char *text;          /* constant, or from the message's arena */
};

enum message_phase { MESSAGE_HEADER, MESSAGE_BODY };

struct message {
	struct arena arena;
	struct submit_begin facts;   /* text copied into the arena */
	struct queue_writer *writer; /* NULL once refused */
	struct verdict verdict;
	enum message_phase phase;
	struct buf header; /* original header block while it arrives */
	struct buf out;    /* final header block */
	struct hash *seen; /* recipients so far: the duplicate filter */
	uint64_t content_size;
	struct view first_recipient; /* for Received: ... for <> */
	struct view message_id;
	struct mime_state *mime; /* only when a strict_ parameter asks for it */
	struct buf mime_line;    /* a body line split over frames, for mime */
	bool rejected_logged;
};

/* What all messages share. Set before the jail. */
struct cleanup {
	struct queue *queue;
	struct ipc_pool *qmgr;
	const struct conf_values *conf;
	struct hash *drop_headers; /* lower-case names of message_drop_headers */
};
extern struct cleanup cleanup;

/* session.c: one connection, message after message. */
void session_run(const struct service_connection *c);

/* message.c */
void message_begin(struct message *m, const struct submit_begin *begin);
void message_recipient(struct message *m, const struct submit_recipient *r);
void message_content(struct message *m, struct view bytes);
void message_end(struct message *m, struct submit_status *status);
void message_done(struct message *m);
void message_refuse(
    struct message *m, enum submit_result result, const char *dsn, const char *text);
bool message_is_refused(const struct message *m);

/* body.c: everything behind the header; begin is told what the header was. */
void body_begin(struct message *m, struct view header);
void body_content(struct message *m, struct view bytes);
void body_end(struct message *m);

/* header.c: the original block is complete; fills m->out. */
void header_finish(struct message *m);

/* "From " with or without '>' before it: an mbox separator that came on top of the header. */
bool line_is_separator(struct view line);

/* header_missing.c: adds what RFC 5322 wants and the message lacks. */
struct header_seen {
	bool date, message_id, from, destination, is_resent;
	bool resent_date, resent_message_id, resent_from;
	unsigned received;
};
void header_add_missing(struct message *m, const struct header_seen *seen);

/* recipients.c */
void recipient_add(struct message *m, const struct submit_recipient *r);
void recipients_extract(struct message *m, struct view field_value);
void recipients_add_always_bcc(struct message *m);

#endif
