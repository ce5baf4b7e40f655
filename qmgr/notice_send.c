/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One notice on its way to bounce: the recipients whose state belongs in it, over a connection
 * that is kept. Bounce answers when the notice is on disk, or that it could not be made.
 */
#include "qmgr/notice_send.h"

#include "base/log.h"
#include "base/mem.h"
#include "queue/attributes.h"

#define NOTICE_TIME (300 * SECOND)

enum told { TOLD_OK, TOLD_IDLE_CLOSED, TOLD_NO };

/* What a recipient in this state is in a notice. */
struct told_state {
	enum queue_rcpt_state state;
	enum notice_kind kind;
	const char *action;
	unsigned notify; /* that asks for it; 0: the state is given only to those who did */
	const char *default_dsn;
};

static const struct told_state told_states[] = {
	{ QUEUE_RCPT_PENDING, NOTICE_DELAY, "delayed", QUEUE_NOTIFY_DELAY, "4.0.0" },
	{ QUEUE_RCPT_BOUNCED, NOTICE_FAILURE, "failed", QUEUE_NOTIFY_FAILURE, "5.0.0" },
	{ QUEUE_RCPT_EXPIRED, NOTICE_FAILURE, "failed", QUEUE_NOTIFY_FAILURE, "5.0.0" },
	{ QUEUE_RCPT_TELL_DELIVERED, NOTICE_SUCCESS, "delivered", 0, "2.0.0" },
	{ QUEUE_RCPT_TELL_RELAYED, NOTICE_SUCCESS, "relayed", 0, "2.0.0" },
	{ QUEUE_RCPT_TELL_EXPANDED, NOTICE_SUCCESS, "expanded", 0, "2.0.0" },
};

static const struct told_state *
told_state_of(enum queue_rcpt_state state)
{
	for (size_t i = 0; i < ARRAY_LEN(told_states); i++)
		if (told_states[i].state == state)
			return &told_states[i];
	return NULL;
}

bool
notice_is_owed_state(enum queue_rcpt_state state)
{
	return state != QUEUE_RCPT_PENDING && told_state_of(state) != NULL;
}

bool
notice_notify_wants(unsigned notify, unsigned what)
{
	return notify == 0 ? what != QUEUE_NOTIFY_SUCCESS : (notify & what) != 0;
}

bool
notice_is_double(const struct message *m, enum notice_kind kind)
{
	return kind == NOTICE_FAILURE && m->file.sender.n == 0;
}

const struct told_state *
notice_next(const struct notice *n, struct notice_walk *w)
{
	const struct message *m = n->m;

	while (queue_message_recipient(&m->file, &w->position, &w->q)) {
		const struct queue_rcpt_status *s = &m->journal->status[w->index++];
		const struct told_state *t = told_state_of(s->state);

		if (!t || (t->kind != n->kind && n->kind != NOTICE_TRACE) ||
		    (s->state == QUEUE_RCPT_PENDING && !s->when))
			continue;
		if (n->of_one && w->index != n->one + 1)
			continue;
		if (t->notify == 0 || n->kind == NOTICE_TRACE ||
		    notice_notify_wants(w->q.notify, t->notify))
			return t;
	}
	return NULL;
}

static enum ipc_result
send_recipients(struct ipc *c, const struct notice *n, nanoseconds deadline)
{
	enum ipc_result result = IPC_OK;
	const struct told_state *t;
	struct notice_walk w = { 0 };

	while (result == IPC_OK && (t = notice_next(n, &w))) {
		const struct queue_rcpt_status *s = &n->m->journal->status[w.index - 1];
		struct notice_recipient r = {
			.address = w.q.address,
			.original = w.q.original,
			.dsn_orcpt = w.q.dsn_orcpt,
			.notify = w.q.notify,
			.dsn = s->dsn.n ? s->dsn : view_of(t->default_dsn),
			.reason = s->reason,
			.remote_host = s->remote_host,
			.action = view_of(t->action),
			.when = (uint64_t)s->when,
		};

		result = ipc_send(c, &notice_recipient_message, &r, deadline);
	}
	return result;
}

static enum ipc_result
send_notice(struct ipc *c, const struct notice *n, nanoseconds deadline)
{
	const struct message *m = n->m;
	const struct queue_message *f = &m->file;
	struct notice_request request = {
		.kind = notice_is_double(m, n->kind) ? NOTICE_DOUBLE : n->kind,
		.message = f->fd,
		.queue_id = view_of(m->id),
		.flags = f->flags,
		.body_offset = f->body_offset,
		.body_length = f->body_length,
		.header_offset = f->header_offset,
		.header_length = f->header_length,
		.sender = n->sender,
		.arrival = (uint64_t)f->arrival,
		.envelope_id = queue_message_attribute(f, VIEW(ATTR_ENVELOPE_ID)),
		.dsn_ret = queue_message_attribute(f, VIEW(ATTR_DSN_RET)),
	};
	struct notice_send send = { 0 };
	enum ipc_result result = ipc_send(c, &notice_request_message, &request, deadline);

	if (result == IPC_OK)
		result = send_recipients(c, n, deadline);
	if (result == IPC_OK)
		result = ipc_send(c, &notice_send_message, &send, deadline);
	return result == IPC_OK ? ipc_flush(c, deadline) : result;
}

static enum told
tell_once(const struct notice *n)
{
	const struct message *m = n->m;
	nanoseconds deadline = clock_deadline(NOTICE_TIME);
	struct notice_status status;
	enum ipc_result result;
	bool reused = false, ok;
	struct ipc *c = ipc_pool_take(qmgr.bounce, deadline, &reused);

	if (!c) {
		log_warn("%s: cannot reach the %s service: %m", m->id,
		    qmgr.values->bounce_service_name);
		return TOLD_NO;
	}
	result = send_notice(c, n, deadline);
	if (result == IPC_OK)
		result = ipc_expect(c, &notice_status_message, &status, deadline);
	if (result != IPC_OK) {
		ok = reused && (result == IPC_EOF || result == IPC_ERROR);
		if (!ok)
			log_warn("%s: the %s service gave no answer", m->id,
			    qmgr.values->bounce_service_name);
		ipc_free(&c);
		return ok ? TOLD_IDLE_CLOSED : TOLD_NO;
	}
	ok = status.ok;
	if (!ok)
		log_warn("%s: no notice could be made: %.*s", m->id, VIEW_ARG(status.why));
	ipc_pool_give(qmgr.bounce, &c);
	return ok ? TOLD_OK : TOLD_NO;
}

bool
notice_concerns_anybody(const struct notice *n)
{
	struct notice_walk w = { 0 };

	return notice_next(n, &w) != NULL;
}

bool
notice_send(const struct notice *n)
{
	enum told told;

	do
		told = tell_once(n);
	while (told == TOLD_IDLE_CLOSED);
	return told == TOLD_OK;
}
