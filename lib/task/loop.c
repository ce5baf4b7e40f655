/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop. One turn: run a batch of ready tasks, ask libevent what has happened, then run the
 * timers and handlers that are due. libevent's callbacks only wake tasks and mark handlers;
 * everything with code of ours behind it runs outside event_base_loop.
 *
 * While tasks are ready the question to libevent does not wait, and it is asked after at most
 * BATCH switches, so neither tasks that yield to each other nor a busy socket starve the rest.
 *
 * The base does without epoll's change list, which would tell the kernel of an ended
 * registration only at the next turn: too late for a descriptor that was closed meanwhile and
 * that another process keeps open.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "base/log.h"
#include "task/loop.h"
#include "task/sanitizer.h"

#define BATCH        128
#define SWEEP_PERIOD SECOND
#define SWEEP_BATCH  2000

/* How far below task.resting the switch itself needs the stack. */
#ifdef TASK_SWITCH_UCONTEXT
#define SWEEP_MARGIN 4096
#else
#define SWEEP_MARGIN 1024
#endif

/*
 * A task that has not run since it was last looked at waits for something slow, and what lies
 * below its stack pointer is left over from deeper calls: the pages are given back, once per
 * long wait. The sweep pauses when it has been round without meeting a task that had run.
 */
static void
sweep(struct loop_timer *timer)
{
	struct list *member = task_loop.sweep_next;
	size_t left = task_loop.count < SWEEP_BATCH ? task_loop.count : SWEEP_BATCH;

	for (; left > 0; left--) {
		struct task *t;

		if (member == &task_loop.tasks)
			member = member->next;
		t = LIST_ITEM(member, struct task, member);
		member = member->next;
		task_loop.sweep_quiet++;
		if (t->ran) {
			t->ran = t->trimmed = false;
			task_loop.sweep_quiet = 0;
		} else if (!t->trimmed && t->state == TASK_IS_PARKED) {
			stack_trim(&t->stack, t->resting - SWEEP_MARGIN);
			t->trimmed = true;
		}
	}
	task_loop.sweep_next = member;
	if (task_loop.sweep_quiet < task_loop.count)
		loop_timer_set(timer, clock_deadline(SWEEP_PERIOD));
	else
		task_loop.sweep_quiet = 0;
}

void
loop_timer_set(struct loop_timer *timer, nanoseconds at)
{
	heap_remove(&task_loop.timers, &timer->node);
	if (at != DEADLINE_NEVER)
		heap_add(&task_loop.timers, &timer->node, at);
}

static void
tick_passed(int fd, short events, void *context)
{
	(void)fd;
	(void)events;
	(void)context;
	task_loop.tick_at = DEADLINE_NEVER;
}

/*
 * What is referenced from the stacks of suspended tasks only is no leak when the process exits
 * in the middle of its work.
 */
static void
show_stacks_to_leak_checker(void)
{
	if (task_loop.base == NULL)
		return;
	list_for_each (member, &task_loop.tasks) {
		struct task *t = LIST_ITEM(member, struct task, member);
		const char *from = t->resting - SWEEP_MARGIN;

		if (t == task_loop.current)
			from = __builtin_frame_address(0);
		else if (t->resting == NULL)
			from = (const char *)t;
		sanitizer_root(from, t->stack.low + TASK_STACK_SIZE);
	}
	if (task_loop.current != NULL) {
		const char *main_stack = task_loop.main_stack;

		sanitizer_root(main_stack, main_stack + task_loop.main_stack_size);
	}
}

void
task_init(void)
{
	static bool at_exit;
	struct event_config *config = event_config_new();

	assert(task_loop.base == NULL);
	if (config == NULL)
		log_fatal("cannot configure the event loop");
	(void)event_config_set_flag(
	    config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV);
	task_loop.base = event_base_new_with_config(config);
	event_config_free(config);
	if (task_loop.base == NULL)
		log_fatal("cannot make an event loop: %m");
	list_init(&task_loop.ready);
	list_init(&task_loop.tasks);
	list_init(&task_loop.fired);
	list_init(&task_loop.registered);
	task_loop.turn = 1;
	task_loop.tick_at = DEADLINE_NEVER;
	task_loop.sweep.fire = sweep;
	task_loop.sweep_next = &task_loop.tasks;
	(void)evtimer_assign(&task_loop.tick, task_loop.base, tick_passed, NULL);
	if (SANITIZER_CHECKS_LEAKS && !at_exit)
		at_exit = atexit(show_stacks_to_leak_checker) == 0;
}

