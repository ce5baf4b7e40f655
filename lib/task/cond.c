/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conditions and limits: lists of parked tasks. A limit hands its place over to the first in
 * the line itself, so nobody who comes later gets ahead, and whoever was given a place has it
 * even when its deadline passes before it runs.
 */
#include <assert.h>

#include "task/loop.h"

void
task_cond_init(struct task_cond *c)
{
	list_init(&c->waiters);
}

enum task_result
task_cond_wait(struct task_cond *c, nanoseconds deadline)
{
	assert(task_loop.current != NULL);
	list_append(&c->waiters, &task_loop.current->link);
	return task_park(deadline);
}

void
task_cond_signal(struct task_cond *c)
{
	if (!list_is_empty(&c->waiters))
		task_wake(LIST_ITEM(c->waiters.next, struct task, link), TASK_OK);
}

void
task_cond_broadcast(struct task_cond *c)
{
	while (!list_is_empty(&c->waiters))
		task_cond_signal(c);
}

void
task_limit_init(struct task_limit *l, size_t count)
{
	task_cond_init(&l->free);
	l->count = count;
}

enum task_result
task_limit_take(struct task_limit *l, nanoseconds deadline)
{
	enum task_result result = task_check(deadline);

	if (result != TASK_OK)
		return result;
	if (l->count > 0) {
		l->count--;
		return TASK_OK;
	}
	return task_cond_wait(&l->free, deadline);
}

void
task_limit_give(struct task_limit *l)
{
	if (list_is_empty(&l->free.waiters))
		l->count++;
	else
		task_cond_signal(&l->free);
}
