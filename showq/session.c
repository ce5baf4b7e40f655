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

/* The filters of a request, which are texts. False: *error. */
static bool
filter_make(struct queue_filter *f, const struct view texts[FILTER_KINDS], const char **error)
{
	for (size_t i = 0; i < FILTER_KINDS; i++) {
		if (texts[i].n && !queue_filter_add(f, (enum filter_kind)i, texts[i], error))
			return false;
	}
	return true;
}

struct request {
	bool is_summary;
	struct view texts[FILTER_KINDS];
};

static enum ipc_result
tell(struct ipc *client, const struct request *r, const char **error)
{
	struct queue_filter filter = { 0 };
	enum ipc_result result = IPC_OK;

	if (filter_make(&filter, r->texts, error)) {
		*error = "";
		if (!r->is_summary && queue_filter_is_empty(&filter))
			result = list_maildrop(client, error);
		if (r->is_summary)
			result = summary_send(client, &filter, error);
		else if (result == IPC_OK)
			result = list_queue(client, &filter, error);
	}
	queue_filter_done(&filter);
	return result;
}

static bool
answer(struct ipc *client, const struct request *r, uid_t uid)
{
	const char *error = refusal(uid);
	struct showq_end end = { 0 };
	enum ipc_result result = IPC_OK;

	if (!error)
		result = tell(client, r, &error);
	end.error = view_of(error);
	return result == IPC_OK &&
	    ipc_send(client, &showq_end_message, &end, clock_deadline(LIST_TIME)) == IPC_OK &&
	    ipc_flush(client, clock_deadline(LIST_TIME)) == IPC_OK;
}

static bool
request_decode(struct ipc *client, const struct ipc_frame *frame, struct request *r)
{
	struct showq_list l;
	struct showq_summary s;

	if (ipc_frame_is(frame, &showq_list_message)) {
		if (!ipc_frame_decode(client, frame, &showq_list_message, &l))
			return false;
		*r = (struct request){ false,
			{ l.from, l.to, l.destination, l.reason, l.older, l.larger } };
		return true;
	}
	if (!ipc_frame_is(frame, &showq_summary_message) ||
	    !ipc_frame_decode(client, frame, &showq_summary_message, &s))
		return false;
	*r = (struct request){ true,
		{ s.from, s.to, s.destination, s.reason, s.older, s.larger } };
	return true;
}

void
session_run(const struct service_connection *c)
{
	struct ipc *client = ipc_new(c->fd);
	struct ipc_frame frame;
	struct request request;
	bool again = true;
	uid_t uid;
	pid_t pid;

	if (!ipc_peer(client, &uid, &pid))
		again = false;
	while (again) {
		service_session_idle(c, true);
		if (ipc_receive(client, &frame, clock_deadline(REQUEST_TIME)) != IPC_OK)
			break;
		service_session_idle(c, false);
		again = request_decode(client, &frame, &request) &&
		    answer(client, &request, uid) && !service_is_finishing();
	}
	ipc_free(&client);
}
