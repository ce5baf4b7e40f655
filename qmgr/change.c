/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes to messages that lie on disk, one or many at a time, with their ids reserved so that
 * nobody takes them up meanwhile. The directories of many that were moved are synced once. What
 * the index is to say is worked out in the same go, and written before the caller is told, so
 * that what he looks at next shows it.
 */
#include <sys/stat.h>

#include "base/log.h"
#include "base/mem.h"
#include "qmgr/qmgr.h"

/* ---- a message on disk ---- */

struct change {
	char id[QUEUE_ID_SIZE];
	enum queuectl_verb verb;
	bool is_alone;
	/* When it is not, places whose directories are to be synced, a bit each. */
	unsigned moved_from, moved_to;
	enum queue_place place; /* where it is afterwards */
	enum queuectl_outcome outcome;
	bool removed;
	bool nowhere; /* no file at all */
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
	r = c->is_alone ? queue_move(qmgr.queue, c->id, c->place, to, &c->why)
			: queue_rename(qmgr.queue, c->id, c->place, to, &c->why);
	if (r != QUEUE_OK)
		return r;
	if (!c->is_alone) {
		c->moved_from = 1U << c->place;
		c->moved_to = 1U << to;
	}
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
	default:
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
change_file(struct change *c)
{
	c->outcome = QUEUECTL_FAILED;
	if (!queue_find(qmgr.queue, c->id, &c->place) || c->place == QUEUE_CORRUPT) {
		c->outcome = QUEUECTL_NOT_FOUND;
		c->nowhere = true;
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

/* ---- some of them ---- */

struct changes {
	struct change list[QUEUECTL_MANY_MAX];
	struct message *reserved[QUEUECTL_MANY_MAX];
	size_t count;
};

static unsigned
sync_places(unsigned places, const char **why)
{
	unsigned bad = 0;

	for (unsigned place = 0; place < QUEUE_PLACES; place++) {
		if ((places & 1U << place) &&
		    queue_sync(qmgr.queue, (enum queue_place)place, why) != QUEUE_OK)
			bad |= 1U << place;
	}
	return bad;
}

/* The new names first. A move that is not on disk has failed, though it may last. */
static void
sync_moves(struct changes *all)
{
	unsigned from = 0, to = 0, bad;
	const char *why = NULL;

	for (size_t i = 0; i < all->count; i++) {
		from |= all->list[i].moved_from;
		to |= all->list[i].moved_to;
	}
	bad = sync_places(to, &why);
	if (!bad)
		bad = sync_places(from, &why);
	for (size_t i = 0; i < all->count; i++) {
		struct change *c = &all->list[i];

		if (c->outcome == QUEUECTL_DONE && ((c->moved_from | c->moved_to) & bad)) {
			c->outcome = QUEUECTL_FAILED;
			c->why = why;
		}
	}
}

static void
changes_run(void *argument)
{
	struct changes *all = argument;

	for (size_t i = 0; i < all->count; i++)
		change_file(&all->list[i]);
	sync_moves(all);
}

static void
reserve(struct changes *all, struct view id, enum queuectl_verb verb)
{
	size_t i = all->count++;

	memcpy(all->list[i].id, id.p, id.n);
	all->list[i].verb = verb;
	all->reserved[i] = message_new(all->list[i].id, QUEUE_INCOMING);
	all->reserved[i]->step = MESSAGE_RESERVED;
}

static void
release(struct changes *all, size_t i)
{
	struct change *c = &all->list[i];
	bool announced = all->reserved[i]->announced;

	message_forget(all->reserved[i]);
	indexing_add(c->note);
	if (c->outcome == QUEUECTL_DONE) {
		log_change(c);
		if (c->removed && c->place != QUEUE_INCOMING)
			indexing_remove(c->id, c->place);
	} else if (c->nowhere) {
		indexing_remove(c->id, QUEUE_DEFERRED);
		indexing_remove(c->id, QUEUE_HOLD);
	}
	if (c->outcome != QUEUECTL_DONE && announced) {
		intake_announced(view_of(c->id), 0);
	}
}

static void
run(struct changes *all)
{
	bool any = false;

	task_offload(changes_run, all);
	for (size_t i = 0; i < all->count; i++) {
		release(all, i);
		any |= all->list[i].outcome == QUEUECTL_DONE;
	}
	if (any)
		(void)indexing_flush();
	for (size_t i = 0; i < all->count; i++) {
		if (all->list[i].outcome == QUEUECTL_DONE)
			take_up(&all->list[i]);
	}
}

enum queuectl_outcome
change_on_disk(const char *id, enum queuectl_verb verb, const char **why)
{
	struct changes *all = NEW(struct changes);
	enum queuectl_outcome outcome;

	reserve(all, view_of(id), verb);
	all->list[0].is_alone = true;
	run(all);
	outcome = all->list[0].outcome;
	*why = all->list[0].why ? all->list[0].why : "";
	mem_free(all);
	return outcome;
}

bool
change_many(struct view ids, enum queuectl_verb verb, struct buf *outcomes)
{
	struct changes *all = NEW(struct changes);
	size_t count = 0, next = 0;
	struct view id;
	bool ok = true;

	for (; ok && view_next_word(&ids, " ", &id); count++) {
		char name[QUEUE_ID_SIZE] = "";

		ok = count < QUEUECTL_MANY_MAX && queue_id_is_valid(id);
		if (!ok)
			break;
		memcpy(name, id.p, id.n);
		if (message_find(name)) {
			buf_append_char(outcomes, '0' + QUEUECTL_ALONE);
			continue;
		}
		buf_append_char(outcomes, '\0');
		reserve(all, id, verb);
	}
	run(all);
	for (size_t i = 0; i < outcomes->len; i++) {
		if (outcomes->data[i] == '\0')
			outcomes->data[i] = (char)('0' + all->list[next++].outcome);
	}
	mem_free(all);
	return ok;
}

/* ---- mail that cleanup put on hold ---- */

static void
held_run(void *argument)
{
	struct change *c = argument;

	c->place = QUEUE_HOLD;
	note_change(c);
}

void
change_held(struct view id)
{
	struct change c = { .verb = QUEUECTL_HOLD };

	if (!queue_id_is_valid(id))
		return;
	memcpy(c.id, id.p, id.n);
	task_offload(held_run, &c);
	indexing_add(c.note);
}
