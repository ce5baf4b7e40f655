/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What postqueue and postsuper ask for. A message that lies on disk is changed there, with its
 * id reserved so that nobody takes it up meanwhile. One that is active gets a wish: what waits
 * is withdrawn, a delivery that runs is let run to its end, and then the wish comes true. So a
 * deleted message may still have been delivered to those recipients whose delivery was running.
 * A caller who would have to wait long is told that it will be done.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "qmgr/qmgr.h"
#include "service/authorize.h"

#define PATIENCE (10 * SECOND)
#define TRIES    3

/* ---- who may ---- */

static struct authorize *flushers;

void
commands_prepare(void)
{
	flushers = authorize_open(
	    "authorized_flush_users", qmgr.values->authorized_flush_users, qmgr.conf);
}

static bool
is_administrator(uid_t uid)
{
	return uid == 0 || uid == geteuid();
}

static bool
may_flush(uid_t uid)
{
	struct buf name = BUF_INIT(1000);
	const char *why = NULL;
	bool may;

	if (is_administrator(uid))
		return true;
	may = authorize_uid(flushers, uid, &name, &why) == TABLE_FOUND;
	buf_done(&name);
	return may;
}

/* ---- a message on disk ---- */

struct change {
	const char *id;
	enum queuectl_verb verb;
	enum queue_place place; /* where it is afterwards */
	enum queuectl_outcome outcome;
	bool removed;
	const char *why;
	struct indexing_note *note;
};

/* What a writer has not finished is no message yet. */
static bool
is_complete(struct change *c)
{
	struct queue_message m;
	enum queue_result r;

	if (c->place != QUEUE_INCOMING && c->place != QUEUE_HOLD)
		return true;
	r = queue_message_open(qmgr.queue, c->place, c->id, false, &m, &c->why);
	if (r == QUEUE_OK)
		queue_message_done(&m);
	if (r == QUEUE_BUSY || r == QUEUE_GONE || r == QUEUE_INCOMPLETE)
		c->outcome = QUEUECTL_NOT_FOUND;
	return r == QUEUE_OK;
}

static enum queue_result
move(struct change *c, enum queue_place to)
{
	enum queue_result r;

	if (c->place == to)
		return QUEUE_OK;
	r = queue_move(qmgr.queue, c->id, c->place, to, &c->why);
	if (r == QUEUE_OK)
		c->place = to;
	return r;
}

static enum queue_result
make_due(struct change *c)
{
	if (c->place != QUEUE_DEFERRED)
		return QUEUE_OK;
	return queue_set_due(qmgr.queue, c->id, clock_wall(), &c->why);
}

static enum queue_result
mark_expired(struct change *c)
{
	struct queue_message m;
	enum queue_result r =
	    queue_message_open(qmgr.queue, c->place, c->id, true, &m, &c->why);

	if (r != QUEUE_OK)
		return r;
	r = queue_journal_expire(qmgr.queue, &m, &c->why);
	queue_message_done(&m);
	return r == QUEUE_OK ? make_due(c) : r;
}

static enum queue_result
change(struct change *c)
{
	enum queue_result r = QUEUE_OK;

	switch (c->verb) {
	case QUEUECTL_HOLD:
		return move(c, QUEUE_HOLD);
	case QUEUECTL_RELEASE:
		if (c->place != QUEUE_HOLD)
			return QUEUE_GONE;
		r = move(c, QUEUE_DEFERRED);
		return r == QUEUE_OK ? make_due(c) : r;
	case QUEUECTL_DELETE:
		c->removed = true;
		return queue_remove(qmgr.queue, c->id, c->place, &c->why);
	case QUEUECTL_REQUEUE:
		if (c->place == QUEUE_HOLD)
			r = move(c, QUEUE_DEFERRED);
		return r == QUEUE_OK ? make_due(c) : r;
	case QUEUECTL_EXPIRE:
		return mark_expired(c);
	case QUEUECTL_FLUSH_ID:
		return c->place == QUEUE_HOLD ? QUEUE_GONE : make_due(c);
	case QUEUECTL_FLUSH:
		break;
	}
	return QUEUE_ERROR;
}

/* What the index is to say of it from now on. */
static void
note_change(struct change *c)
{
	struct queue_message m;
	struct stat st;
	const char *why;

	if (c->removed || (c->place != QUEUE_DEFERRED && c->place != QUEUE_HOLD))
		return;
	if (queue_message_open(qmgr.queue, c->place, c->id, false, &m, &why) != QUEUE_OK)
		return;
	if (fstat(m.fd, &st) == 0)
		c->note = indexing_put(&m, c->place,
		    (microseconds)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000);
	queue_message_done(&m);
}

static void
change_run(void *argument)
{
	struct change *c = argument;

	c->outcome = QUEUECTL_FAILED;
	if (!queue_find(qmgr.queue, c->id, &c->place) || c->place == QUEUE_CORRUPT) {
		c->outcome = QUEUECTL_NOT_FOUND;
		return;
	}
	if (!is_complete(c))
		return;
	switch (change(c)) {
	case QUEUE_OK:
		c->outcome = QUEUECTL_DONE;
		note_change(c);
		break;
	case QUEUE_GONE:
		c->outcome = QUEUECTL_NOT_FOUND;
		break;
	default:
		break;
	}
}

