/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removing what is finished. One task takes all that gathered in a few milliseconds, and while
 * it was removing the last batch; unlinking and the last close, which frees the blocks, happen
 * outside the loop. A message whose file cannot be removed stays in memory, so that nobody
 * delivers it again, and is tried again later.
 */
#include "base/log.h"
#include "base/mem.h"
#include "qmgr/qmgr.h"

#define BATCH  128
#define GATHER (5 * MILLISECOND)

static struct list finished;
static bool ready, running;

struct batch {
	struct message *messages[BATCH];
	enum queue_result results[BATCH];
	const char *why[BATCH];
	size_t count;
};

static void
remove_all(void *argument)
{
	struct batch *b = argument;

	for (size_t i = 0; i < b->count; i++) {
		struct message *m = b->messages[i];

		b->results[i] = queue_remove(qmgr.queue, m->id, m->place, &b->why[i]);
		if (b->results[i] == QUEUE_OK || b->results[i] == QUEUE_GONE)
			queue_message_done(&m->file);
	}
}

static void
removed(struct message *m, enum queue_result result, const char *why)
{
	if (result != QUEUE_OK && result != QUEUE_GONE) {
		log_warn("%s: remove queue file: %s", m->id, why);
		m->step = MESSAGE_SETTLING;
		message_stall(m);
		return;
	}
	settle_works();
	log_info("%s: removed", m->id);
	if (m->place == QUEUE_DEFERRED)
		indexing_remove(m->id, m->place);
	message_wishes_end(m, m->wish == WISH_DELETE);
	message_forget(m);
}

static void
remove_run(void *argument)
{
	struct batch *b = NEW(struct batch);

	(void)argument;
	while (!list_is_empty(&finished)) {
		struct list *link;

		(void)task_sleep(GATHER);
		b->count = 0;
		while (b->count < BATCH && (link = list_pop(&finished)))
			b->messages[b->count++] = LIST_ITEM(link, struct message, link);
		task_offload(remove_all, b);
		for (size_t i = 0; i < b->count; i++)
			removed(b->messages[i], b->results[i], b->why[i]);
	}
	running = false;
	mem_free(b);
}

void
message_remove(struct message *m)
{
	if (!ready) {
		list_init(&finished);
		ready = true;
	}
	m->step = MESSAGE_REMOVING;
	list_append(&finished, &m->link);
	if (running)
		return;
	running = task_spawn("remove", remove_run, NULL);
	if (!running) {
		list_remove(&m->link);
		m->step = MESSAGE_SETTLING;
		message_stall(m);
	}
}
