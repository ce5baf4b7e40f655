/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mail that waits for its next attempt. The index has it in the order of due times, and is read
 * from there on where the last look ended, a batch at a time, as far as there is room; so the
 * memory for it does not grow with the queue. From time to time it is read from its beginning
 * again: what was passed by then, for whatever reason, has its turn. A due time beyond any that
 * can be right was written by a clock that was ahead, and counts as due.
 *
 * While there is no index the directories are read instead, for what is due now.
 */
#include "base/log.h"
#include "base/mem.h"
#include "qmgr/qmgr.h"

#define BATCH      128
#define WANTED_MAX 1000
#define SCAN_PAUSE (5 * SECOND) /* between two readings of the directories, at least */

static struct deferred {
	struct index_due position; /* the last one that was taken; id "": none */
	bool rewind;
	microseconds next;      /* when the first one behind it is due, as far as known */
	nanoseconds from_start; /* when to begin from the start again */
	nanoseconds scan_at;    /* without an index */
	struct hash *wanted;    /* ids, to be taken before all others */
	struct task_cond changed;
	bool running;
} deferred;

struct look {
	struct queue_index *index;
	const struct index_due *after;
	microseconds until;
	struct index_due due[BATCH];
	size_t count;
	microseconds next;
	bool ok;
	const char *why;
};

/* ---- what others say ---- */

static void
prepare(void)
{
	if (deferred.wanted)
		return;
	deferred.wanted = hash_new();
	deferred.next = INT64_MAX;
	task_cond_init(&deferred.changed);
}

static bool
is_behind_position(const char *id, microseconds due)
{
	const struct index_due *p = &deferred.position;

	return due > p->due || (due == p->due && strcmp(id, p->id) > 0);
}

void
deferred_indexed(const char *id, microseconds due)
{
	prepare();
	if (!is_behind_position(id, due))
		deferred.rewind = true;
	if (due < deferred.next) {
		deferred.next = due;
		task_cond_signal(&deferred.changed);
	}
}

void
deferred_want(const char *id)
{
	prepare();
	if (hash_count(deferred.wanted) >= WANTED_MAX)
		return;
	hash_put(deferred.wanted, view_of(id), &deferred);
	task_cond_signal(&deferred.changed);
}

static bool
next_wanted(char id[QUEUE_ID_SIZE])
{
	struct hash_iter it = { 0 };

	if (!hash_next(deferred.wanted, &it))
		return false;
	memcpy(id, it.key.p, it.key.n);
	id[it.key.n] = '\0';
	hash_remove(deferred.wanted, view_of(id));
	return true;
}

static void
take_wanted(void)
{
	char id[QUEUE_ID_SIZE];

	while (active_wait_for_room(ROOM_FOR_DUE) && next_wanted(id))
		(void)intake_add(id, QUEUE_DEFERRED, true);
}

/* ---- the index ---- */

static void
look_run(void *argument)
{
	struct look *l = argument;

	l->ok = queue_index_due(
	    l->index, l->after, l->until, l->due, BATCH, &l->count, &l->next, &l->why);
}

/* False: there is no index. */
static bool
look(struct look *l, const struct index_due *after, microseconds until)
{
	l->index = indexing_take();
	if (!l->index)
		return false;
	l->after = after;
	l->until = until;
	task_offload(look_run, l);
	indexing_give();
	if (!l->ok)
		indexing_lost(l->why);
	return l->ok;
}

/* False: no room, for qmgr is finishing. */
static bool
take_batch(const struct look *l, struct index_due *position)
{
	for (size_t i = 0; i < l->count; i++) {
		if (!active_wait_for_room(ROOM_FOR_DUE))
			return false;
		(void)intake_add(l->due[i].id, QUEUE_DEFERRED, false);
		*position = l->due[i];
	}
	return true;
}

static bool
take_range(struct look *l, struct index_due *position, microseconds until)
{
	do {
		struct index_due after = *position;

		if (!look(l, &after, until) || !take_batch(l, position))
			return false;
		until = until == INT64_MAX ? until : clock_wall();
	} while (l->count == BATCH && !deferred.rewind);
	return true;
}

