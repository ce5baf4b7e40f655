/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scan of incoming: what was there before the start, what nobody announced, and what was
 * announced while memory was full. One scan at a time, in batches outside the loop; it waits
 * where it is while there is no room, and starts again when something was turned away behind
 * it.
 */
#include "base/log.h"
#include "base/mem.h"
#include "qmgr/qmgr.h"
#include "queue/flow.h"

#define BATCH 256

static bool wanted, running;

struct batch {
	struct queue_scan *scan;
	char ids[BATCH][QUEUE_ID_SIZE];
	size_t count;
	bool at_end;
	const char *why;
};

static void
read_batch(void *argument)
{
	struct batch *b = argument;
	microseconds due;

	for (b->count = 0; b->count < BATCH; b->count++) {
		if (!queue_scan_next(b->scan, b->ids[b->count], &due, &b->why)) {
			b->at_end = true;
			return;
		}
	}
}

static bool
take_batch(const struct batch *b)
{
	for (size_t i = 0; i < b->count; i++) {
		if (!active_wait_for_room(ROOM_FOR_FOUND))
			return false;
		intake_add(b->ids[i], QUEUE_INCOMING, false);
	}
	return true;
}

static void
scan_once(struct batch *b)
{
	b->scan = queue_scan_new(qmgr.queue, QUEUE_INCOMING);
	b->at_end = false;
	do
		task_offload(read_batch, b);
	while (take_batch(b) && !b->at_end);
	queue_scan_free(&b->scan);
	if (b->why) {
		log_warn("scan incoming: %s", b->why);
		intake_retry_later();
	}
}

static void
scan_run(void *argument)
{
	struct batch *b = NEW(struct batch);

	(void)argument;
	while (wanted && active_wait_for_room(ROOM_FOR_FOUND)) {
		wanted = false;
		scan_once(b);
	}
	running = false;
	flow_slow_down(qmgr.flow, false);
	mem_free(b);
}

void
scan_incoming(void)
{
	wanted = true;
	if (running || qmgr.finishing)
		return;
	running = task_spawn("scan", scan_run, NULL);
	if (!running)
		intake_retry_later();
}

/* ---- hold ---- */

static void
clear_hold(void *argument)
{
	struct queue_scan *scan = queue_scan_new(qmgr.queue, QUEUE_HOLD);
	char id[QUEUE_ID_SIZE];
	microseconds due;
	const char *why;

	(void)argument;
	while (queue_scan_next(scan, id, &due, &why)) {
		if (queue_remove_incomplete(qmgr.queue, id, QUEUE_HOLD, &why) == QUEUE_OK)
			log_info("%s: removed what an interrupted writer left in hold", id);
	}
	queue_scan_free(&scan);
}

static void
hold_run(void *argument)
{
	task_offload(clear_hold, argument);
}

void
scan_hold(void)
{
	static bool done;

	if (!done)
		done = task_spawn("scan hold", hold_run, NULL);
}
