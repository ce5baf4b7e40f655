/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of an attempt. What became of the recipients is appended to the journal; what is too
 * old expires; the sender is told of failures; then the message is removed, or put off. The
 * order is that of the promise: nothing is forgotten before somebody else knows it.
 *
 * A few tasks do this, for it waits for the disk. Those that wait for bounce, which may take
 * minutes, do not count among them, and have a limit of their own. When the disk does not take
 * what is to be noted the message stays in memory and is tried again: what has been delivered
 * is not forgotten because the disk is full.
 */
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "qmgr/qmgr.h"

#define TASKS_MAX   16
#define TELLING_MAX 64 /* notices on their way */
#define STALL_FIRST SECOND
#define STALL_LAST  (60 * SECOND)

static struct settling {
	struct list list;    /* through settle_link */
	struct list stalled; /* likewise */
	struct list untold;  /* likewise: they wait for their turn with bounce */
	unsigned tasks;
	unsigned telling;
	struct task_timer *timer;
	bool timer_runs;
	nanoseconds pause; /* grows while nothing can be noted */
	bool ready;
} settling;

/* ---- journal ---- */

/* What is recorded while the disk works is written in the next round. */
static bool
write_outcomes(struct message *m)
{
	while (m->outcomes.count) {
		struct outcomes o = m->outcomes;

		m->outcomes = (struct outcomes){ 0 };
		if (note_outcomes(m, o.list, o.count, false)) {
			outcomes_clear(&o);
			continue;
		}
		if (m->outcomes.count == 0) {
			m->outcomes = o;
			return false;
		}
		for (size_t i = 0; i < o.count; i++) {
			struct queue_journal_entry e = o.list[i];

			e.dsn = arena_view(&m->outcomes.text, e.dsn);
			e.reason = arena_view(&m->outcomes.text, e.reason);
			e.remote_host = arena_view(&m->outcomes.text, e.remote_host);
			m->outcomes.list = mem_resize(
			    m->outcomes.list, m->outcomes.count + 1, sizeof(*m->outcomes.list));
			m->outcomes.list[m->outcomes.count++] = e;
			m->outcomes.room = m->outcomes.count;
		}
		outcomes_clear(&o);
		return false;
	}
	return true;
}

/* ---- the steps ---- */

static bool
is_pending(enum queue_rcpt_state state)
{
	return state == QUEUE_RCPT_PENDING;
}

static bool
is_expired(const struct message *m)
{
	if (m->pending == 0 || m->untried)
		return false;
	return m->file.forced_expire ||
	    retry_is_expired(&qmgr.retry, m->file.arrival, clock_wall(), m->file.attempts + 1,
		m->file.sender.n == 0);
}

static bool
expire(struct message *m)
{
	bool forced = m->wish == WISH_EXPIRE || m->file.forced_expire;

	/* With soft_bounce nothing goes back to its sender, not even what is too old. */
	if (qmgr.values->soft_bounce || (m->wish != WISH_EXPIRE && !is_expired(m)))
		return true;
	if (m->pending == 0)
		return true;
	if (!message_change_states(m, is_pending, QUEUE_RCPT_EXPIRED, m->wish == WISH_EXPIRE))
		return false;
	message_log_from(m,
	    forced ? "status=force-expired, returned to sender"
		   : "status=expired, returned to sender");
	m->owed += m->pending;
	m->pending = 0;
	return true;
}

static void kick(void);

/* False: it could not be noted. What could not be told stays owed. */
static bool
tell_sender(struct message *m)
{
	struct list *link;
	bool noted;

	if (!notice_is_due(m))
		return true;

	settling.telling++;
	settling.tasks--;
	kick();
	noted = notice_tell(m);
	settling.tasks++;
	settling.telling--;
	if ((link = list_pop(&settling.untold)) != NULL)
		list_append(&settling.list, link);
	kick();
	return noted;
}

static void
put_off(struct message *m)
{
	microseconds due =
	    retry_next(&qmgr.retry, m->file.arrival, clock_wall(), random_below(RETRY_DRAWS));

	if (!note_attempt(m, due)) {
		message_stall(m);
		return;
	}
	settle_works();
	message_forget(m);
}

/* Not tried to its end; what became of some of the recipients is in the journal. */
static void
leave(struct message *m)
{
	if (m->place == QUEUE_DEFERRED && m->journal)
		indexing_add(indexing_put(m->journal, m->place, m->journal->due));
	message_forget(m);
}

static void
postpone(struct message *m)
{
	if (!note_postponed(m, m->postponed)) {
		message_stall(m);
		return;
	}
	settle_works();
	message_forget(m);
}