/* Due times that a clock wrote that was ahead. */
static bool
take_impossible(struct look *l)
{
	struct index_due position = { .due = retry_latest(&qmgr.retry, clock_wall()) };

	return take_range(l, &position, INT64_MAX);
}

/* False: the index is not to be had. */
static bool
take_due(struct look *l)
{
	bool from_start = deferred.rewind || clock_now() >= deferred.from_start;

	deferred.rewind = false;
	if (from_start) {
		deferred.position = (struct index_due){ 0 };
		deferred.from_start = clock_deadline(qmgr.values->queue_run_delay);
	}
	deferred.next = INT64_MAX;
	if (!take_range(l, &deferred.position, clock_wall()))
		return false;
	if (l->next < deferred.next)
		deferred.next = l->next;
	return !from_start || take_impossible(l);
}

/* ---- the directories ---- */

struct batch {
	struct queue_scan *scan;
	char ids[BATCH][QUEUE_ID_SIZE];
	microseconds due[BATCH];
	size_t count;
	bool at_end;
	const char *why;
};

static void
read_batch(void *argument)
{
	struct batch *b = argument;

	for (b->count = 0; b->count < BATCH; b->count++) {
		if (!queue_scan_next(b->scan, b->ids[b->count], &b->due[b->count], &b->why)) {
			b->at_end = true;
			return;
		}
	}
}

static void
take_files(const struct batch *b)
{
	for (size_t i = 0; i < b->count; i++) {
		if (retry_is_due(&qmgr.retry, b->due[i], clock_wall())) {
			if (!active_wait_for_room(ROOM_FOR_DUE))
				return;
			(void)intake_add(b->ids[i], QUEUE_DEFERRED, false);
		} else if (b->due[i] < deferred.next) {
			deferred.next = b->due[i];
		}
	}
}

static void
scan(void)
{
	nanoseconds began = clock_now();
	struct batch *b = NEW(struct batch);

	b->scan = queue_scan_new(qmgr.queue, QUEUE_DEFERRED);
	while (!b->at_end && !qmgr.finishing) {
		task_offload(read_batch, b);
		take_files(b);
	}
	if (b->why)
		log_warn("scan deferred: %s", b->why);
	queue_scan_free(&b->scan);
	mem_free(b);
	deferred.scan_at = clock_deadline(4 * (clock_now() - began));
}

static void
scan_due(void)
{
	if (clock_now() < deferred.scan_at)
		return;
	deferred.next = INT64_MAX;
	scan();
	if (deferred.scan_at < clock_deadline(SCAN_PAUSE))
		deferred.scan_at = clock_deadline(SCAN_PAUSE);
}

/* ---- the task ---- */

static nanoseconds
next_event(bool has_index)
{
	nanoseconds at = has_index ? deferred.from_start : deferred.scan_at;
	microseconds wait;

	if (deferred.rewind || hash_count(deferred.wanted) > 0)
		return clock_now();
	if (!has_index || deferred.next == INT64_MAX)
		return at;
	wait = deferred.next - clock_wall();
	if (wait < 0)
		wait = 0;
	if (wait < (at - clock_now()) / 1000)
		at = clock_deadline(wait * 1000);
	return at;
}

static void
deferred_run(void *argument)
{
	struct look *l = NEW(struct look);
	bool has_index;

	(void)argument;
	while (!qmgr.finishing) {
		take_wanted();
		has_index = take_due(l);
		if (!has_index && !qmgr.finishing)
			scan_due();
		if (qmgr.finishing ||
		    task_cond_wait(&deferred.changed, next_event(has_index)) == TASK_CANCELLED)
			break;
	}
	deferred.running = false;
	mem_free(l);
}

void
deferred_finish(void)
{
	prepare();
	task_cond_broadcast(&deferred.changed);
}

/* At the start, and at wake-ups in case there was no memory for the task. */
void
deferred_start(void)
{
	prepare();
	if (!deferred.running && !qmgr.finishing)
		deferred.running = task_spawn("deferred", deferred_run, NULL);
}
