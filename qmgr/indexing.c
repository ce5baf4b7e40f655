/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index of deferred and held mail, from the side of its only writer. What happens to
 * messages becomes notes, which a task writes down in transactions of many, a moment later. The
 * index is a cache: when it cannot be written or read, or its file has gone, another one is
 * begun and filled from the queue files, while mail goes on. In the worst case there is none,
 * and deferred.c reads the directories.
 */
#include "base/log.h"
#include "base/mem.h"
#include "qmgr/qmgr.h"

#define GATHER     (10 * MILLISECOND)
#define BATCH      256
#define NOTES_MAX  20000
#define LOOK_EVERY (2 * SECOND)  /* whether the file is still there */
#define TRY_AGAIN  (10 * SECOND) /* to have an index */
#define FLUSH_TIME (5 * SECOND)

static struct indexing {
	struct queue_index *index; /* NULL: none now */
	uint64_t generation;
	unsigned users;
	struct list notes;
	size_t count;
	uint64_t added, done;    /* notes, ever */
	struct task_cond work;   /* for the task */
	struct task_cond change; /* for all others */
	const char *lost;        /* why the present one is to be given up */
	bool complete;
	bool running, ready;
	bool complained;
} indexing;

struct opening {
	bool fresh;
	struct queue_index *index;
	enum index_trust trust;
	const char *why;
};

struct writing {
	struct queue_index *index;
	struct index_change *changes[BATCH];
	size_t count;
	bool there, ok;
	const char *why;
};

/* ---- notes ---- */

struct indexing_note *
indexing_put(const struct queue_message *m, enum queue_place place, microseconds due)
{
	struct indexing_note *n = NEW(struct indexing_note);

	if (place == QUEUE_HOLD)
		due = 0;
	list_init(&n->link);
	n->change.op = INDEX_PUT;
	n->change.place = place;
	n->change.due = due;
	memcpy(n->change.id, m->id, QUEUE_ID_SIZE);
	buf_init(&n->change.value, INDEX_VALUE_MAX);
	index_entry_encode(m, place, due, &n->change.value);
	return n;
}

static void
note_free(struct indexing_note *n)
{
	buf_done(&n->change.value);
	mem_free(n);
}

/* It is in the index now, or there is none. */
static void
note_made(struct indexing_note *n)
{
	const struct index_change *c = &n->change;

	indexing.done++;
	if (c->op == INDEX_SET_DUE || (c->op == INDEX_PUT && c->place == QUEUE_DEFERRED))
		deferred_indexed(c->id, c->due);
	note_free(n);
}

static void
prepare(void)
{
	if (indexing.ready)
		return;
	list_init(&indexing.notes);
	task_cond_init(&indexing.work);
	task_cond_init(&indexing.change);
	indexing.ready = true;
}

void
indexing_add(struct indexing_note *n)
{
	if (!n)
		return;
	prepare();
	reconcile_touched(n->change.id);
	list_append(&indexing.notes, &n->link);
	indexing.added++;
	if (indexing.count++ == 0)
		task_cond_signal(&indexing.work);
}

static struct indexing_note *
small_note(const char *id, enum index_op op)
{
	struct indexing_note *n = NEW(struct indexing_note);

	list_init(&n->link);
	n->change.op = op;
	memcpy(n->change.id, id, strlen(id) + 1);
	return n;
}

void
indexing_remove(const char *id, enum queue_place place)
{
	struct indexing_note *n = small_note(id, INDEX_REMOVE);

	n->change.place = place;
	indexing_add(n);
}

void
indexing_set_due(const char *id, microseconds due)
{
	struct indexing_note *n = small_note(id, INDEX_SET_DUE);

	n->change.due = due;
	indexing_add(n);
}

/* ---- waiting ---- */

void
indexing_wait_for_room(void)
{
	while (indexing.count >= NOTES_MAX && indexing.running) {
		if (task_cond_wait(&indexing.change, clock_deadline(FLUSH_TIME)) != TASK_OK)
			return;
	}
}

bool
indexing_flush(void)
{
	uint64_t wanted = indexing.added;
	nanoseconds deadline = clock_deadline(FLUSH_TIME);

	while (indexing.done < wanted && indexing.running) {
		if (task_cond_wait(&indexing.change, deadline) != TASK_OK)
			return false;
	}
	return indexing.done >= wanted && indexing_is_complete();
}

/* ---- the index in use ---- */

struct queue_index *
indexing_take(void)
{
	if (!indexing.index || indexing.lost)
		return NULL;
	indexing.users++;
	return indexing.index;
}

void
indexing_give(void)
{
	if (--indexing.users == 0)
		task_cond_broadcast(&indexing.change);
}

void
indexing_lost(const char *why)
{
	if (indexing.lost || !indexing.index)
		return;
	indexing.lost = why;
	task_cond_signal(&indexing.work);
}

bool
indexing_is_complete(void)
{
	return indexing.index && !indexing.lost && indexing.complete;
}

