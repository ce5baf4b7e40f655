/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What became of recipients. A message that is delivered in one go never gets a journal: its
 * file is removed, and that says it all. When some recipients have their outcome and others are
 * still under way, the outcomes go to the journal a moment later, together with those that
 * follow closely. Until then a crash makes those deliveries happen again: that moment, and the
 * one between an agent's delivery and its answer, are the window of double delivery.
 */
#include <assert.h>

#include "base/mem.h"
#include "proto/delivery_log.h"
#include "qmgr/qmgr.h"

#define GATHER (20 * MILLISECOND)

static struct list unwritten; /* messages, the first to be written first */
static struct task_timer *timer;

void
outcomes_clear(struct outcomes *o)
{
	mem_free(o->list);
	arena_reset(&o->text);
	*o = (struct outcomes){ 0 };
}

static void
outcomes_add(struct outcomes *o, struct queue_journal_entry entry)
{
	if (o->count == o->room) {
		o->room = o->room ? 2 * o->room : 2;
		o->list = mem_resize(o->list, o->room, sizeof(*o->list));
	}
	entry.dsn = arena_view(&o->text, entry.dsn);
	entry.reason = arena_view(&o->text, view_sub(entry.reason, 0, 1000));
	entry.remote_host = arena_view(&o->text, view_sub(entry.remote_host, 0, 300));
	o->list[o->count++] = entry;
}

/* ---- noting what is known while the rest is under way ---- */

static void
set_timer(void)
{
	if (list_is_empty(&unwritten))
		task_timer_set(timer, DEADLINE_NEVER);
	else
		task_timer_set(timer,
		    LIST_ITEM(unwritten.next, struct message, journal_link)->journal_due);
}

static void
write_due(void *context)
{
	nanoseconds now = clock_now();

	(void)context;
	while (!list_is_empty(&unwritten)) {
		struct message *m = LIST_ITEM(unwritten.next, struct message, journal_link);

		if (m->journal_due > now)
			break;
		list_remove(&m->journal_link);
		message_settle(m);
	}
	set_timer();
}

static void
write_later(struct message *m)
{
	if (!list_is_empty(&m->journal_link))
		return;
	m->journal_due = clock_deadline(GATHER);
	list_append(&unwritten, &m->journal_link);
	if (unwritten.next == &m->journal_link)
		set_timer();
}

void
outcome_start(void)
{
	list_init(&unwritten);
	timer = task_timer_new(write_due, NULL);
}

/* ---- outcomes ---- */

static void
not_outstanding(struct message *m, struct recipient *r)
{
	assert(!r->has_outcome && m->outstanding > 0);
	r->has_outcome = true;
	m->outstanding--;
	qmgr.recipients--;
}

static void
record(struct message *m, struct recipient *r, struct queue_journal_entry entry)
{
	entry.recipient = r->index;
	entry.when = clock_wall();
	not_outstanding(m, r);
	if (entry.state != QUEUE_RCPT_PENDING)
		m->pending--;
	if (notice_is_owed_state(entry.state))
		m->owed++;
	if (m->pending == 0 && m->owed == 0)
		return;
	outcomes_add(&m->outcomes, entry);
	write_later(m);
}

void
outcome_record(struct message *m, struct recipient *r, enum queue_rcpt_state state,
    struct view dsn, struct view reason)
{
	struct queue_journal_entry entry = { .state = state, .dsn = dsn, .reason = reason };

	record(m, r, entry);
}

static enum queue_rcpt_state
state_after(const struct message *m, const struct recipient *r, const struct deliver_outcome *o)
{
	if (o->result == DELIVER_DEFERRED)
		return QUEUE_RCPT_PENDING;
	if (o->result == DELIVER_BOUNCED)
		return QUEUE_RCPT_BOUNCED;
	if (!notice_wants_success(m, &r->envelope, o->dsn_passed_on))
		return QUEUE_RCPT_DELIVERED;
	if (o->expanded)
		return QUEUE_RCPT_TELL_EXPANDED;
	return o->relayed || o->dsn_passed_on ? QUEUE_RCPT_TELL_RELAYED
					      : QUEUE_RCPT_TELL_DELIVERED;
}

void
outcome_take(
    struct message *m, struct recipient *r, const struct deliver_outcome *o, struct view dsn)
{
	struct queue_journal_entry entry = {
		.state = state_after(m, r, o),
		.dsn = dsn,
		.reason = o->reason,
		.remote_host = o->remote_host,
	};

	record(m, r, entry);
}

void
outcome_untried(struct message *m, struct recipient *r)
{
	not_outstanding(m, r);
	m->untried = true;
}

void
outcome_defer(struct message *m, struct recipient *r, struct view dsn, struct view reason)
{
	microseconds now = clock_wall();
	struct delivery_line line = {
		.queue_id = view_of(m->id),
		.address = r->envelope.address,
		.original = r->envelope.original,
		.dsn = dsn,
		.status = "deferred",
		.reason = reason,
		.times = { m->file.arrival, m->taken, now, 0, now },
	};

	delivery_log(&line);
	outcome_record(m, r, QUEUE_RCPT_PENDING, dsn, reason);
}

void
portion_release(struct portion *p)
{
	if (p->entries > 0)
		return;
	arena_reset(&p->arena);
	mem_free(p);
}

void
entry_free(struct entry *e)
{
	struct portion *p = e->portion;

	list_remove(&e->of_message);
	e->transport->recipients -= e->count;
	p->entries--;
	portion_release(p);
	mem_free(e);
}

void
outcome_defer_entry(struct entry *e, struct view dsn, struct view reason)
{
	struct message *m = e->message;

	for (struct recipient *r = e->first; r; r = r->next)
		outcome_defer(m, r, dsn, reason);
	entry_free(e);
	message_progress(m);
}

/* Whether more recipients are on their way: asked for here, when there is room. */
static bool
is_refilled(struct message *m)
{
	if (m->wish || qmgr.finishing) {
		if (m->refilling)
			list_remove(&m->link);
		m->refilling = false;
	} else if (!m->refilling && message_wants_more(m)) {
		intake_refill(m);
	}
	return m->refilling;
}

void
message_progress(struct message *m)
{
	if (m->filling || m->step != MESSAGE_DELIVERING)
		return;
	/* The next portion may take long: what is known by now is noted meanwhile. */
	if (is_refilled(m) || !list_is_empty(&m->entries))
		return;
	schedule_forget(m);
	list_remove(&m->journal_link);
	if (m->next_index < m->file.recipient_count)
		m->untried = true;
	m->step = MESSAGE_SETTLING;
	if (m->pending == 0 && m->owed == 0 && !m->settling)
		message_remove(m);
	else
		message_settle(m);
}

void
message_withdraw(struct message *m)
{
	list_for_each_safe (link, next, &m->entries) {
		struct entry *e = LIST_ITEM(link, struct entry, of_message);

		if (e->running)
			continue;
		schedule_withdraw(e);
		for (struct recipient *r = e->first; r; r = r->next)
			outcome_untried(m, r);
		entry_free(e);
	}
	message_progress(m);
}
