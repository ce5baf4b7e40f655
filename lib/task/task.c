/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of tasks: start, park, wake, cancel, end.
 *
 * A task is ready, running, parked or done. The ready queue is a list; loop.c takes a task off
 * it and switches to its stack, and the task switches back when it parks, yields or has
 * returned. All waits are made of task_park: the waiting side registers itself somewhere (a
 * descriptor, a list of waiters), parks, and takes itself off afterwards; the other side calls
 * task_wake. Whoever wakes first decides the result, so a signal that came before a timeout or
 * a cancellation is never lost.
 *
 * A deadline is a node in the loop's heap. It is left there when the wait ends early and is
 * corrected when it fires or when an earlier one is wanted: a session that waits a thousand
 * times with deadlines minutes away touches the heap once in that time.
 */
#include "task/task.h"

#include <assert.h>

#include "task/loop.h"
#include "task/sanitizer.h"

struct loop task_loop;

static void
switch_to_loop(struct task *t)
{
	t->resting = __builtin_frame_address(0);
	sanitizer_leave(t->state == TASK_IS_DONE ? NULL : &t->fake_stack, task_loop.main_stack,
	    task_loop.main_stack_size);
	context_switch(&t->context, &task_loop.context);
	sanitizer_enter(t->fake_stack, NULL, NULL);
}

/* The first function on a stack. */
static void
task_main(void *argument)
{
	struct task *t = argument;

	sanitizer_enter(NULL, &task_loop.main_stack, &task_loop.main_stack_size);
	t->fn(t->argument);
	t->state = TASK_IS_DONE;
	switch_to_loop(t);
}

static void
task_deadline_passed(struct loop_timer *timer)
{
	struct task *t = CONTAINER_OF(timer, struct task, timer);

	if (t->state != TASK_IS_PARKED || t->wait_until == DEADLINE_NEVER)
		return;
	if (t->wait_until > clock_now())
		loop_timer_set(timer, t->wait_until);
	else
		task_wake(t, TASK_TIMEOUT);
}

struct task *
task_start(const char *name, void (*fn)(void *argument), void *argument)
{
	struct stack stack;
	struct task *t;
	char *top;

	assert(task_loop.base != NULL);
	if (!stack_take(&stack))
		return NULL;
	top = stack.low + TASK_STACK_SIZE - sizeof(struct task);
	t = (struct task *)((uintptr_t)top & ~(uintptr_t)63);
	*t = (struct task){ .stack = stack,
		.name = name,
		.fn = fn,
		.argument = argument,
		.limit = DEADLINE_NEVER,
		.state = TASK_IS_READY,
		.cancelled = task_loop.stopping,
		.timer.fire = task_deadline_passed };
	list_init(&t->link);
	list_init(&t->joiners);
	context_init(&t->context, stack.low, (size_t)((char *)t - stack.low), task_main, t);
	list_append(&task_loop.ready, &t->link);
	list_append(&task_loop.tasks, &t->member);
	task_loop.count++;
	return t;
}

bool
task_spawn(const char *name, void (*fn)(void *argument), void *argument)
{
	struct task *t = task_start(name, fn, argument);

	if (t == NULL)
		return false;
	task_release(t);
	return true;
}

static void
task_free(struct task *t)
{
	struct stack stack = t->stack;

	stack_give(&stack);
}

void
task_release(struct task *t)
{
	assert(!t->released);
	t->released = true;
	if (t->state == TASK_IS_DONE)
		task_free(t);
}

/* On the loop's stack, after the last switch away from t. */
static void
task_end(struct task *t)
{
	struct list *link;

	if (task_loop.sweep_next == &t->member)
		task_loop.sweep_next = t->member.next;
	list_remove(&t->member);
	loop_timer_set(&t->timer, DEADLINE_NEVER);
	task_loop.count--;
	while ((link = list_pop(&t->joiners)) != NULL)
		task_wake(LIST_ITEM(link, struct task, link), TASK_OK);
	if (t->released)
		task_free(t);
}

void
task_resume(struct task *t)
{
	t->state = TASK_IS_RUNNING;
	t->ran = true;
	task_loop.current = t;
	sanitizer_leave(&task_loop.fake_stack, t->stack.low, TASK_STACK_SIZE);
	context_switch(&task_loop.context, &t->context);
	sanitizer_enter(task_loop.fake_stack, NULL, NULL);
	task_loop.current = NULL;
	stack_check_canary(&t->stack);
	if (t->state == TASK_IS_DONE)
		task_end(t);
}

static enum task_result
park_until(nanoseconds deadline, bool deaf)
{
	struct task *t = task_loop.current;

	t->wait_until = deadline;
	t->deaf = deaf;
	if (deadline == DEADLINE_NEVER || !heap_has(&t->timer.node) ||
	    t->timer.node.key > deadline)
		loop_timer_set(&t->timer, deadline);
	t->state = TASK_IS_PARKED;
	switch_to_loop(t);
	return t->result;
}

enum task_result
task_park(nanoseconds deadline)
{
	struct task *t = task_loop.current;
	enum task_result result = task_check(deadline);

	if (result != TASK_OK) {
		list_remove(&t->link);
		return result;
	}
	return park_until(deadline < t->limit ? deadline : t->limit, false);
}

void
task_park_deaf(void)
{
	park_until(DEADLINE_NEVER, true);
}

void
task_wake(struct task *t, enum task_result result)
{
	if (t->state != TASK_IS_PARKED)
		return;
	t->state = TASK_IS_READY;
	t->result = result;
	list_remove(&t->link);
	list_append(&task_loop.ready, &t->link);
}

enum task_result
task_check(nanoseconds deadline)
{
	struct task *t = task_loop.current;

	if (t != NULL) {
		if (t->cancelled)
			return TASK_CANCELLED;
		if (deadline > t->limit)
			deadline = t->limit;
	}
	if (deadline != DEADLINE_NEVER && deadline <= clock_now())
		return TASK_TIMEOUT;
	return TASK_OK;
}

enum task_result
task_join(struct task *t, nanoseconds deadline)
{
	assert(task_loop.current != NULL && t != task_loop.current);
	if (t->state == TASK_IS_DONE)
		return TASK_OK;
	list_append(&t->joiners, &task_loop.current->link);
	return task_park(deadline);
}

void
task_cancel(struct task *t)
{
	t->cancelled = true;
	if (!t->deaf)
		task_wake(t, TASK_CANCELLED);
}

void
task_cancel_all(void)
{
	list_for_each (member, &task_loop.tasks)
		task_cancel(LIST_ITEM(member, struct task, member));
}

bool
task_is_cancelled(void)
{
	return task_loop.current != NULL && task_loop.current->cancelled;
}

struct task *
task_current(void)
{
	return task_loop.current;
}

const char *
task_name(const struct task *t)
{
	return t->name;
}

size_t
task_count(void)
{
	return task_loop.count;
}

nanoseconds
task_set_deadline(nanoseconds deadline)
{
	struct task *t = task_loop.current;
	nanoseconds before;

	if (t == NULL)
		return DEADLINE_NEVER;
	before = t->limit;
	t->limit = deadline;
	return before;
}

void
task_yield(void)
{
	struct task *t = task_loop.current;

	if (t == NULL)
		return;
	t->state = TASK_IS_READY;
	list_append(&task_loop.ready, &t->link);
	switch_to_loop(t);
}
