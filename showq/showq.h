/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of showq: session.c has the conversation, list.c what is told in it. */
#ifndef SHOWQ_SHOWQ_H
#define SHOWQ_SHOWQ_H

#include "conf/conf.h"
#include "ipc/ipc.h"
#include "queue/queue.h"
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

/* list.c: sends everything but the end. *error: why the listing is not complete, or "". */
enum ipc_result list_queue(struct ipc *client, const char **error);

/* list_maildrop.c: the same for submissions that wait for pickup. */
enum ipc_result list_maildrop(struct ipc *client, const char **error);

/* Until a client has taken what was sent: somebody may be paging through it. */
#define LIST_TIME (3600 * SECOND)

#endif
