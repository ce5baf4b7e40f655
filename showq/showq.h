/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of showq: session.c has the conversation, source.c where the messages come from,
 * list.c and summary.c what is told of them.
 */
#ifndef SHOWQ_SHOWQ_H
#define SHOWQ_SHOWQ_H

#include "conf/conf.h"
#include "ipc/ipc.h"
#include "queue/queue.h"
#include "queue/walk.h"
#include "service/authorize.h"
#include "service/service.h"

struct showq {
	const struct conf *conf;
	const struct conf_values *values;
	struct authorize *viewers;
	struct queue *queue;
};
extern struct showq showq;

/* session.c */
void session_run(const struct service_connection *c);

/* source.c: the messages of the queue, a few at a time. */
struct source {
	struct queue_index *index;
	struct queue_walk *walk;
	const struct queue_filter *filter;
	size_t count;    /* read by the last call */
	const char *why; /* what could not be read, or NULL */
};
void source_open(struct source *s, const struct queue_filter *filter);
bool source_read(struct source *s); /* false at the end */
void source_close(struct source *s);
/* The name to be shown: "active" for what qmgr works on, or will as soon as it can. */
const char *source_place_name(enum queue_place place);

/* list.c: sends everything but the end. *error: why the listing is not complete, or "". */
enum ipc_result list_queue(
    struct ipc *client, const struct queue_filter *filter, const char **error);

/* list_maildrop.c: the same for submissions that wait for pickup. */
enum ipc_result list_maildrop(struct ipc *client, const char **error);

/* summary.c: likewise. */
enum ipc_result summary_send(
    struct ipc *client, const struct queue_filter *filter, const char **error);

/* reason.c: a reason without what differs from host to host; pure. */
void reason_generalize(struct buf *out, struct view reason);

/* Until a client has taken what was sent: somebody may be paging through it. */
#define LIST_TIME (3600 * SECOND)

#endif
