/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection to public/qmgr: announcements from cleanup, which get no answer, and commands,
 * which do. Anybody on this host may connect; what he may do depends on who he is. Only cleanup
 * announces: from the user that talks to the network, names of nothing would push real ones
 * out.
 */
#include "base/log.h"
#include "qmgr/qmgr.h"

#define ANSWER_TIME   (60 * SECOND)
#define STRANGER_TIME (60 * SECOND) /* to say something */
#define STRANGERS_MAX 50            /* connections of users other than mail_owner */

static unsigned strangers;

static bool
answer_command(struct ipc *client, const struct ipc_frame *frame, uid_t uid)
{
	struct queuectl_command command;
	struct queuectl_result result = { 0 };
	const char *why = "";

	if (!ipc_frame_decode(client, frame, &queuectl_command_message, &command))
		return false;
	result.outcome = command_run(&command, uid, &why);
	result.why = view_of(why);
	return ipc_send(client, &queuectl_result_message, &result,
		   clock_deadline(ANSWER_TIME)) == IPC_OK &&
	    ipc_flush(client, clock_deadline(ANSWER_TIME)) == IPC_OK;
}

static bool
answer_many(struct ipc *client, const struct ipc_frame *frame, uid_t uid)
{
	struct queuectl_many many;
	struct queuectl_many_result result;
	struct buf outcomes = BUF_INIT(QUEUECTL_MANY_MAX);
	bool ok;

	if (!ipc_frame_decode(client, frame, &queuectl_many_message, &many))
		return false;
	ok = command_run_many(&many, uid, &outcomes);
	result.outcomes = buf_view(&outcomes);
	ok = ok &&
	    ipc_send(client, &queuectl_many_result_message, &result,
		clock_deadline(ANSWER_TIME)) == IPC_OK &&
	    ipc_flush(client, clock_deadline(ANSWER_TIME)) == IPC_OK;
	buf_done(&outcomes);
	return ok;
}

static bool
frame_handle(struct ipc *client, const struct ipc_frame *frame, uid_t uid, bool is_owner)
{
	struct queuectl_arrived arrived;

	if (ipc_frame_is(frame, &queuectl_command_message))
		return answer_command(client, frame, uid);
	if (ipc_frame_is(frame, &queuectl_many_message))
		return answer_many(client, frame, uid);
	if (!is_owner || !ipc_frame_is(frame, &queuectl_arrived_message) ||
	    !ipc_frame_decode(client, frame, &queuectl_arrived_message, &arrived))
		return false;
	if (arrived.held)
		change_held(arrived.queue_id);
	else
		intake_announced(arrived.queue_id, arrived.slot);
	return true;
}

static void
serve(const struct service_connection *c, struct ipc *client, uid_t uid, bool is_owner)
{
	for (;;) {
		nanoseconds deadline =
		    is_owner ? DEADLINE_NEVER : clock_deadline(STRANGER_TIME);
		struct ipc_frame frame;
		bool handled;

		service_session_idle(c, true);
		if (ipc_receive(client, &frame, deadline) != IPC_OK)
			return;
		service_session_idle(c, false);
		handled = frame_handle(client, &frame, uid, is_owner);
		if (!handled)
			log_warn("bad request from user id %ld", (long)uid);
		if (!handled || service_is_finishing())
			return;
	}
}

/* Users of this host cannot take all descriptors away from the mail. */
void
session_run(const struct service_connection *c)
{
	uid_t uid = (uid_t)-1;
	bool is_owner = service_peer_is_owner(c->fd, &uid);
	struct ipc *client = ipc_new(c->fd);

	if (is_owner) {
		serve(c, client, uid, true);
	} else if (strangers < STRANGERS_MAX) {
		strangers++;
		serve(c, client, uid, false);
		strangers--;
	}
	ipc_free(&client);
}
