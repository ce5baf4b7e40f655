/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workers: each is a task that takes one entry after the other from a transport and gives it to
 * the agent over a connection of its own. Connections are kept between deliveries, and handed
 * back to the transport's pool when there is nothing to do.
 *
 * An agent that closes a kept connection before it has answered anything was only idle: it is
 * asked again over a new one. One that cannot be reached, or breaks off in the middle, is left
 * alone for a while, and what was waiting for it is deferred.
 */
#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "mail/address.h"
#include "mail/dsn.h"
#include "qmgr/qmgr.h"
#include "queue/attributes.h"

struct worker {
	struct list link;
	struct task *task;
	struct transport *transport;
	struct ipc *agent;
	bool reused;
};

/* How a conversation ended. */
enum talk {
	TALK_DONE,
	TALK_IDLE_CLOSED, /* a kept connection, before any answer */
	TALK_BROKEN,
	TALK_NOT_THERE,
	TALK_CANCELLED,
};

struct delivery {
	struct entry *entry;
	bool answered; /* anything at all */
	bool destination_failed;
	struct suspension failure;
};

static struct list workers;
static bool workers_ready;

/* ---- asking ---- */

static struct deliver_request *
request_new(struct message *m)
{
	struct queue_message *f = &m->file;
	struct deliver_request *r = ARENA_NEW(&f->arena, struct deliver_request);

	*r = (struct deliver_request){
		.queue_id = view_of(m->id),
		.flags = f->flags,
		.body_offset = f->body_offset,
		.body_length = f->body_length,
		.header_offset = f->header_offset,
		.header_length = f->header_length,
		.body_crc = f->body_crc,
		.size = f->size,
		.sender = f->sender,
		.arrival = (uint64_t)f->arrival,
		.queued = (uint64_t)m->taken,
		.envelope_id = queue_message_attribute(f, VIEW(ATTR_ENVELOPE_ID)),
		.dsn_ret = queue_message_attribute(f, VIEW(ATTR_DSN_RET)),
		.client_name = queue_message_attribute(f, VIEW(ATTR_CLIENT_NAME)),
		.client_address = queue_message_attribute(f, VIEW(ATTR_CLIENT_ADDRESS)),
		.client_port = queue_message_attribute(f, VIEW(ATTR_CLIENT_PORT)),
		.helo_name = queue_message_attribute(f, VIEW(ATTR_HELO_NAME)),
		.protocol_name = queue_message_attribute(f, VIEW(ATTR_PROTOCOL_NAME)),
		.message_id = queue_message_attribute(f, VIEW(ATTR_MESSAGE_ID)),
	};
	return r;
}

static enum ipc_result
send_request(
    struct ipc *agent, const struct transport *t, struct entry *e, nanoseconds deadline)
{
	struct message *m = e->message;
	struct deliver_request request;
	struct deliver_go go = { 0 };
	struct buf sender = BUF_INIT(4 * ADDRESS_MAX);
	enum ipc_result result;

	if (!m->request)
		m->request = request_new(m);
	request = *m->request;
	request.message = m->file.fd;
	request.transport = view_of(t->name);
	request.nexthop = e->first->route.nexthop;
	if (m->verp.n)
		request.sender = message_verp_sender(m, &e->first->envelope, &sender);
	result = ipc_send(agent, &deliver_request_message, &request, deadline);
	buf_done(&sender);
	for (struct recipient *r = e->first; r && result == IPC_OK; r = r->next) {
		struct deliver_recipient recipient = {
			.index = r->index,
			.address = r->route.recipient,
			.original = r->envelope.original,
			.dsn_orcpt = r->envelope.dsn_orcpt,
			.notify = r->envelope.notify,
		};

		result = ipc_send(agent, &deliver_recipient_message, &recipient, deadline);
	}
	if (result == IPC_OK)
		result = ipc_send(agent, &deliver_go_message, &go, deadline);
	return result == IPC_OK ? ipc_flush(agent, deadline) : result;
}

/* ---- answers ---- */

static struct recipient *
recipient_find(const struct entry *e, uint64_t index)
{
	struct recipient *r = e->first;

	while (r && r->index != index)
		r = r->next;
	return r;
}

/* The code that the outcome says, with the class that its result must have. */
static void
outcome_dsn(const struct deliver_outcome *o, char out[DSN_SIZE])
{
	char digit = o->result == DELIVER_SENT ? '2'
	    : o->result == DELIVER_DEFERRED    ? '4'
					       : '5';

	dsn_with_class(dsn_is_valid(o->dsn) ? o->dsn : VIEW("4.0.0"), digit, out);
}

static bool
take_outcome(struct delivery *d, const struct deliver_outcome *o)
{
	struct recipient *r = recipient_find(d->entry, o->index);
	char dsn[DSN_SIZE];

	if (!r || r->has_outcome || o->result < DELIVER_SENT || o->result > DELIVER_BOUNCED)
		return false;
	outcome_dsn(o, dsn);
	if (o->destination_failed) {
		d->destination_failed = true;
		suspension_set(&d->failure, view_of(dsn), "", o->reason);
	}
	outcome_take(d->entry->message, r, o, view_of(dsn));
	return true;
}

static enum talk
talk_failed(struct worker *w, struct delivery *d, enum ipc_result result)
{
	if (result == IPC_CANCELLED || task_is_cancelled())
		return TALK_CANCELLED;
	if (w->reused && !d->answered && (result == IPC_EOF || result == IPC_ERROR))
		return TALK_IDLE_CLOSED;
	log_warn("%s: delivery agent \"%s\" broke off: %s", d->entry->message->id,
	    w->transport->name,
	    result == IPC_EOF           ? "connection closed"
		: result == IPC_TIMEOUT ? "timeout"
					: ipc_why(w->agent));
	return TALK_BROKEN;
}