static void
log_change(const struct change *c)
{
	if (c->verb == QUEUECTL_HOLD)
		log_info("%s: placed on hold", c->id);
	else if (c->verb == QUEUECTL_RELEASE)
		log_info("%s: released from hold", c->id);
	else if (c->verb == QUEUECTL_REQUEUE)
		log_info("%s: requeued", c->id);
	else if (c->verb == QUEUECTL_DELETE)
		log_info("%s: removed", c->id);
	else if (c->verb == QUEUECTL_EXPIRE)
		log_info("%s: expired", c->id);
}

/* Taken up at once where there is room; the queue run finds it otherwise. */
static void
take_up(const struct change *c)
{
	if (c->removed || c->place == QUEUE_HOLD)
		return;
	if (intake_add(c->id, c->place, true) != INTAKE_FULL)
		return;
	if (c->place == QUEUE_DEFERRED)
		deferred_want(c->id);
	else
		scan_incoming();
}

static enum queuectl_outcome
change_on_disk(const char *id, enum queuectl_verb verb, const char **why)
{
	struct change c = { .id = id, .verb = verb };
	struct message *reserved = message_new(id, QUEUE_INCOMING);
	bool announced;

	reserved->step = MESSAGE_RESERVED;
	task_offload(change_run, &c);
	announced = reserved->announced;
	message_forget(reserved);
	indexing_add(c.note);
	if (c.outcome == QUEUECTL_DONE) {
		log_change(&c);
		if (c.removed && c.place != QUEUE_INCOMING)
			indexing_remove(id, c.place);
		(void)indexing_flush();
		take_up(&c);
	} else if (announced) {
		intake_announced(view_of(id), 0);
	}
	*why = c.why ? c.why : "";
	return c.outcome;
}

/* ---- a message in memory ---- */

static enum message_wish
wish_of(enum queuectl_verb verb)
{
	switch (verb) {
	case QUEUECTL_HOLD:
		return WISH_HOLD;
	case QUEUECTL_DELETE:
		return WISH_DELETE;
	case QUEUECTL_REQUEUE:
		return WISH_REQUEUE;
	case QUEUECTL_EXPIRE:
		return WISH_EXPIRE;
	default:
		return WISH_NOTHING;
	}
}

/* False: the message has left memory without it; look on disk. */
static bool
change_in_memory(struct message *m, enum queuectl_verb verb, enum queuectl_outcome *outcome,
    const char **why)
{
	struct wish_waiter waiter = { .wish = wish_of(verb) };

	if (verb == QUEUECTL_FLUSH_ID || verb == QUEUECTL_RELEASE) {
		m->flush = true;
		*outcome = verb == QUEUECTL_FLUSH_ID ? QUEUECTL_DONE : QUEUECTL_NOT_FOUND;
		*why = "";
		return true;
	}
	if (m->wish == WISH_NOTHING)
		m->wish = waiter.wish;
	task_cond_init(&waiter.done);
	list_append(&m->waiters, &waiter.link);
	if (m->wish == waiter.wish && m->step == MESSAGE_DELIVERING)
		message_withdraw(m);
	if (!waiter.is_done)
		task_cond_wait(&waiter.done, clock_deadline(PATIENCE));
	if (!waiter.is_done) {
		bool is_first = m->wish == waiter.wish;

		list_remove(&waiter.link);
		*outcome = is_first ? QUEUECTL_DONE : QUEUECTL_FAILED;
		*why = is_first ? "a delivery is running; it will be done when that ends"
				: "something else was asked for before and is not done yet";
		return true;
	}
	*outcome = QUEUECTL_DONE;
	*why = "";
	return waiter.succeeded;
}

static enum queuectl_outcome
change_message(const char *id, enum queuectl_verb verb, const char **why)
{
	enum queuectl_outcome outcome;
	struct message *m;

	for (int i = 0; i < TRIES && (m = message_find(id)); i++) {
		if (change_in_memory(m, verb, &outcome, why))
			return outcome;
	}
	if (!message_find(id))
		return change_on_disk(id, verb, why);
	*why = "the message is being changed";
	return QUEUECTL_FAILED;
}

static void
flush(void)
{
	transport_revive_all();
	transport_kick_all();
	deferred_flush();
	scan_incoming();
}

enum queuectl_outcome
command_run(const struct queuectl_command *command, uid_t uid, const char **why)
{
	bool is_flush = command->verb == QUEUECTL_FLUSH || command->verb == QUEUECTL_FLUSH_ID;
	char id[QUEUE_ID_SIZE];

	*why = "";
	if (is_flush ? !may_flush(uid) : !is_administrator(uid))
		return QUEUECTL_NOT_ALLOWED;
	if (qmgr.finishing) {
		*why = "the queue manager is ending";
		return QUEUECTL_FAILED;
	}
	if (command->verb == QUEUECTL_FLUSH) {
		flush();
		return QUEUECTL_DONE;
	}
	if (command->verb < QUEUECTL_FLUSH || command->verb > QUEUECTL_EXPIRE) {
		*why = "unknown command";
		return QUEUECTL_FAILED;
	}
	if (!queue_id_is_valid(command->queue_id))
		return QUEUECTL_NOT_FOUND;
	memcpy(id, command->queue_id.p, command->queue_id.n);
	id[command->queue_id.n] = '\0';
	return change_message(id, (enum queuectl_verb)command->verb, why);
}
