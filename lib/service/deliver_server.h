/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's side of deliver/1, which all delivery agents share: requests with their
 * recipients come in, the handler answers each recipient, and each answer is logged and told
 * to qmgr.
 */
#ifndef SERVICE_DELIVER_SERVER_H
#define SERVICE_DELIVER_SERVER_H

#include "base/arena.h"
#include "base/clock.h"
#include "ipc/ipc.h"
#include "proto/deliver.h"
#include "service/service.h"

#define DELIVER_RECIPIENTS_MAX 100000 /* in one request */

struct deliver_job {
	struct arena arena;
	struct deliver_request request; /* text in the arena; the descriptor is the server's */
	struct deliver_recipient *recipients;
	size_t count;
	microseconds handed; /* when the request was complete: for delays= */

	struct ipc *qmgr; /* the rest is the server's own */
	size_t room;
	bool failed;
};

/* What became of a recipient. */
struct deliver_answer {
	enum deliver_result result;
	struct view dsn;
	struct view reason;
	struct view relay;       /* empty: none */
	unsigned conn_use;       /* messages over the connection so far; 0: no such thing */
	struct view remote_host; /* for notices: who said so, empty for ourselves */
	bool destination_failed;
	bool dsn_passed_on, relayed, expanded; /* as in deliver_outcome */
	microseconds connected;                /* 0: no such step */
};

/*
 * Logs the recipient's to=<> line and sends the outcome. With soft_bounce a bounce becomes a
 * deferral here. False when qmgr is gone: the handler may stop, what is not answered counts as
 * not tried.
 */
bool deliver_answer_send(struct deliver_job *job, const struct deliver_recipient *r,
    const struct deliver_answer *answer);

/*
 * Serves one connection, request after request, until it ends or the process finishes. The
 * handler answers the recipients of a request in any order.
 */
void deliver_serve(
    const struct service_connection *c, void (*handler)(struct deliver_job *job));

#endif