static enum talk
converse(struct worker *w, struct delivery *d)
{
	nanoseconds deadline = clock_deadline(qmgr.values->daemon_timeout);
	enum ipc_result result = send_request(w->agent, w->transport, d->entry, deadline);

	while (result == IPC_OK) {
		struct ipc_frame frame;
		struct deliver_outcome o;

		result = ipc_receive(w->agent, &frame, deadline);
		if (result != IPC_OK)
			break;
		d->answered = true;
		if (ipc_frame_is(&frame, &deliver_done_message))
			return TALK_DONE;
		if (!ipc_frame_is(&frame, &deliver_outcome_message) ||
		    !ipc_frame_decode(w->agent, &frame, &deliver_outcome_message, &o) ||
		    !take_outcome(d, &o)) {
			log_warn("%s: malformed answer from delivery agent \"%s\"",
			    d->entry->message->id, w->transport->name);
			return TALK_BROKEN;
		}
	}
	return talk_failed(w, d, result);
}

/* ---- one delivery ---- */

static bool
connect_agent(struct worker *w)
{
	nanoseconds deadline = clock_deadline(qmgr.values->qmgr_ipc_timeout);
	char reason[300];
	int error;

	if (w->agent)
		return true;
	w->agent = ipc_pool_take(w->transport->pool, deadline, &w->reused);
	if (w->agent || task_is_cancelled())
		return w->agent != NULL;
	error = errno;
	if (error == ENOENT || error == ECONNREFUSED)
		snprintf(reason, sizeof(reason), "mail transport %s is not available",
		    w->transport->name);
	else
		snprintf(reason, sizeof(reason), "mail transport unavailable");
	log_warn("connect to transport private/%s: %s", w->transport->name, strerror(error));
	transport_suspend(w->transport, reason);
	return false;
}

static enum talk
ask(struct worker *w, struct delivery *d)
{
	enum talk talk;

	do {
		if (!connect_agent(w))
			return task_is_cancelled() ? TALK_CANCELLED : TALK_NOT_THERE;
		talk = converse(w, d);
		if (talk == TALK_DONE)
			w->reused = true;
		else
			ipc_free(&w->agent);
	} while (talk == TALK_IDLE_CLOSED);
	/* When everything stops, so do agents: that says nothing about them. */
	if (talk == TALK_BROKEN && qmgr.finishing)
		return TALK_CANCELLED;
	if (talk == TALK_BROKEN)
		transport_suspend(w->transport, "mail transport unavailable");
	return talk;
}

static void
log_window(const struct transport *t, const struct destination *d)
{
	if (qmgr.values->destination_concurrency_feedback_debug && d->dead_until == 0)
		log_info("queue %s: limit %d window %u success %g failure %g fail_cohorts %g",
		    d->key, t->limits.destination.most, d->window, d->success, d->failure,
		    d->failed_cohorts);
}

static void
give_feedback(struct transport *t, struct delivery *d)
{
	struct destination *destination = d->entry->destination;

	if (!d->destination_failed)
		destination_succeeded(destination, &t->limits.destination);
	else if (destination_failed(destination, &t->limits.destination))
		transport_destination_suspend(
		    t, destination, view_of(d->failure.dsn), view_of(d->failure.reason));
	log_window(t, destination);
}

static void
deliver(struct worker *w, struct entry *e)
{
	struct transport *t = w->transport;
	struct delivery d = { .entry = e };
	struct message *m = e->message;
	enum talk talk = ask(w, &d);

	if (talk == TALK_DONE)
		give_feedback(t, &d);
	for (struct recipient *r = e->first; r; r = r->next) {
		if (r->has_outcome)
			continue;
		if (talk == TALK_CANCELLED)
			outcome_untried(m, r);
		else if (talk == TALK_DONE)
			outcome_defer(
			    m, r, VIEW("4.3.0"), VIEW("mail transport gave no answer"));
		else
			outcome_defer(m, r, VIEW("4.3.0"), view_of(t->suspension.reason));
	}
	schedule_finished(e->destination);
	entry_free(e);
	message_progress(m);
}

/* ---- workers ---- */

static void
worker_end(struct worker *w)
{
	struct task *task = w->task;

	w->transport->workers--;
	if (w->agent)
		ipc_pool_give(w->transport->pool, &w->agent);
	list_remove(&w->link);
	mem_free(w);
	task_release(task);
}

static void
worker_run(void *argument)
{
	struct worker *w = argument;
	struct entry *e;

	w->transport->starting--;
	while (!task_is_cancelled() && (e = schedule_select(w->transport))) {
		transport_kick(w->transport);
		deliver(w, e);
	}
	worker_end(w);
}

void
dispatch_start(struct transport *t)
{
	struct worker *w = NEW(struct worker);

	if (!workers_ready) {
		list_init(&workers);
		workers_ready = true;
	}
	w->transport = t;
	w->task = task_start("delivery", worker_run, w);
	if (!w->task) {
		mem_free(w);
		intake_retry_later();
		return;
	}
	list_append(&workers, &w->link);
	t->workers++;
	t->starting++;
}

void
dispatch_cancel_all(void)
{
	if (!workers_ready)
		return;
	list_for_each (link, &workers)
		task_cancel(LIST_ITEM(link, struct worker, link)->task);
}
