/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Comparing the index with the files it is about. All names in deferred and hold are read: a
 * message whose entry is there and has the due time and the length of its file is as it should
 * be, since journals only grow; any other one is opened and entered. Then, unless the index
 * began empty, its entries are gone through: those without a file are taken out. What happens
 * to messages meanwhile is noted later than what is read here, or the message is left alone,
 * for its note says more.
 *
 * It takes every second moment of one thread only, so that mail that is under way does not feel
 * it.
 */
#include <sys/stat.h>

#include "base/log.h"
#include "base/mem.h"
#include "qmgr/qmgr.h"

#define BATCH 64

static struct reconcile {
	bool running;
	bool is_empty;
	uint64_t generation;
	struct hash *touched; /* while a batch is being compared */
	unsigned long added, dropped;
} reconcile;

static const enum queue_place places[] = { QUEUE_DEFERRED, QUEUE_HOLD };

struct compare {
	struct queue_index *index;
	enum queue_place place;
	struct queue_scan *scan;
	struct indexing_note *notes[BATCH];
	size_t count;
	char odd[BATCH][QUEUE_ID_SIZE]; /* no message: for intake */
	size_t odd_count;
	struct index_page page;
	char after[QUEUE_ID_SIZE];
	struct buf value;
	bool at_end;
	const char *why; /* the index failed */
	const char *scan_why;
};

/* ---- outside the loop ---- */

static bool
is_right(struct compare *c, const char *id, microseconds due)
{
	struct index_head head;
	bool found;

	if (!queue_index_find(c->index, id, &c->value, &found, &c->why) || !found ||
	    !index_entry_peek(buf_view(&c->value), &head))
		return false;
	return head.place == c->place && head.length == queue_scan_length(c->scan) &&
	    (head.place == QUEUE_HOLD || head.due == due);
}

static void
compare_one(struct compare *c, const char *id, microseconds due)
{
	struct queue_message m;
	const char *why;

	if (is_right(c, id, due) || c->why)
		return;
	switch (queue_message_open(qmgr.queue, c->place, id, false, &m, &why)) {
	case QUEUE_OK:
		c->notes[c->count++] = indexing_put(&m, c->place, due);
		queue_message_done(&m);
		break;
	case QUEUE_INCOMPLETE:
	case QUEUE_DAMAGED:
		memcpy(c->odd[c->odd_count++], id, QUEUE_ID_SIZE);
		break;
	default:
		break;
	}
}

static void
compare_run(void *argument)
{
	struct compare *c = argument;
	char id[QUEUE_ID_SIZE];
	microseconds due;

	c->count = c->odd_count = 0;
	for (size_t i = 0; i < BATCH && !c->why; i++) {
		if (!queue_scan_next(c->scan, id, &due, &c->scan_why)) {
			c->at_end = true;
			return;
		}
		compare_one(c, id, due);
	}
}

/* Entries whose file is not where they say. */
static void
entries_run(void *argument)
{
	struct compare *c = argument;

	c->count = c->odd_count = 0;
	if (!queue_index_page(c->index, c->after, &c->page, &c->why))
		return;
	for (size_t i = 0; i < c->page.count; i++) {
		struct index_head head;

		if (!index_entry_peek(index_page_value(&c->page, i), &head)) {
			c->why = "an entry is damaged";
			return;
		}
		if (queue_is_at(qmgr.queue, c->page.ids[i], head.place))
			continue;
		c->notes[c->count] = NEW(struct indexing_note);
		list_init(&c->notes[c->count]->link);
		c->notes[c->count]->change.op = INDEX_REMOVE;
		c->notes[c->count]->change.place = head.place;
		memcpy(c->notes[c->count++]->change.id, c->page.ids[i], QUEUE_ID_SIZE);
	}
	c->at_end = c->page.count == 0;
	if (!c->at_end)
		memcpy(c->after, c->page.ids[c->page.count - 1], QUEUE_ID_SIZE);
}

/* ---- in the loop ---- */

void
reconcile_touched(const char *id)
{
	if (reconcile.touched)
		hash_put(reconcile.touched, view_of(id), &reconcile);
}

static void
take_notes(struct compare *c)
{
	struct hash *touched = reconcile.touched;

	reconcile.touched = NULL;
	for (size_t i = 0; i < c->count; i++) {
		struct indexing_note *n = c->notes[i];
		bool is_put = n->change.op == INDEX_PUT;

		if (hash_find(touched, view_of(n->change.id))) {
			buf_done(&n->change.value);
			mem_free(n);
			continue;
		}
		reconcile.added += is_put;
		reconcile.dropped += !is_put;
		indexing_add(n);
	}
	for (size_t i = 0; i < c->odd_count; i++)
		(void)intake_add(c->odd[i], c->place, false);
	hash_free(&touched, NULL);
}

/* False: this index is not worth going on with. */
static bool
batch_run(struct compare *c, void (*run)(void *))
{
	nanoseconds began = clock_now();

	c->index = indexing_take();
	if (!c->index || indexing_generation() != reconcile.generation || qmgr.finishing) {
		if (c->index)
			indexing_give();
		return false;
	}
	reconcile.touched = hash_new();
	task_offload(run, c);
	take_notes(c);
	indexing_give();
	if (c->why) {
		indexing_lost(c->why);
		return false;
	}
	indexing_wait_for_room();
	return task_sleep((clock_now() - began) / 2) == TASK_OK;
}

static bool
compare_place(struct compare *c, enum queue_place place)
{
	bool ok = true;

	c->place = place;
	c->at_end = false;
	c->scan = queue_scan_new(qmgr.queue, place);
	while (ok && !c->at_end)
		ok = batch_run(c, compare_run);
	queue_scan_free(&c->scan);
	if (c->scan_why)
		log_warn("scan %s: %s", queue_place_name(place), c->scan_why);
	return ok && !c->scan_why;
}

static bool
compare_all(struct compare *c)
{
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		if (!compare_place(c, places[i]))
			return false;
	}
	(void)indexing_flush();
	c->at_end = reconcile.is_empty;
	while (!c->at_end) {
		if (!batch_run(c, entries_run))
			return false;
	}
	/* Complete means that it can be read there, too. */
	(void)indexing_flush();
	return indexing_generation() == reconcile.generation && !qmgr.finishing;
}

static void
reconcile_run(void *argument)
{
	struct compare *c = NEW(struct compare);
	nanoseconds began = clock_now();
	bool again;

	(void)argument;
	buf_init(&c->value, INDEX_VALUE_MAX);
	buf_init(&c->page.values, ARRAY_LEN(c->page.ids) * INDEX_VALUE_MAX);
	reconcile.added = reconcile.dropped = 0;
	if (compare_all(c)) {
		log_info("index of deferred mail: compared with the queue files in %.1f s, "
			 "%lu entered, %lu dropped",
		    (double)(clock_now() - began) / SECOND, reconcile.added, reconcile.dropped);
		indexing_completed();
	}
	buf_done(&c->value);
	buf_done(&c->page.values);
	mem_free(c);
	reconcile.running = false;
	again = indexing_generation() != reconcile.generation;
	if (again)
		reconcile_start(reconcile.is_empty);
}

/* The files of a place that could not be read are looked for at the next start. */
void
reconcile_start(bool is_empty)
{
	reconcile.is_empty = is_empty;
	if (reconcile.running || qmgr.finishing)
		return;
	reconcile.generation = indexing_generation();
	reconcile.running = task_spawn("reconcile", reconcile_run, NULL);
}
