/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deferred mail that somebody wants tried now: all of it, one destination's (ETRN), or what
 * filters select. Each request goes through the index, or through the files while the index is
 * not complete, a few messages at a time, as far as there is room for them. A few requests are
 * worked on at a time and a few wait; one that is waiting already is not taken twice.
 */
#include "base/log.h"
#include "base/mem.h"
#include "qmgr/qmgr.h"
#include "queue/walk.h"

#define TASKS_MAX   4
#define WAITING_MAX 100

struct request {
	struct list link;
	struct queue_filter *filter;
};

static struct list waiting;
static size_t waiting_count;
static unsigned tasks;

struct look {
	struct queue_walk *walk;
	struct queue_index *index;
	uint64_t generation;
	size_t count;
	bool ok;
	const char *why;
};

static void
read_run(void *argument)
{
	struct look *l = argument;

	l->ok = queue_walk_read(l->walk, &l->count, &l->why);
}

/* False: the index that is walked through is not the present one any more. */
static bool
read_some(struct look *l)
{
	struct queue_index *index = l->index ? indexing_take() : NULL;

	if (l->index && (!index || indexing_generation() != l->generation)) {
		if (index)
			indexing_give();
		return false;
	}
	task_offload(read_run, l);
	if (index)
		indexing_give();
	if (!l->ok && index)
		indexing_lost(l->why);
	else if (!l->ok)
		log_warn("flush: %s", l->why);
	return l->ok || !index;
}

static bool
take_some(const struct look *l)
{
	for (size_t i = 0; i < l->count; i++) {
		if (!active_wait_for_room(ROOM_FOR_DUE))
			return false;
		(void)intake_add(queue_walk_at(l->walk, i).entry->id, QUEUE_DEFERRED, true);
	}
	return l->count > 0 || !l->ok;
}

/* False: to be done again without the index. */
static bool
walk(struct queue_filter *filter, bool by_index)
{
	struct look l = { 0 };
	bool valid;

	if (by_index) {
		l.index = indexing_take();
		if (!l.index)
			return false;
		l.generation = indexing_generation();
		indexing_give();
	}
	l.walk = queue_walk_new(qmgr.queue, l.index, WALK_DEFERRED, filter);
	do
		valid = read_some(&l);
	while (valid && take_some(&l) && !qmgr.finishing);
	queue_walk_free(&l.walk);
	return valid || qmgr.finishing;
}

static void
request_free(struct request *r)
{
	queue_filter_done(r->filter);
	mem_free(r->filter);
	mem_free(r);
}

static void
flush_run(void *argument)
{
	struct list *link;

	(void)argument;
	while ((link = list_pop(&waiting)) != NULL) {
		struct request *r = LIST_ITEM(link, struct request, link);

		waiting_count--;
		if (!qmgr.finishing && (!indexing_flush() || !walk(r->filter, true)))
			(void)walk(r->filter, false);
		request_free(r);
	}
	tasks--;
}

static bool
is_same(const struct queue_filter *a, const struct queue_filter *b)
{
	for (size_t i = 0; i < FILTER_KINDS; i++) {
		if (!view_eq(view_of(a->texts[i]), view_of(b->texts[i])))
			return false;
	}
	return true;
}

static bool
is_waiting(const struct queue_filter *filter)
{
	list_for_each (link, &waiting) {
		if (is_same(LIST_ITEM(link, struct request, link)->filter, filter))
			return true;
	}
	return false;
}

bool
flush_start(struct queue_filter *filter)
{
	struct request *r = NEW(struct request);

	if (!waiting.next)
		list_init(&waiting);
	r->filter = filter;
	if (waiting_count >= WAITING_MAX || is_waiting(filter)) {
		bool known = is_waiting(filter);

		request_free(r);
		return known;
	}
	list_append(&waiting, &r->link);
	waiting_count++;
	if (tasks < TASKS_MAX && task_spawn("flush", flush_run, NULL))
		tasks++;
	return tasks > 0;
}
