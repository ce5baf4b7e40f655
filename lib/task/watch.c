/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers without a stack: descriptors and timers. libevent's callback only puts the watch
 * into a list; the loop runs the handlers afterwards, so one handler may free another's watch.
 */
#include <assert.h>

#include "base/mem.h"
#include "task/loop.h"

struct task_watch {
	struct event event;
	struct list link; /* of loop.fired */
	void (*fn)(void *);
	void *context;
	bool enabled;
};

struct task_timer {
	struct loop_timer timer;
	void (*fn)(void *);
	void *context;
};

static void
watch_fired(int fd, short events, void *context)
{
	struct task_watch *w = context;

	(void)fd;
	(void)events;
	list_remove(&w->link);
	list_append(&task_loop.fired, &w->link);
}

void
loop_watch_run(void)
{
	struct list batch;
	struct list *link;

	list_init(&batch);
	while ((link = list_pop(&task_loop.fired)) != NULL)
		list_append(&batch, link);
	while ((link = list_pop(&batch)) != NULL) {
		struct task_watch *w = LIST_ITEM(link, struct task_watch, link);

		w->fn(w->context);
	}
}

struct task_watch *
task_watch_new(int fd, enum task_wait what, void (*fn)(void *), void *context)
{
	struct task_watch *w = NEW(struct task_watch);
	short events =
	    (short)(((what & TASK_READ) ? EV_READ : 0) | ((what & TASK_WRITE) ? EV_WRITE : 0));
	int rc;

	w->fn = fn;
	w->context = context;
	list_init(&w->link);
	rc = event_assign(
	    &w->event, task_loop.base, fd, (short)(events | EV_PERSIST), watch_fired, w);
	assert(rc == 0);
	task_watch_enable(w, true);
	return w;
}

void
task_watch_enable(struct task_watch *w, bool on)
{
	if (on == w->enabled)
		return;
	w->enabled = on;
	if (on) {
		(void)event_add(&w->event, NULL);
		task_loop.sources++;
	} else {
		(void)event_del(&w->event);
		list_remove(&w->link);
		task_loop.sources--;
	}
}

void
task_watch_free(struct task_watch **w)
{
	if (*w == NULL)
		return;
	if (task_loop.base != NULL) /* a forked child's is memory only */
		task_watch_enable(*w, false);
	mem_free(*w);
	*w = NULL;
}

static void
timer_fired(struct loop_timer *timer)
{
	struct task_timer *t = CONTAINER_OF(timer, struct task_timer, timer);

	t->fn(t->context);
}

struct task_timer *
task_timer_new(void (*fn)(void *), void *context)
{
	struct task_timer *t = NEW(struct task_timer);

	t->timer.fire = timer_fired;
	t->fn = fn;
	t->context = context;
	return t;
}

void
task_timer_set(struct task_timer *t, nanoseconds deadline)
{
	loop_timer_set(&t->timer, deadline);
}

void
task_timer_free(struct task_timer **t)
{
	if (*t == NULL)
		return;
	loop_timer_set(&(*t)->timer, DEADLINE_NEVER);
	mem_free(*t);
	*t = NULL;
}
