/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batches. The first task that comes leads: it gives all that wait to one thread, wakes them
 * when they are done, and hands the lead to the first of those that came meanwhile. So one
 * thread works at a time, and the busier it is the more it does in one go.
 */
#include "base/mem.h"
#include "task/loop.h"

struct task_batch {
	void (*fn)(void **arguments, size_t count);
	struct list waiting;
	bool running;
};

/* Lives on the stack of the task that waits. */
struct entry {
	struct list link;
	struct task *task;
	void *argument;
	bool leads, done;
};

struct call {
	struct task_batch *batch;
	struct entry *entries[TASK_BATCH_MAX];
	void *arguments[TASK_BATCH_MAX];
	size_t count;
};

struct task_batch *
task_batch_new(void (*fn)(void **arguments, size_t count))
{
	struct task_batch *b = NEW(struct task_batch);

	b->fn = fn;
	list_init(&b->waiting);
	return b;
}

void
task_batch_free(struct task_batch **b)
{
	mem_free(*b);
	*b = NULL;
}

static void
call_run(void *argument)
{
	struct call *c = argument;

	c->batch->fn(c->arguments, c->count);
}

static void
lead(struct task_batch *b)
{
	struct call c = { .batch = b };
	struct list *link;

	while (c.count < TASK_BATCH_MAX && (link = list_pop(&b->waiting)) != NULL) {
		c.entries[c.count] = LIST_ITEM(link, struct entry, link);
		c.arguments[c.count] = c.entries[c.count]->argument;
		c.count++;
	}
	task_offload(call_run, &c);
	for (size_t i = 0; i < c.count; i++) {
		c.entries[i]->done = true;
		task_wake(c.entries[i]->task, TASK_OK);
	}
	b->running = !list_is_empty(&b->waiting);
	if (b->running) {
		struct entry *next = LIST_ITEM(b->waiting.next, struct entry, link);

		next->leads = true;
		task_wake(next->task, TASK_OK);
	}
}

void
task_batch_run(struct task_batch *b, void *argument)
{
	struct entry e = { .task = task_loop.current, .argument = argument };

	if (e.task == NULL) {
		b->fn(&argument, 1);
		return;
	}
	list_append(&b->waiting, &e.link);
	e.leads = !b->running;
	b->running = true;
	task_loop.sources++;
	while (!e.done) {
		if (e.leads)
			lead(b);
		else
			task_park_deaf();
	}
	task_loop.sources--;
}
