/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection from qmgr: request, recipients, send; one status; then the next notice. What
 * breaks the rules costs the connection.
 */
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "bounce/bounce.h"
#include "ipc/ipc_own.h"
#include "mail/address.h"

#define FRAME_TIME (300 * SECOND)

static nanoseconds
frame_deadline(void)
{
	return clock_deadline(FRAME_TIME);
}

static bool
is_action(struct view action)
{
	static const char *const actions[] = { "failed", "delayed", "delivered", "relayed",
		"expanded" };

	for (size_t i = 0; i < ARRAY_LEN(actions); i++)
		if (view_eq(action, view_of(actions[i])))
			return true;
	return false;
}

static bool
recipient_take(struct ipc *qmgr, const struct ipc_frame *frame, struct notice *n)
{
	struct notice_recipient r;

	if (!ipc_frame_decode(qmgr, frame, &notice_recipient_message, &r))
		return false;
	if (n->count == BOUNCE_RECIPIENTS_MAX || !is_action(r.action) ||
	    r.address.n > ADDRESS_MAX || r.original.n > ADDRESS_MAX ||
	    r.dsn_orcpt.n > 2 * ADDRESS_MAX)
		return false;
	r.reason = view_sub(r.reason, 0, REPORT_REASON);
	r.remote_host = view_sub(r.remote_host, 0, 2 * DOMAIN_MAX);
	if (n->count == n->cap) {
		n->cap = n->cap ? 2 * n->cap : 4;
		n->recipients = mem_resize(n->recipients, n->cap, sizeof(n->recipients[0]));
	}
	ipc_own(&notice_recipient_message, &r, &n->arena);
	n->recipients[n->count++] = r;
	return true;
}

static bool
request_take(struct ipc *qmgr, const struct ipc_frame *frame, struct notice *n)
{
	if (!ipc_frame_is(frame, &notice_request_message) ||
	    !ipc_frame_decode(qmgr, frame, &notice_request_message, &n->request))
		return false;
	ipc_own(&notice_request_message, &n->request, &n->arena);
	return report_kind_find(n->request.kind, false) && n->request.sender.n <= ADDRESS_MAX;
}

static bool
recipients_receive(struct ipc *qmgr, struct notice *n)
{
	struct ipc_frame frame;

	while (ipc_receive(qmgr, &frame, frame_deadline()) == IPC_OK) {
		if (ipc_frame_is(&frame, &notice_send_message))
			return n->count > 0;
		if (!ipc_frame_is(&frame, &notice_recipient_message) ||
		    !recipient_take(qmgr, &frame, n))
			break;
	}
	return false;
}

static bool
answer(struct ipc *qmgr, struct notice *n)
{
	struct notice_status status;

	n->deadline = clock_deadline(BOUNCE_TIME);
	notice_run(n, &status);
	return ipc_send(qmgr, &notice_status_message, &status, frame_deadline()) == IPC_OK &&
	    ipc_flush(qmgr, frame_deadline()) == IPC_OK;
}

static bool
notice_serve(struct ipc *qmgr, const struct ipc_frame *frame)
{
	struct notice n = { .request.message = -1 };
	bool ok = request_take(qmgr, frame, &n) && recipients_receive(qmgr, &n);
	const char *why = ipc_why(qmgr);

	if (ok)
		ok = answer(qmgr, &n);
	else
		log_warn("bad request for a notice: %s", *why ? why : "unexpected contents");
	file_close(&n.request.message);
	mem_free(n.recipients);
	arena_reset(&n.arena);
	return ok;
}

void
session_run(const struct service_connection *c)
{
	struct ipc *qmgr = ipc_new(c->fd);
	struct ipc_frame frame;

	ipc_take_descriptors(qmgr);
	for (;;) {
		service_session_idle(c, true);
		if (ipc_receive(qmgr, &frame, DEADLINE_NEVER) != IPC_OK)
			break;
		service_session_idle(c, false);
		if (!notice_serve(qmgr, &frame) || service_is_finishing())
			break;
	}
	ipc_free(&qmgr);
}
