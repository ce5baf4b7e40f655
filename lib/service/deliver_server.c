/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deliver/1 with qmgr: a request with its recipients, an outcome for each as it comes, done,
 * and the next request on the same connection. A peer that breaks the order loses the
 * connection; recipients without an outcome are tried again then.
 */
#include "service/deliver_server.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "ipc/ipc_own.h"
#include "mail/dsn.h"
#include "proto/delivery_log.h"

#define FRAME_TIME (3600 * SECOND)

static nanoseconds
frame_deadline(void)
{
	return clock_deadline(FRAME_TIME);
}

static bool
request_bad(struct ipc *qmgr)
{
	const char *why = ipc_why(qmgr);

	log_warn("bad delivery request: %s", *why ? why : "unexpected message");
	return false;
}

static bool
recipient_take(struct deliver_job *job, const struct ipc_frame *frame)
{
	struct deliver_recipient r;

	if (!ipc_frame_decode(job->qmgr, frame, &deliver_recipient_message, &r) ||
	    job->count == DELIVER_RECIPIENTS_MAX)
		return false;
	if (job->count == job->room) {
		job->room = job->room ? 2 * job->room : 4;
		job->recipients =
		    mem_resize(job->recipients, job->room, sizeof(job->recipients[0]));
	}
	ipc_own(&deliver_recipient_message, &r, &job->arena);
	job->recipients[job->count++] = r;
	return true;
}

static bool
recipients_receive(struct deliver_job *job)
{
	struct ipc_frame frame;

	while (ipc_receive(job->qmgr, &frame, frame_deadline()) == IPC_OK) {
		if (ipc_frame_is(&frame, &deliver_go_message))
			return true;
		if (!ipc_frame_is(&frame, &deliver_recipient_message) ||
		    !recipient_take(job, &frame))
			return request_bad(job->qmgr);
	}
	return false;
}

/* soft_bounce: nothing is returned to its sender, everything is tried again. */
static const char *
soften(struct deliver_answer *a, char dsn[DSN_SIZE])
{
	if (a->result != DELIVER_BOUNCED || !service_values()->soft_bounce)
		return delivery_status_text(a->result);
	dsn_with_class(a->dsn, '4', dsn);
	a->dsn = view_of(dsn);
	a->result = DELIVER_DEFERRED;
	return "SOFTBOUNCE";
}

static void
answer_log(const struct deliver_job *job, const struct deliver_recipient *r,
    const struct deliver_answer *a, const char *status)
{
	struct delivery_line line = {
		.queue_id = job->request.queue_id,
		.address = r->address,
		.original = r->original,
		.relay = a->relay,
		.conn_use = a->conn_use,
		.dsn = a->dsn,
		.status = status,
		.reason = a->reason,
		.times = {
			.arrival = (microseconds)job->request.arrival,
			.queued = (microseconds)job->request.queued,
			.handed = job->handed,
			.connected = a->connected,
			.done = clock_wall(),
		},
	};

	delivery_log(&line);
}

bool
deliver_answer_send(struct deliver_job *job, const struct deliver_recipient *r,
    const struct deliver_answer *answer)
{
	struct deliver_answer a = *answer;
	char dsn[DSN_SIZE];
	const char *status = soften(&a, dsn);
	struct deliver_outcome outcome = {
		.index = r->index,
		.result = a.result,
		.dsn = a.dsn,
		.reason = a.reason,
		.relay = a.relay,
		.remote_host = a.remote_host,
		.destination_failed = a.destination_failed,
		.dsn_passed_on = a.dsn_passed_on,
		.relayed = a.relayed,
		.expanded = a.expanded,
	};

	answer_log(job, r, &a, status);
	if (job->failed ||
	    ipc_send(job->qmgr, &deliver_outcome_message, &outcome, frame_deadline()) != IPC_OK)
		job->failed = true;
	return !job->failed;
}

static bool
job_done_send(struct deliver_job *job)
{
	struct deliver_done done = { 0 };

	return !job->failed &&
	    ipc_send(job->qmgr, &deliver_done_message, &done, frame_deadline()) == IPC_OK &&
	    ipc_flush(job->qmgr, frame_deadline()) == IPC_OK;
}

/* True when the connection can serve another request. */
static bool
request_serve(
    struct ipc *qmgr, const struct ipc_frame *frame, void (*handler)(struct deliver_job *job))
{
	struct deliver_job job = { .request.message = -1, .qmgr = qmgr };
	bool ok;

	if (!ipc_frame_is(frame, &deliver_request_message) ||
	    !ipc_frame_decode(qmgr, frame, &deliver_request_message, &job.request))
		return request_bad(qmgr);
	ipc_own(&deliver_request_message, &job.request, &job.arena);
	ok = recipients_receive(&job);
	if (ok) {
		job.handed = clock_wall();
		handler(&job);
		ok = job_done_send(&job);
	}
	file_close(&job.request.message);
	mem_free(job.recipients);
	arena_reset(&job.arena);
	return ok;
}

void
deliver_serve(const struct service_connection *c, void (*handler)(struct deliver_job *job))
{
	struct ipc *qmgr = ipc_new(c->fd);
	struct ipc_frame frame;

	ipc_take_descriptors(qmgr);
	for (;;) {
		service_session_idle(c, true);
		if (ipc_receive(qmgr, &frame, DEADLINE_NEVER) != IPC_OK)
			break;
		service_session_idle(c, false);
		if (!request_serve(qmgr, &frame, handler) || service_is_finishing())
			break;
	}
	ipc_free(&qmgr);
}
