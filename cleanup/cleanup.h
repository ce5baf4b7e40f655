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

#define CLEANUP_HEADER_MAX     (2 * 1024 * 1024)  /* bytes of all header fields */
#define CLEANUP_RECIPIENTS_MAX (12 * 1024 * 1024) /* bytes of all recipients, as stored */
#define CLEANUP_INBOUND_MAX    3600               /* seconds to wait for the next frame */

/* What went wrong, kept until `end`; the first one counts. */
struct verdict {
	enum submit_result result; /* SUBMIT_OK so far */
	const char *dsn;           /* constant */
	const char *text;          /* constant, or from the message's arena */
};

enum message_phase { MESSAGE_HEADER, MESSAGE_BODY };

/* What the header says of itself. */
struct header_seen {
	bool date, message_id, from, destination, is_resent;
	bool resent_date, resent_message_id, resent_from;
	unsigned received;
};

struct message {
	struct arena arena;
	struct submit_begin facts;   /* text copied into the arena */
	struct queue_writer *writer; /* NULL once a refused message was let go */
	struct verdict verdict;
	bool hold; /* to be stored in the hold queue */
	enum message_phase phase;
	struct buf header;        /* original header block while it arrives */
	size_t header_line;       /* where its line that is still coming starts */
	size_t header_scanned;    /* up to here that line has no end */
	bool header_unterminated; /* the body began without an empty line before it */
	struct header_seen seen;
	struct buf out; /* final header block */
	uint64_t content_size;
	struct hash *recipients_seen; /* the duplicate filter */
	size_t recipients_size;       /* bytes, as stored */
	size_t recipients_given;      /* by the client, before expansion and copies */
	struct view first_recipient;  /* for Received: ... for <> */
	struct view message_id, resent_message_id;
	struct mime_state *mime; /* only when a strict_ parameter asks for it */
	struct buf mime_line;    /* a body line split over frames, for mime */
};

/* What all messages share. Set before the jail. */
struct cleanup {
	struct queue *queue;
	struct ipc_pool *qmgr;
	int flow; /* of queue/flow.h */
	const struct conf_values *conf;
	struct hash *drop_headers; /* lower-case names of message_drop_headers */
	struct router *router;     /* NULL: no virtual_alias_maps */
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

/* The verdict; the first one counts. What the message holds is let go later: callers go on. */
void message_refuse(
    struct message *m, enum submit_result result, const char *dsn, const char *text);
bool message_is_refused(const struct message *m);

/* For a queue file that could not be written; logged. */
void message_refuse_disk(struct message *m, enum queue_result result, const char *why);

/* The same for a structure that a strict_ parameter forbids, logged with the line at fault. */
void message_reject_mime(struct message *m, const char *text, struct view line);

/* header_collect.c: finds the end of the header, at which the body begins. */
void header_content(struct message *m, struct view bytes);
void header_content_end(struct message *m);

/*
 * The length of a mailbox separator on top of the header, with the lines that continue it; 0
 * when there is none. "From " with or without '>' before it, unless it is a field.
 */
size_t header_separator_length(struct view header);

/* body.c: everything behind the header; begin is told what the header was. */
void body_begin(struct message *m, struct view header);
void body_content(struct message *m, struct view bytes);
void body_end(struct message *m);

/*
 * header.c: the original block is complete. Survey notes what is there and finds the recipients
 * of sendmail -t; write makes m->out and gives it to the queue writer.
 */
void header_survey(struct message *m);
void header_write(struct message *m);

/* The words of a list such as message_drop_headers, in lower case. */
struct hash *header_names_new(const char *list);

/* header_missing.c: adds what RFC 5322 wants and the message lacks. */
void header_add_missing(struct message *m);

/* full_name.c: a person's name as the phrase or the comment of an address. */
void full_name_print(struct buf *out, struct view name, const char *charset, bool is_comment);

/* recipients.c */
void recipient_add(struct message *m, const struct submit_recipient *r);
void recipients_extract(struct message *m, struct view field_value);
void recipients_add_always_bcc(struct message *m);

#endif
