/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Telling the sender what became of the message, through bounce: what failed, what is late, and
 * what was delivered when the sender asked for that. The recipients concerned are those whose
 * state in the journal says so, and of late mail those that are pending; who is told follows
 * NOTIFY of RFC 3461 and notify_classes. Nothing here is forgotten unless bounce has said that
 * the notice is on disk: a crash in between tells twice.
 */
#include "base/log.h"
#include "base/mem.h"
#include "mail/address.h"
#include "mail/verp.h"
#include "qmgr/notice_send.h"

enum notice_result { NOTICE_TOLD, NOTICE_NOT_WANTED, NOTICE_LATER };

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

static bool
is_failure(enum queue_rcpt_state state)
{
	return state == QUEUE_RCPT_BOUNCED || state == QUEUE_RCPT_EXPIRED;
}

static bool
is_success(enum queue_rcpt_state state)
{
	return notice_is_owed_state(state) && !is_failure(state);
}

/* ---- what is due ---- */

static bool
has_sender_to_tell(const struct message *m)
{
	return m->file.sender.n > 0 && !is_double_bounce(m->file.sender);
}

static bool
is_warned(const struct message *m)
{
	return m->file.delay_warned || (m->journal && m->journal->delay_warned);
}

/* sendmail -v: all that became of the first attempt is told in one report. */
static bool
is_traced(const struct message *m)
{
	return (m->file.flags & QUEUE_FLAG_TRACE) && m->file.attempts == 0 && !m->traced &&
	    has_sender_to_tell(m);
}

bool
notice_wants_success(const struct message *m, const struct queue_recipient *r, bool passed_on)
{
	if (!has_sender_to_tell(m))
		return false;
	if (is_traced(m) || (!passed_on && (r->notify & QUEUE_NOTIFY_SUCCESS)))
		return true;
	return qmgr.values->confirm_delay_cleared && is_warned(m) &&
	    notice_notify_wants(r->notify, QUEUE_NOTIFY_DELAY);
}

/* Like expiry, a warning needs more than a clock that says that it is late. */
static bool
delay_is_due(const struct message *m)
{
	microseconds after = qmgr.values->delay_warning_time / 1000;

	return after > 0 && m->pending > 0 && !m->untried && m->wish == WISH_NOTHING &&
	    has_sender_to_tell(m) && !is_warned(m) &&
	    retry_is_older(
		&qmgr.retry, m->file.arrival, clock_wall(), m->file.attempts + 1, after);
}

bool
notice_is_due(const struct message *m)
{
	return m->owed > 0 || delay_is_due(m) || is_traced(m);
}

bool
notice_is_given_up(const struct message *m)
{
	microseconds last = m->file.arrival;
	bool given_up;

	if (qmgr.values->soft_bounce)
		return false;
	for (uint32_t i = 0; m->journal && i < m->file.recipient_count; i++) {
		const struct queue_rcpt_status *s = &m->journal->status[i];

		if (notice_is_owed_state(s->state) && s->when > last)
			last = s->when;
	}
	given_up = retry_is_older(
	    &qmgr.retry, last, clock_wall(), m->file.attempts + 1, qmgr.retry.bounce_lifetime);
	if (given_up)
		log_error("%s: the sender could not be told within bounce_queue_lifetime: the "
			  "message is given up",
		    m->id);
	return given_up;
}

/* ---- VERP ---- */

struct view
message_verp_sender(const struct message *m, const struct queue_recipient *r, struct buf *out)
{
	size_t at = view_find_last(r->original, '@');

	buf_clear(out);
	verp_sender(
	    out, m->file.sender, m->verp, at < r->original.n ? r->original : r->address);
	return out->overflow || out->len > ADDRESS_MAX ? m->file.sender : buf_view(out);
}

/* Each gets a notice of its own; those that are told stay so when a later one cannot be. */
static enum notice_result
tell_each(struct message *m, enum notice_kind kind)
{
	struct notice all = { .m = m, .kind = kind };
	struct buf sender = BUF_INIT(4 * ADDRESS_MAX);
	enum notice_result result = NOTICE_NOT_WANTED;
	struct notice_walk w = { 0 };

	while (result != NOTICE_LATER && notice_next(&all, &w)) {
		struct notice n = all;
		const struct queue_rcpt_status *s = &m->journal->status[w.index - 1];
		struct queue_journal_entry done = { w.index - 1, QUEUE_RCPT_DELIVERED, s->when,
			s->dsn, s->reason, s->remote_host };

		n.of_one = true;
		n.one = w.index - 1;
		n.sender = message_verp_sender(m, &w.q, &sender);
		result = notice_send(&n) ? NOTICE_TOLD : NOTICE_LATER;
		if (result == NOTICE_TOLD && kind != NOTICE_DELAY &&
		    note_outcomes(m, &done, 1, false))
			m->owed--;
	}
	buf_done(&sender);
	return result;
}

/* ---- telling ---- */

static enum notice_result
tell(struct message *m, enum notice_kind kind)
{
	struct notice n = { .m = m, .kind = kind, .sender = m->file.sender };

	if (is_double_bounce(m->file.sender)) {
		log_warn("%s: undeliverable postmaster notification discarded", m->id);
		return NOTICE_NOT_WANTED;
	}
	if (notice_is_double(m, kind) && !has_class("2bounce")) {
		log_info("%s: undeliverable, and the sender is <>: nobody is told", m->id);
		return NOTICE_NOT_WANTED;
	}
	if (!notice_concerns_anybody(&n))
		return NOTICE_NOT_WANTED;
	if (m->verp.n && kind != NOTICE_TRACE && !qmgr.values->disable_verp_bounces)
		return tell_each(m, kind);
	return notice_send(&n) ? NOTICE_TOLD : NOTICE_LATER;
}

static uint32_t
count_of(const struct message *m, bool (*is_one)(enum queue_rcpt_state state))
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < m->file.recipient_count; i++)
		count += is_one(m->journal->status[i].state);
	return count;
}

/*
 * Told, or nobody to be told: then these recipients are done like delivered ones. When nothing
 * else is left that need not be noted, for the message goes.
 */
static bool
forget_owed(struct message *m, bool (*is_one)(enum queue_rcpt_state state))
{
	uint32_t count = count_of(m, is_one);

	if ((m->pending || m->owed > count) &&
	    !message_change_states(m, is_one, QUEUE_RCPT_DELIVERED, false))
		return false;
	m->owed -= count;
	return true;
}

static bool
tell_owed(struct message *m, enum notice_kind kind, bool (*is_one)(enum queue_rcpt_state state))
{
	uint32_t count = count_of(m, is_one);

	return count == 0 || tell(m, kind) == NOTICE_LATER || forget_owed(m, is_one);
}

bool
notice_tell(struct message *m)
{
	task_offload(journal_run, m);
	if (!m->journal)
		return true;
	if (is_traced(m) && tell(m, NOTICE_TRACE) != NOTICE_LATER) {
		m->traced = true;
		if (!forget_owed(m, is_success))
			return false;
	}
	if (!qmgr.values->soft_bounce && !tell_owed(m, NOTICE_FAILURE, is_failure))
		return false;
	if (!tell_owed(m, NOTICE_SUCCESS, is_success))
		return false;
	if (delay_is_due(m) && tell(m, NOTICE_DELAY) != NOTICE_LATER)
		return note_warned(m);
	return true;
}
