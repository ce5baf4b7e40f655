/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection from smtpd, pickup, bounce or a delivery agent: begin, recipients, content,
 * end; one status; then the next message. A client that breaks the order loses its connection
 * and the message it was in the middle of, nothing else.
 *
 * Who runs as another user than mail_owner can say only that mail came by SMTP: a captured
 * smtpd makes no notices, which have no size limit, and no mail of local users.
 */
#include <unistd.h>

#include "base/log.h"
#include "cleanup/cleanup.h"
#include "queue/flow.h"
#include "task/task.h"

enum step { STEP_GO_ON, STEP_ANSWER, STEP_ABORTED, STEP_LOST };

static nanoseconds
frame_deadline(void)
{
	return clock_deadline(CLEANUP_INBOUND_MAX * SECOND);
}

static enum step
frame_bad(struct ipc *client, const char *why)
{
	log_warn("bad submission: %s", why ? why : ipc_why(client));
	return STEP_LOST;
}

static bool
frame_receive(struct ipc *client, struct ipc_frame *frame, nanoseconds deadline)
{
	enum ipc_result r = ipc_receive(client, frame, deadline);

	if (r == IPC_PROTOCOL)
		frame_bad(client, NULL);
	return r == IPC_OK;
}

static enum step
frame_handle(struct ipc *client, const struct ipc_frame *frame, struct message *m)
{
	if (frame->data.n) {
		message_content(m, frame->data);
		return STEP_GO_ON;
	}
	if (ipc_frame_is(frame, &submit_recipient_message)) {
		struct submit_recipient r;

		if (m->content_size)
			return frame_bad(client, "recipient after content");

		if (!ipc_frame_decode(client, frame, &submit_recipient_message, &r))
			return frame_bad(client, NULL);
		message_recipient(m, &r);
		return STEP_GO_ON;
	}
	if (ipc_frame_is(frame, &submit_end_message)) {
		struct submit_end end;

		if (!ipc_frame_decode(client, frame, &submit_end_message, &end))
			return frame_bad(client, NULL);
		m->hold = end.hold;
		return STEP_ANSWER;
	}
	if (ipc_frame_is(frame, &submit_abort_message))
		return STEP_ABORTED;
	return frame_bad(client, "unexpected message");
}

static bool
message_answer(struct ipc *client, struct message *m)
{
	struct submit_status status = { 0 };

	message_end(m, &status);
	return ipc_send(client, &submit_status_message, &status, frame_deadline()) == IPC_OK &&
	    ipc_flush(client, frame_deadline()) == IPC_OK;
}

/* Each session waits for itself: so many more messages in a second as there are of them. */
static void
wait_for_queue(const struct submit_begin *begin)
{
	if (cleanup.conf->in_flow_delay > 0 && begin->source != SUBMIT_NOTICE &&
	    flow_is_slow(cleanup.flow))
		(void)task_sleep(cleanup.conf->in_flow_delay);
}

/* True when the connection can serve another message. */
static bool
message_run(struct ipc *client, const struct submit_begin *begin)
{
	struct message m;
	enum step step = STEP_GO_ON;
	bool reusable;

	wait_for_queue(begin);
	message_begin(&m, begin);
	while (step == STEP_GO_ON) {
		struct ipc_frame frame;

		if (frame_receive(client, &frame, frame_deadline()))
			step = frame_handle(client, &frame, &m);
		else
			step = STEP_LOST;
	}
	if (step == STEP_ANSWER)
		reusable = message_answer(client, &m);
	else
		reusable = step == STEP_ABORTED;
	message_done(&m);
	return reusable;
}

static bool
begin_take(struct ipc *client, const struct ipc_frame *frame, bool is_owner,
    struct submit_begin *begin)
{
	if (!ipc_frame_is(frame, &submit_begin_message) ||
	    !ipc_frame_decode(client, frame, &submit_begin_message, begin)) {
		frame_bad(client, NULL);
		return false;
	}
	if (is_owner || begin->source == SUBMIT_SMTP)
		return true;
	frame_bad(client, "from a user who may only submit what came by SMTP");
	return false;
}

void
session_run(const struct service_connection *c)
{
	bool is_owner = service_peer_is_owner(c->fd, NULL);
	struct ipc *client = ipc_new(c->fd);

	for (;;) {
		struct ipc_frame frame;
		struct submit_begin begin;

		service_session_idle(c, true);
		if (!frame_receive(client, &frame, DEADLINE_NEVER))
			break;
		service_session_idle(c, false);
		if (!begin_take(client, &frame, is_owner, &begin) ||
		    !message_run(client, &begin) || service_is_finishing())
			break;
	}
	ipc_free(&client);
}
