/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Telling the sender what could not be delivered, through bounce. The recipients concerned are
 * those that the journal calls bounced or expired; who is told follows NOTIFY of RFC 3461 and
 * notify_classes. Nothing here is forgotten unless bounce has said that the notice is on disk.
 */
#include "base/log.h"
#include "base/mem.h"
#include "mail/address.h"
#include "proto/notice.h"
#include "qmgr/qmgr.h"
#include "queue/attributes.h"

#define NOTICE_TIME (300 * SECOND)

enum told { TOLD_OK, TOLD_IDLE_CLOSED, TOLD_NO };

static void
journal_run(void *argument)
{
	message_journal(argument);
}

static bool
has_class(const char *name)
{
	struct view rest = view_of(qmgr.values->notify_classes), word;

	while (view_next_word(&rest, ", \t\r\n", &word)) {
		if (view_eq_nocase(word, view_of(name)))
			return true;
	}
	return false;
}

/* The sender of our own notices to the postmaster: about those there is nobody left to tell. */
static bool
is_double_bounce(struct view sender)
{
	struct view local, domain;

	if (sender.n == 0)
		return false;
	address_split(sender, &local, &domain);
	return view_eq_nocase(local, view_of(qmgr.values->double_bounce_sender)) &&
	    (domain.n == 0 || view_eq_nocase(domain, view_of(qmgr.values->myorigin)) ||
		view_eq_nocase(domain, view_of(qmgr.values->myhostname)));
}

/* Steps through the recipients that are to be reported. */
static bool
next_owed(const struct message *m, size_t *position, uint32_t *index, struct queue_recipient *q)
{
	while (queue_message_recipient(&m->file, position, q)) {
		enum queue_rcpt_state state = m->journal->status[(*index)++].state;
		bool wanted = q->notify == 0 || (q->notify & QUEUE_NOTIFY_FAILURE);

		if ((state == QUEUE_RCPT_BOUNCED || state == QUEUE_RCPT_EXPIRED) && wanted &&
		    !(q->notify & QUEUE_NOTIFY_NEVER))
			return true;
	}
	return false;
}

static enum ipc_result
send_recipients(struct ipc *c, const struct message *m, nanoseconds deadline)
{
	enum ipc_result result = IPC_OK;
	struct queue_recipient q;
	size_t position = 0;
	uint32_t index = 0;

	while (result == IPC_OK && next_owed(m, &position, &index, &q)) {
		const struct queue_rcpt_status *s = &m->journal->status[index - 1];
		struct notice_recipient r = {
			.address = q.address,
			.original = q.original,
			.dsn_orcpt = q.dsn_orcpt,
			.notify = q.notify,
			.dsn = s->dsn.n ? s->dsn : VIEW("5.0.0"),
			.reason = s->reason,
			.action = VIEW("failed"),
			.when = (uint64_t)s->when,
		};

		result = ipc_send(c, &notice_recipient_message, &r, deadline);
	}
	return result;
}

static enum ipc_result
send_notice(struct ipc *c, const struct message *m, enum notice_kind kind, nanoseconds deadline)
{
	const struct queue_message *f = &m->file;
	struct notice_request request = {
		.kind = kind,
		.message = f->fd,
		.queue_id = view_of(m->id),
		.flags = f->flags,
		.body_offset = f->body_offset,
		.body_length = f->body_length,
		.header_offset = f->header_offset,
		.header_length = f->header_length,
		.sender = f->sender,
		.arrival = (uint64_t)f->arrival,
		.envelope_id = queue_message_attribute(f, VIEW(ATTR_ENVELOPE_ID)),
		.dsn_ret = queue_message_attribute(f, VIEW(ATTR_DSN_RET)),
	};
	struct notice_send send = { 0 };
	enum ipc_result result = ipc_send(c, &notice_request_message, &request, deadline);

	if (result == IPC_OK)
		result = send_recipients(c, m, deadline);
	if (result == IPC_OK)
		result = ipc_send(c, &notice_send_message, &send, deadline);
	return result == IPC_OK ? ipc_flush(c, deadline) : result;
}

static enum told
tell_once(const struct message *m, enum notice_kind kind)
{
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
	result = send_notice(c, m, kind, deadline);
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

static bool
anybody_wants_it(const struct message *m)
{
	struct queue_recipient q;
	size_t position = 0;
	uint32_t index = 0;

	return next_owed(m, &position, &index, &q);
}

enum notice_result
notice_failure(struct message *m)
{
	struct view sender = m->file.sender;
	enum notice_kind kind = sender.n ? NOTICE_FAILURE : NOTICE_DOUBLE;
	enum told told;

	if (is_double_bounce(sender)) {
		log_warn("%s: undeliverable postmaster notification discarded", m->id);
		return NOTICE_NOT_WANTED;
	}
	if (kind == NOTICE_DOUBLE && !has_class("2bounce")) {
		log_info("%s: undeliverable, and the sender is <>: nobody is told", m->id);
		return NOTICE_NOT_WANTED;
	}
	task_offload(journal_run, m);
	if (!m->journal)
		return NOTICE_LATER;
	if (!anybody_wants_it(m))
		return NOTICE_NOT_WANTED;
	do
		told = tell_once(m, kind);
	while (told == TOLD_IDLE_CLOSED);
	return told == TOLD_OK ? NOTICE_TOLD : NOTICE_LATER;
}
