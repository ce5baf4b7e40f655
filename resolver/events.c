/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libunbound works on any event loop that can do what this table says. Here its descriptors and
 * timers become watches and timers of our loop, so that it needs neither a thread nor a process
 * of its own. Its handlers run on the loop's stack, never on a task's. An event that fires once
 * is taken off before its handler runs; the handler may free it.
 */
#include "resolver/events.h"

#include <unbound-event.h>

#include <sys/time.h>

#include "base/mem.h"
#include "task/task.h"

struct event {
	struct ub_event super;
	int fd;
	short bits;
	void (*fn)(int, short, void *);
	void *argument;
	struct task_watch *readable, *writable;
	struct task_timer *timer;
	nanoseconds span; /* 0: no time limit */
};

static struct event *
event_of(struct ub_event *e)
{
	return CONTAINER_OF(e, struct event, super);
}

static void
event_stop(struct event *e)
{
	task_watch_free(&e->readable);
	task_watch_free(&e->writable);
	task_timer_free(&e->timer);
}

static void
fire(struct event *e, short what)
{
	if (!(e->bits & UB_EV_PERSIST) || what == UB_EV_TIMEOUT)
		event_stop(e);
	else if (e->timer)
		task_timer_set(e->timer, clock_deadline(e->span));
	e->fn(e->fd, what, e->argument);
}

static void
on_readable(void *context)
{
	fire(context, UB_EV_READ);
}

static void
on_writable(void *context)
{
	fire(context, UB_EV_WRITE);
}

static void
on_time(void *context)
{
	fire(context, UB_EV_TIMEOUT);
}

static int
event_add(struct ub_event *ub, struct timeval *tv)
{
	struct event *e = event_of(ub);

	event_stop(e);
	if (tv) {
		e->span = tv->tv_sec * SECOND + tv->tv_usec * (SECOND / 1000000);
		e->timer = task_timer_new(on_time, e);
		task_timer_set(e->timer, clock_deadline(e->span));
	}
	if (e->fd >= 0 && (e->bits & UB_EV_READ))
		e->readable = task_watch_new(e->fd, TASK_READ, on_readable, e);
	if (e->fd >= 0 && (e->bits & UB_EV_WRITE))
		e->writable = task_watch_new(e->fd, TASK_WRITE, on_writable, e);
	return 0;
}

static int
event_del(struct ub_event *ub)
{
	event_stop(event_of(ub));
	return 0;
}

static void
event_add_bits(struct ub_event *ub, short bits)
{
	event_stop(event_of(ub));
	event_of(ub)->bits |= bits;
}

static void
event_del_bits(struct ub_event *ub, short bits)
{
	event_stop(event_of(ub));
	event_of(ub)->bits &= (short)~bits;
}

static void
event_set_fd(struct ub_event *ub, int fd)
{
	event_stop(event_of(ub));
	event_of(ub)->fd = fd;
}

static void
event_free(struct ub_event *ub)
{
	struct event *e = event_of(ub);

	event_stop(e);
	mem_free(e);
}

static int
event_add_timer(struct ub_event *ub, struct ub_event_base *base, void (*fn)(int, short, void *),
    void *argument, struct timeval *tv)
{
	(void)base;
	event_of(ub)->fn = fn;
	event_of(ub)->argument = argument;
	return event_add(ub, tv);
}

static struct ub_event *
event_new(struct ub_event_base *base, int fd, short bits, void (*fn)(int, short, void *),
    void *argument)
{
	static struct ub_event_vmt methods = {
		.add_bits = event_add_bits,
		.del_bits = event_del_bits,
		.set_fd = event_set_fd,
		.free = event_free,
		.add = event_add,
		.del = event_del,
		.add_timer = event_add_timer,
		.del_timer = event_del,
	};
	struct event *e = NEW(struct event);

	(void)base;
	e->super.magic = UB_EVENT_MAGIC;
	e->super.vmt = &methods;
	e->fd = fd;
	e->bits = bits;
	e->fn = fn;
	e->argument = argument;
	return &e->super;
}

/* What libunbound says that it never calls, but looks for. */

static void
base_free(struct ub_event_base *base)
{
	(void)base;
}

static int
base_dispatch(struct ub_event_base *base)
{
	(void)base;
	return -1;
}

static int
base_exit(struct ub_event_base *base, struct timeval *tv)
{
	(void)base;
	(void)tv;
	return -1;
}

static struct ub_event *
signal_new(
    struct ub_event_base *base, int number, void (*fn)(int, short, void *), void *argument)
{
	(void)base;
	(void)number;
	(void)fn;
	(void)argument;
	return NULL;
}

static struct ub_event *
winsock_new(
    struct ub_event_base *base, void *handle, void (*fn)(int, short, void *), void *argument)
{
	(void)base;
	(void)handle;
	(void)fn;
	(void)argument;
	return NULL;
}

struct ub_event_base *
events_base(void)
{
	static struct ub_event_base_vmt methods = {
		.free = base_free,
		.dispatch = base_dispatch,
		.loopexit = base_exit,
		.new_event = event_new,
		.new_signal = signal_new,
		.winsock_register_wsaevent = winsock_new,
	};
	static struct ub_event_base base = { UB_EVENT_MAGIC, &methods };

	return &base;
}
