/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mail that waits for its next attempt. The files themselves say when, by their modification
 * time. Every queue_run_delay the directory is read, and what is due before the next reading is
 * remembered in a heap of bounded size; what does not fit is found by reading again as soon as
 * the heap has run empty. Half of it is for what is due already: the directory is read in the
 * same order each time, and what comes first there must not crowd out the rest for ever. Nobody
 * else knows how due mail is found, so that an index can take the place of the reading.
 */
#include "base/heap.h"
#include "base/log.h"
#include "base/mem.h"
#include "qmgr/qmgr.h"

#define REMEMBER_MAX 20000
#define BATCH        256

struct due {
	struct heap_node node; /* key: microseconds of the wall clock */
	char id[QUEUE_ID_SIZE];
};

static struct deferred {
	struct heap heap;
	struct hash *known; /* id -> struct due */
	struct task_cond changed;
	microseconds next_scan; /* wall clock: what is due before is remembered */
	nanoseconds scan_at;    /* the same moment */
	bool more_due;          /* something due did not fit */
	bool more_later;        /* something due before next_scan did not fit */
	bool flush;             /* everything is due */
	bool running;
} deferred;

struct batch {
	struct queue_scan *scan;
	char ids[BATCH][QUEUE_ID_SIZE];
	microseconds due[BATCH];
	size_t count;
	bool at_end;
	const char *why;
};

/* ---- the heap ---- */

static void
forget(struct due *d)
{
	heap_remove(&deferred.heap, &d->node);
	hash_remove(deferred.known, view_of(d->id));
	mem_free(d);
}

static bool
has_room(bool is_due)
{
	return hash_count(deferred.known) < (is_due ? REMEMBER_MAX : REMEMBER_MAX / 2);
}

static void
remember(const char *id, microseconds due)
{
	struct due *d = hash_find(deferred.known, view_of(id));
	bool is_due = due <= clock_wall();

	if (d)
		forget(d);
	if (due > deferred.next_scan)
		return;
	if (!has_room(is_due)) {
		deferred.more_due |= is_due;
		deferred.more_later |= !is_due;
		return;
	}
	d = NEW(struct due);
	memcpy(d->id, id, strlen(id) + 1);
	hash_put(deferred.known, view_of(d->id), d);
	heap_add(&deferred.heap, &d->node, due);
}

static struct due *
first(void)
{
	struct heap_node *node = heap_first(&deferred.heap);

	return node ? CONTAINER_OF(node, struct due, node) : NULL;
}

void
deferred_add(const char *id, microseconds due)
{
	if (qmgr.finishing)
		return;
	remember(id, due);
	task_cond_signal(&deferred.changed);
}

/* ---- reading the directory ---- */

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
take_batch(const struct batch *b, bool flush)
{
	microseconds now = clock_wall();

	for (size_t i = 0; i < b->count && !qmgr.finishing; i++) {
		if (flush) {
			if (active_wait_for_room(true))
				intake_add(b->ids[i], QUEUE_DEFERRED, true);
		} else if (retry_is_due(&qmgr.retry, b->due[i], now)) {
			remember(b->ids[i], b->due[i] < now ? b->due[i] : now);
		} else {
			remember(b->ids[i], b->due[i]);
		}
	}
}

static void
scan(bool flush)
{
	nanoseconds span = qmgr.values->queue_run_delay;
	struct batch *b = NEW(struct batch);

	deferred.more_due = deferred.more_later = false;
	deferred.scan_at = clock_deadline(span);
	deferred.next_scan = clock_wall() + span / 1000;
	b->scan = queue_scan_new(qmgr.queue, QUEUE_DEFERRED);
	while (!b->at_end && !qmgr.finishing) {
		task_offload(read_batch, b);
		take_batch(b, flush);
	}
	if (b->why)
		log_warn("scan deferred: %s", b->why);
	queue_scan_free(&b->scan);
	mem_free(b);
}

/* ---- the task ---- */

static void
take_due(void)
{
	struct due *d;

	while ((d = first()) && d->node.key <= clock_wall()) {
		char id[QUEUE_ID_SIZE];

		if (!active_wait_for_room(true))
			return;
		d = first(); /* the wait may have changed it */
		if (!d)
			return;
		memcpy(id, d->id, sizeof(id));
		forget(d);
		intake_add(id, QUEUE_DEFERRED, false);
	}
}

/* Nothing is due any more of what is remembered, and there was more. */
static bool
is_exhausted(void)
{
	struct due *d = first();

	if (deferred.more_due && (!d || d->node.key > clock_wall()))
		return true;
	return deferred.more_later && !d;
}

static nanoseconds
next_event(void)
{
	struct due *d = first();
	nanoseconds at = deferred.scan_at;
	microseconds wait;

	if (!d)
		return at;
	wait = d->node.key - clock_wall();
	if (wait < 0)
		wait = 0;
	if (wait < (at - clock_now()) / 1000)
		at = clock_deadline(wait * 1000);
	return at;
}

static void
deferred_run(void *argument)
{
	(void)argument;
	while (!qmgr.finishing) {
		bool flush;

		take_due();
		if (qmgr.finishing)
			break;
		flush = deferred.flush; /* that may have come while there was no room */
		deferred.flush = false;
		if (flush || clock_now() >= deferred.scan_at || is_exhausted()) {
			scan(flush);
			continue;
		}
		if (!deferred.flush &&
		    task_cond_wait(&deferred.changed, next_event()) == TASK_CANCELLED)
			break;
	}
	deferred.running = false;
}

void
deferred_flush(void)
{
	deferred.flush = true;
	task_cond_signal(&deferred.changed);
}

void
deferred_finish(void)
{
	task_cond_broadcast(&deferred.changed);
}

/* At the start, and at wake-ups in case there was no memory for the task. */
void
deferred_start(void)
{
	if (!deferred.known) {
		deferred.known = hash_new();
		task_cond_init(&deferred.changed);
	}
	if (!deferred.running && !qmgr.finishing)
		deferred.running = task_spawn("deferred", deferred_run, NULL);
}
