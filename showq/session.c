/* SPDX-License-Identifier: Apache-2.0 */
/* One client: who is it, and then a listing for each time it asks. */
#include "base/log.h"
#include "proto/showq.h"
#include "showq/showq.h"

#define REQUEST_TIME (100 * SECOND)

static const char *
refusal(uid_t uid)
{
	struct buf name = BUF_INIT(TABLE_VALUE_MAX);
	const char *why = "", *error = NULL;

	switch (authorize_uid(showq.viewers, uid, &name, &why)) {
	case TABLE_FOUND:
		break;
	case TABLE_NOT_FOUND:
		log_warn("user %s(%ld) is not allowed to view the mail queue", buf_str(&name),
		    (long)uid);
		error = "not allowed to view the mail queue";
		break;
	case TABLE_CANNOT_TELL:
		log_warn("authorized_mailq_users: %s", why);
		error = "user database is not available";
		break;
	}
	buf_done(&name);
	return error;
}

static bool
answer(struct ipc *client, uid_t uid)
{
	const char *error = refusal(uid);
	struct showq_end end = { 0 };
	enum ipc_result result = IPC_OK;

	if (!error) {
		error = "";
		result = list_maildrop(client, &error);
		if (result == IPC_OK)
			result = list_queue(client, &error);
	}
	end.error = view_of(error);
	return result == IPC_OK &&
	    ipc_send(client, &showq_end_message, &end, clock_deadline(LIST_TIME)) == IPC_OK &&
	    ipc_flush(client, clock_deadline(LIST_TIME)) == IPC_OK;
}

void
session_run(const struct service_connection *c)
{
	struct ipc *client = ipc_new(c->fd);
	struct showq_list request;
	bool again = true;
	uid_t uid;
	pid_t pid;

	if (!ipc_peer(client, &uid, &pid))
		again = false;
	while (again) {
		service_session_idle(c, true);
		if (ipc_expect(client, &showq_list_message, &request,
			clock_deadline(REQUEST_TIME)) != IPC_OK)
			break;
		service_session_idle(c, false);
		again = answer(client, uid) && !service_is_finishing();
	}
	ipc_free(&client);
}
