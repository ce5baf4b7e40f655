/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded queue between tasks: a ring of pointers and two lines of waiting tasks. An item
 * goes from a putter straight to a waiting getter, and from the first waiting putter into the
 * place that a getter has freed; so order holds on both sides, and a wait that was served is
 * served, whatever befalls its task before it runs.
 */
#include <assert.h>

#include "base/mem.h"
#include "task/loop.h"

struct task_queue {
	struct list getters; /* of struct waiter; not empty only while there is no item */
	struct list putters; /* not empty only while the ring is full */
	void **items;
	size_t max;
	size_t first;
	size_t count;
	bool closed;
};

struct waiter {
	struct list link;
	struct task *task;
	void *item;
	bool served;
};

struct task_queue *
task_queue_new(size_t max)
{
	struct task_queue *q = NEW(struct task_queue);

	assert(max > 0);
	list_init(&q->getters);
	list_init(&q->putters);
	q->items = mem_zero(max, sizeof(*q->items));
	q->max = max;
	return q;
}

void
task_queue_free(struct task_queue **q)
{
	if (*q == NULL)
		return;
	assert(list_is_empty(&(*q)->getters) && list_is_empty(&(*q)->putters));
	mem_free((*q)->items);
	mem_free(*q);
	*q = NULL;
}

static enum task_result
wait_in(struct list *line, struct waiter *w, nanoseconds deadline)
{
	enum task_result result;

	w->task = task_loop.current;
	assert(w->task != NULL);
	list_append(line, &w->link);
	result = task_park(deadline);
	list_remove(&w->link);
	return w->served ? TASK_OK : result;
}

static void
serve(struct list *link, void *item)
{
	struct waiter *w = LIST_ITEM(link, struct waiter, link);

	w->item = item;
	w->served = true;
	task_wake(w->task, TASK_OK);
}

static void
append(struct task_queue *q, void *item)
{
	q->items[(q->first + q->count) % q->max] = item;
	q->count++;
}

bool
task_queue_try_put(struct task_queue *q, void *item)
{
	struct list *getter;

	if (q->closed)
		return false;
	getter = list_pop(&q->getters);
	if (getter != NULL)
		serve(getter, item);
	else if (q->count == q->max)
		return false;
	else
		append(q, item);
	return true;
}

enum task_result
task_queue_put(struct task_queue *q, void *item, nanoseconds deadline)
{
	struct waiter w = { .item = item };
	enum task_result result = task_check(deadline);

	if (result != TASK_OK)
		return result;
	if (q->closed)
		return TASK_CANCELLED;
	if (task_queue_try_put(q, item))
		return TASK_OK;
	return wait_in(&q->putters, &w, deadline);
}

static void *
take_first(struct task_queue *q)
{
	void *item = q->items[q->first];
	struct list *putter;

	q->first = (q->first + 1) % q->max;
	q->count--;
	putter = list_pop(&q->putters);
	if (putter != NULL) {
		void *next = LIST_ITEM(putter, struct waiter, link)->item;

		append(q, next);
		serve(putter, next);
	}
	return item;
}

enum task_result
task_queue_get(struct task_queue *q, void **item, nanoseconds deadline)
{
	struct waiter w = { 0 };
	enum task_result result = task_check(deadline);

	*item = NULL;
	if (result != TASK_OK)
		return result;
	if (q->count > 0) {
		*item = take_first(q);
		return TASK_OK;
	}
	if (q->closed)
		return TASK_OK;
	result = wait_in(&q->getters, &w, deadline);
	*item = w.item;
	return result;
}

void
task_queue_close(struct task_queue *q)
{
	struct list *link;

	q->closed = true;
	while ((link = list_pop(&q->getters)) != NULL)
		serve(link, NULL);
	while ((link = list_pop(&q->putters)) != NULL)
		task_wake(LIST_ITEM(link, struct waiter, link)->task, TASK_CANCELLED);
}

size_t
task_queue_count(const struct task_queue *q)
{
	return q->count;
}