static void
hold(struct message *m)
{
	bool held = note_held(m);

	if (held)
		log_info("%s: placed on hold", m->id);
	message_wishes_end(m, held);
	message_forget(m);
}

/* Back to the beginning, as if it had just been found. */
static void
start_again(struct message *m)
{
	enum queue_place place = m->place;
	char id[QUEUE_ID_SIZE];

	memcpy(id, m->id, sizeof(id));
	message_wishes_end(m, true);
	message_forget(m);
	if (intake_add(id, place, true) == INTAKE_FULL) {
		if (place == QUEUE_DEFERRED)
			deferred_want(id);
		else
			scan_incoming();
	}
}

/* False: the message comes back when somebody has been told. */
static bool
may_tell(struct message *m)
{
	if (!notice_is_due(m) || settling.telling < TELLING_MAX)
		return true;
	list_append(&settling.untold, &m->settle_link);
	return false;
}

/*
 * All that is to be noted and told before the message goes where it goes. Again, when something
 * was asked for meanwhile. False: not yet, and the message is in a list that brings it back.
 */
static bool
wind_up(struct message *m)
{
	enum message_wish wish;

	do {
		wish = m->wish;
		if (wish == WISH_DELETE)
			return true;
		if (!expire(m)) {
			message_stall(m);
			return false;
		}
		if (!may_tell(m))
			return false;
		if (!tell_sender(m)) {
			message_stall(m);
			return false;
		}
	} while (m->wish != wish);
	return true;
}

static void
conclude(struct message *m)
{
	if (!wind_up(m))
		return;
	if (m->wish == WISH_DELETE) {
		message_remove(m);
		return;
	}
	if (m->pending == 0 && (m->owed == 0 || notice_is_given_up(m))) {
		message_wishes_end(m, m->wish == WISH_EXPIRE);
		message_remove(m);
	} else if (m->wish == WISH_HOLD) {
		hold(m);
	} else if (m->wish == WISH_REQUEUE) {
		start_again(m);
	} else if (m->postponed && m->wish == WISH_NOTHING && !qmgr.finishing) {
		postpone(m);
	} else if (m->untried && (qmgr.finishing || m->wish == WISH_NOTHING)) {
		leave(m);
	} else {
		message_wishes_end(m, m->wish == WISH_EXPIRE);
		put_off(m);
	}
}

/* ---- tasks ---- */

static void
settle_one(struct message *m)
{
	m->settle_again = false;
	if (m->leave_slot) {
		m->leave_slot = false;
		(void)note_own_file(m); /* or it stays there */
	}
	if (!write_outcomes(m)) {
		message_stall(m);
		return;
	}
	if (m->step == MESSAGE_SETTLING) {
		conclude(m);
		return;
	}
	m->settling = false;
	if (m->settle_again)
		message_settle(m);
}

static void
settle_run(void *argument)
{
	struct list *link;

	(void)argument;
	while ((link = list_pop(&settling.list)))
		settle_one(LIST_ITEM(link, struct message, settle_link));
	settling.tasks--;
}

static void
retry_stalled(void *context)
{
	(void)context;
	settling.timer_runs = false;
	if (settling.pause < STALL_LAST)
		settling.pause *= 2;
	settle_stalled();
}

static void
retry_later(void)
{
	if (settling.timer_runs)
		return;
	settling.timer_runs = true;
	task_timer_set(settling.timer, clock_deadline(settling.pause));
}

static void
prepare(void)
{
	if (settling.ready)
		return;
	list_init(&settling.list);
	list_init(&settling.stalled);
	list_init(&settling.untold);
	settling.timer = task_timer_new(retry_stalled, NULL);
	settling.pause = STALL_FIRST;
	settling.ready = true;
}

static void
kick(void)
{
	if (settling.tasks >= TASKS_MAX || list_is_empty(&settling.list))
		return;
	if (task_spawn("settle", settle_run, NULL))
		settling.tasks++;
	else
		retry_later();
}

void
message_settle(struct message *m)
{
	prepare();
	if (m->settling) {
		m->settle_again = true;
		return;
	}
	m->settling = true;
	list_append(&settling.list, &m->settle_link);
	kick();
}

/* It keeps its place among the settling ones: nothing else may happen to it until then. */
void
message_stall(struct message *m)
{
	prepare();
	m->settling = true;
	list_append(&settling.stalled, &m->settle_link);
	retry_later();
}

void
settle_works(void)
{
	settling.pause = STALL_FIRST;
}

void
settle_stalled(void)
{
	struct list *link;

	prepare();
	while ((link = list_pop(&settling.stalled)))
		list_append(&settling.list, link);
	kick();
}
