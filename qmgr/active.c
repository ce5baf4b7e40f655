/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages in memory, by id, and how many there may be. What does not fit stays on disk and
 * is looked for when there is room again; no list of its names is kept.
 */
#include "base/log.h"
#include "base/mem.h"
#include "mail/address.h"
#include "qmgr/qmgr.h"

/* Mail from deferred may take this share; the rest is for mail that has never been tried. */
#define DUE_SHARE(limit) ((limit) / 2 > 0 ? (limit) / 2 : 1)
/* This share is kept for mail that has just arrived, and was announced. */
#define NEWS_SHARE(limit) ((limit) / 8)
#define LOOK_AGAIN        SECOND

static struct task_cond room;
static bool room_ready;

static struct task_cond *
room_cond(void)
{
	if (!room_ready) {
		task_cond_init(&room);
		room_ready = true;
	}
	return &room;
}

struct message *
message_find(const char *id)
{
	return hash_find(qmgr.active, view_of(id));
}

struct message *
message_new(const char *id, enum queue_place place)
{
	struct message *m = NEW(struct message);

	memcpy(m->id, id, strlen(id) + 1);
	m->place = place;
	m->file.fd = -1;
	m->is_due = place == QUEUE_DEFERRED;
	list_init(&m->link);
	list_init(&m->settle_link);
	list_init(&m->entries);
	list_init(&m->jobs);
	list_init(&m->slot_link);
	list_init(&m->journal_link);
	list_init(&m->waiters);
	hash_put(qmgr.active, view_of(m->id), m);
	if (m->is_due)
		qmgr.due_active++;
	crowding_message_came();
	return m;
}

void
message_wishes_end(struct message *m, bool succeeded)
{
	enum message_wish wish = m->wish;
	struct list *link;

	m->wish = WISH_NOTHING;
	while ((link = list_pop(&m->waiters))) {
		struct wish_waiter *w = LIST_ITEM(link, struct wish_waiter, link);

		w->is_done = true;
		w->succeeded = succeeded && w->wish == wish;
		task_cond_signal(&w->done);
	}
}

void
message_forget(struct message *m)
{
	message_wishes_end(m, false);
	crowding_message_went(m);
	lingering_remove(m);
	list_remove(&m->link);
	list_remove(&m->settle_link);
	list_remove(&m->journal_link);
	if (m->file.fd >= 0)
		queue_message_done(&m->file);
	if (m->journal)
		queue_message_done(m->journal);
	mem_free(m->journal);
	outcomes_clear(&m->outcomes);
	hash_remove(qmgr.active, view_of(m->id));
	if (m->is_due)
		qmgr.due_active--;
	mem_free(m);
	active_wake();
}

void
message_log_from(const struct message *m, const char *what)
{
	struct buf sender = BUF_INIT(2 * ADDRESS_MAX + 2);

	if (m->file.sender.n)
		address_quote(&sender, m->file.sender);
	log_info("%s: from=<%s>, %s", m->id, buf_str(&sender), what);
	buf_done(&sender);
}

bool
active_is_full(void)
{
	return hash_count(qmgr.active) >= qmgr.active_limit;
}

static bool
has_room(enum active_room whose, bool kept_too)
{
	size_t kept = kept_too ? 0 : NEWS_SHARE(qmgr.active_limit);

	if (whose == ROOM_FOR_DUE && qmgr.due_active >= DUE_SHARE(qmgr.active_limit))
		return false;
	return hash_count(qmgr.active) < qmgr.active_limit - kept;
}

/*
 * Waiters are woken when there is room for more than one, so that they work in batches; where
 * that does not come, because most of what is in memory hangs, they look for themselves.
 */
void
active_wake(void)
{
	size_t count = hash_count(qmgr.active), limit = qmgr.active_limit;

	if (!active_is_full())
		intake_take_turned_away();
	if (qmgr.finishing || count <= limit - limit / 4 ||
	    qmgr.due_active <= DUE_SHARE(limit) / 2)
		task_cond_broadcast(room_cond());
}

bool
active_wait_for_room(enum active_room whose)
{
	while (!qmgr.finishing && !has_room(whose, false)) {
		enum task_result r = task_cond_wait(room_cond(), clock_deadline(LOOK_AGAIN));

		if (r == TASK_CANCELLED)
			return false;
		/* What is kept for others, and has not been used all that time. */
		if (r == TASK_TIMEOUT && has_room(whose, true))
			break;
	}
	return !qmgr.finishing;
}