static void
loop_clear(void)
{
	heap_done(&task_loop.timers);
	memset(&task_loop, 0, sizeof(task_loop));
}

void
task_done(void)
{
	assert(task_loop.base != NULL && !task_loop.running && task_loop.count == 0);
	loop_offload_done();
	loop_signal_done();
	loop_fd_done();
	loop_timer_set(&task_loop.sweep, DEADLINE_NEVER);
	(void)event_del(&task_loop.tick);
	event_base_free(task_loop.base);
	loop_clear();
	stack_done();
}

void
task_forget(void)
{
	struct event_base *base = task_loop.base;

	loop_offload_forget();
	loop_signal_done();
	loop_fd_forget();
	loop_clear();
	task_loop.forgotten = base;
}

/* Runs ready tasks; those that become ready meanwhile have their turn after the others. */
static void
run_ready(void)
{
	for (unsigned n = 0; n < BATCH; n++) {
		struct list *link = list_pop(&task_loop.ready);

		if (link == NULL)
			break;
		task_resume(LIST_ITEM(link, struct task, link));
	}
}

static void
run_timers(void)
{
	struct heap_node *first = heap_first(&task_loop.timers);
	nanoseconds now;

	if (first == NULL)
		return;
	now = clock_now();
	while (first != NULL && first->key <= now) {
		struct loop_timer *timer = CONTAINER_OF(first, struct loop_timer, node);

		heap_remove(&task_loop.timers, first);
		timer->fire(timer);
		first = heap_first(&task_loop.timers);
	}
}

/* Arms libevent's timer for the first of ours. One that is armed too early may stay. */
static void
arm_tick(void)
{
	struct heap_node *first = heap_first(&task_loop.timers);
	nanoseconds span;
	struct timeval tv;

	if (first == NULL || first->key >= task_loop.tick_at)
		return;
	task_loop.tick_at = first->key;
	span = first->key - clock_now();
	if (span < 0)
		span = 0;
	span = (span + 999) / 1000;
	tv.tv_sec = span / 1000000;
	tv.tv_usec = span % 1000000;
	(void)event_add(&task_loop.tick, &tv);
}

/* Is there nothing that could make a task ready? The sweep does not count. */
static bool
nothing_to_come(void)
{
	size_t timers = task_loop.timers.count - (heap_has(&task_loop.sweep.node) ? 1 : 0);

	return task_loop.sources == 0 && timers == 0;
}

static void
ask_for_events(void)
{
	bool wait = list_is_empty(&task_loop.ready) && list_is_empty(&task_loop.fired);

	task_loop.turn++;
	if (wait)
		arm_tick();
	(void)event_base_loop(task_loop.base, EVLOOP_ONCE | (wait ? 0 : EVLOOP_NONBLOCK));
}

void
task_run(void)
{
	assert(task_loop.base != NULL && !task_loop.running);
	task_loop.running = true;
	for (;;) {
		run_ready();
		if (task_loop.stopping && task_loop.count == 0)
			break;
		if (list_is_empty(&task_loop.ready) && nothing_to_come()) {
			if (task_loop.count == 0)
				break;
			/* They wait for each other, or for what nobody is left to do. */
			log_debug("%zu tasks wait for nothing: cancelled", task_loop.count);
			task_cancel_all();
			continue;
		}
		if (!heap_has(&task_loop.sweep.node) && task_loop.count > 0)
			loop_timer_set(&task_loop.sweep, clock_deadline(SWEEP_PERIOD));
		ask_for_events();
		task_loop.in_handler = true;
		run_timers();
		loop_watch_run();
		task_loop.in_handler = false;
	}
	task_loop.running = task_loop.stopping = false;
}

void
task_stop(void)
{
	task_loop.stopping = true;
	task_cancel_all();
}
