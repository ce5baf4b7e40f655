/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of a notice: a multipart/report of RFC 6522 with a part for people, a
 * message/delivery-status part (RFC 3464, RFC 6533) and what is returned of the original. Pure:
 * facts in, bytes out.
 *
 * Texts from outside are made safe here: one line, printable, and ASCII unless the notice is
 * itself an SMTPUTF8 message.
 */
#ifndef BOUNCE_REPORT_H
#define BOUNCE_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/view.h"
#include "conf/bounce_template.h"
#include "proto/notice.h"

#define REPORT_PIECE  (32 * 1024) /* what is built is handed on in pieces of about this size */
#define REPORT_REASON 1000        /* bytes of a reason that are shown */
#define REPORT_LINE   900         /* longer ones are broken: none passes 998 bytes */

/* What distinguishes the kinds: one row each. */
struct report_kind {
	enum notice_kind kind;
	bool is_copy; /* for the postmaster, beside the notice to the sender */
	enum bounce_template_kind template;
	const char *log_name; /* "sender non-delivery notification" */
	const char *text;     /* lines for the postmaster, in place of those of the template */
	const char *description; /* of the last part */
	bool to_sender;          /* with the null sender; else to the postmaster */
	bool may_be_whole;       /* the whole original may be returned, not only its header */
	bool will_retry;
	const char *default_status;
};

/* NULL when there is no such kind, or no copy of it for the postmaster. */
const struct report_kind *report_kind_find(uint64_t kind, bool is_copy);

/* A template with everything expanded; the text has LF line ends. */
struct report_words {
	struct view charset;
	struct view from;
	struct view subject, postmaster_subject;
	struct view text;
	bool is_8bit;
};

/* How much of the original comes last. */
enum report_original { REPORT_HEADER, REPORT_WHOLE };

struct report {
	const struct report_kind *kind;
	const struct report_words *words;
	const char *hostname;  /* myhostname */
	const char *mail_name; /* for X-Postfix-... */
	struct view id;        /* of the notice */
	struct view to;        /* internal form */
	struct view thread_id; /* Message-ID of the original, to answer to; or empty */
	struct view thread;    /* References of the original; or empty */
	bool utf8;             /* the notice needs SMTPUTF8 */
	bool is_8bit;          /* what is returned of the original has bytes above 127 */
	bool shows_final;      /* the reader may know where forwarded mail went */
	microseconds now;
	microseconds retry_until; /* for will_retry; 0: not known */
	enum report_original original;

	struct view queue_id; /* of the original */
	struct view sender;   /* likewise, internal form */
	struct view envelope_id;
	microseconds arrival;
	const struct notice_recipient *recipients;
	size_t recipient_count;
};

/*
 * Where the text goes: it collects in `text`, and send gets it in pieces. After a send that
 * returned false nothing more is sent.
 */
struct report_out {
	struct buf text;
	bool (*send)(void *context, struct view piece);
	void *context;
	bool failed;
};

void report_out_init(
    struct report_out *o, bool (*send)(void *context, struct view piece), void *context);
void report_out_flush(struct report_out *o); /* all of it */
void report_out_pass(struct report_out *o);  /* only when there is a piece together */
void report_out_done(struct report_out *o);

/* Whether anything in it has bytes above 127. */
bool report_has_8bit(const struct report *r);

/* Everything before the original, and everything behind it. */
void report_begin(struct report_out *o, const struct report *r);
void report_end(struct report_out *o, const struct report *r);

/* ---- what the files of the report share ---- */

/* text.c: v as one safe line of at most max bytes. */
void report_text(struct buf *out, struct view v, bool utf8, size_t max);
/* The number of bytes, at most n, that do not end inside a character. */
size_t report_whole_characters(struct view v, size_t n);
/* A folded field, words that are too long for a line broken. */
void report_field(struct buf *out, const char *name, struct view value);
/* Broken into lines of about 78 columns, all but the first after four blanks; ends the line. */
void report_paragraph(struct buf *out, struct view text);
/* "rfc822;a@b", or what RFC 6533 has for other addresses. address is in internal form. */
void report_address(struct buf *out, struct view address, const char *separator, bool utf8);

/*
 * recipient.c: the address that the reader of the report knows, and a reason that does not name
 * another one.
 */
struct view report_recipient_shown(const struct report *r, const struct notice_recipient *n);
void report_reason(struct buf *out, const struct report *r, const struct notice_recipient *n);

/* status_part.c: the two levels of message/delivery-status. */
void report_message_fields(struct buf *out, const struct report *r);
void report_recipient_fields(
    struct buf *out, const struct report *r, const struct notice_recipient *n);

#endif
