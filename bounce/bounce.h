/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of bounce: one request of notice/1 is a struct notice; it becomes a report, and
 * the report a message that cleanup puts on disk.
 */
#ifndef BOUNCE_BOUNCE_H
#define BOUNCE_BOUNCE_H

#include "base/arena.h"
#include "bounce/report.h"
#include "conf/conf.h"
#include "ipc/ipc_pool.h"
#include "queue/queue.h"
#include "route/route.h"
#include "service/service.h"

#define BOUNCE_RECIPIENTS_MAX 100000         /* of one notice */
#define BOUNCE_TIME           (240 * SECOND) /* less than qmgr waits for an answer */

/* What all notices share. Set before the jail. */
struct bounce {
	const struct conf_values *conf;
	struct router *router;
	struct ipc_pool *cleanup;
};
extern struct bounce bounce;

struct notice {
	struct arena arena;
	struct notice_request request; /* text in the arena; owns the descriptor */
	struct notice_recipient *recipients;
	size_t count, cap;
	nanoseconds deadline; /* of all that is submitted for it */
	struct view header;   /* of the original, read when needed; in the arena */
};

/* session.c: one connection from qmgr, notice after notice. */
void session_run(const struct service_connection *c);

/* notice.c: makes and submits it, and the postmaster's copy; answers in *status. */
void notice_run(struct notice *n, struct notice_status *status);

/* words.c: loads the templates, before the jail; then those for a notice of this kind. */
void words_load(void);
const struct report_words *words_for(enum bounce_template_kind kind, bool utf8);

/* original.c */

/* The header block, whole fields up to bounce_size_limit; false: *why. */
bool original_header(struct notice *n, struct view *out, const char **why);
/* What is returned of the original, into the report. False: *why. */
bool original_write(
    struct notice *n, const struct report *r, struct report_out *o, const char **why);

/* submit.c: the report as a new message with this envelope; id is that of the new message. */
struct submission {
	struct notice *notice;
	struct report *report; /* its id is filled in */
	struct view sender;
	char id[QUEUE_ID_SIZE];
};
bool submit(struct submission *s, const char **why);

#endif