uint64_t
indexing_generation(void)
{
	return indexing.generation;
}

static void
complete_run(void *argument)
{
	struct writing *w = argument;

	w->ok = queue_index_set_complete(w->index, true, &w->why);
}

void
indexing_completed(void)
{
	struct writing w = { .index = indexing_take() };

	if (!w.index)
		return;
	task_offload(complete_run, &w);
	indexing_give();
	if (w.ok)
		indexing.complete = true;
	else
		indexing_lost(w.why);
}

/* ---- the task ---- */

static void
open_run(void *argument)
{
	struct opening *o = argument;

	o->index = queue_index_open(qmgr.queue, ".", o->fresh, &o->trust, &o->why);
}

static bool
begin(bool fresh)
{
	struct opening o = { .fresh = fresh };

	task_offload(open_run, &o);
	if (!o.index) {
		if (!indexing.complained)
			log_warn(
			    "no index of deferred mail: %s; the directories are read instead",
			    o.why);
		indexing.complained = true;
		return false;
	}
	indexing.complained = false;
	indexing.index = o.index;
	indexing.generation++;
	indexing.complete = o.trust == INDEX_TRUSTED;
	deferred_indexed("", 0);
	if (o.trust != INDEX_TRUSTED)
		reconcile_start(o.trust == INDEX_EMPTY);
	return true;
}

static void
close_run(void *argument)
{
	queue_index_close(argument);
}

/* What was noted and not written is written to the next one. */
static void
give_up(void)
{
	struct queue_index *old = indexing.index;

	log_warn("the index of deferred mail is given up: %s; it is made again from the queue "
		 "files",
	    indexing.lost);
	while (indexing.users > 0)
		(void)task_cond_wait(&indexing.change, DEADLINE_NEVER);
	indexing.index = NULL;
	indexing.lost = NULL;
	task_offload(close_run, &old);
	begin(true);
}

static void
write_run(void *argument)
{
	struct writing *w = argument;

	w->there = queue_index_is_there(w->index);
	w->ok = w->there &&
	    (w->count == 0 || queue_index_apply(w->index, w->changes, w->count, &w->why));
}

/* What cannot be written now: the files say it all to whoever makes the next index. */
static void
drop_notes(void)
{
	struct list *link;

	while ((link = list_pop(&indexing.notes)))
		note_made(LIST_ITEM(link, struct indexing_note, link));
	indexing.count = 0;
	task_cond_broadcast(&indexing.change);
}

/* Of the batch: done, or back to where it was. */
static void
settle_batch(struct list *batch, size_t count, bool ok)
{
	struct list *link;

	if (!ok) {
		while ((link = batch->prev) != batch) {
			list_remove(link);
			list_prepend(&indexing.notes, link);
		}
		return;
	}
	indexing.count -= count;
	while ((link = list_pop(batch)))
		note_made(LIST_ITEM(link, struct indexing_note, link));
	task_cond_broadcast(&indexing.change);
}

static void
write_batch(void)
{
	struct writing *w = NEW(struct writing);
	struct list batch, *link;

	list_init(&batch);
	w->index = indexing.index;
	while (w->count < BATCH && (link = list_pop(&indexing.notes))) {
		list_append(&batch, link);
		w->changes[w->count++] = &LIST_ITEM(link, struct indexing_note, link)->change;
	}
	indexing.users++;
	task_offload(write_run, w);
	indexing.users--;
	settle_batch(&batch, w->count, w->ok);
	if (!w->there)
		indexing_lost("its file has gone");
	else if (!w->ok)
		indexing_lost(w->why);
	mem_free(w);
}

static void
run_once(void)
{
	if (indexing.lost) {
		give_up();
	} else if (!indexing.index && !begin(false)) {
		drop_notes();
		(void)task_cond_wait(&indexing.work, clock_deadline(TRY_AGAIN));
	} else {
		if (indexing.count == 0)
			(void)task_cond_wait(&indexing.work, clock_deadline(LOOK_EVERY));
		if (indexing.count > 0 && indexing.count < BATCH)
			(void)task_sleep(GATHER);
		if (!indexing.lost)
			write_batch();
	}
}

static void
indexing_run(void *argument)
{
	(void)argument;
	while (!qmgr.finishing)
		run_once();
	indexing.running = false;
	task_cond_broadcast(&indexing.change);
}

void
indexing_start(void)
{
	prepare();
	if (!indexing.running && !qmgr.finishing)
		indexing.running = task_spawn("index", indexing_run, NULL);
}

void
indexing_finish(void)
{
	prepare();
	task_cond_broadcast(&indexing.work);
	task_cond_broadcast(&indexing.change);
}

/* No task is left: what has been noted last is written here. */
void
indexing_end(void)
{
	if (!indexing.ready)
		return;
	while (indexing.index && !indexing.lost && indexing.count > 0)
		write_batch();
	drop_notes();
	queue_index_close(&indexing.index);
}
