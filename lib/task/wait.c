/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for descriptors and for time. The struct event of a wait lives on the stack of the
 * task that waits. Outside any task the same functions block the thread.
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <time.h>

#include "task/loop.h"

static void
fd_ready(int fd, short events, void *context)
{
	(void)fd;
	(void)events;
	task_wake(context, TASK_OK);
}

/* What poll(2) takes: milliseconds, rounded up, at most a day at a time. */
static int
poll_span(nanoseconds deadline)
{
	nanoseconds left;

	if (deadline == DEADLINE_NEVER)
		return -1;
	left = deadline - clock_now();
	if (left <= 0)
		return 0;
	if (left > 86400 * SECOND)
		left = 86400 * SECOND;
	return (int)((left + MILLISECOND - 1) / MILLISECOND);
}

static enum task_result
block_for_fd(int fd, enum task_wait what, nanoseconds deadline)
{
	struct pollfd p = { .fd = fd,
		.events = (short)(((what & TASK_READ) ? POLLIN : 0) |
		    ((what & TASK_WRITE) ? POLLOUT : 0)) };

	assert(!task_loop.in_handler);
	for (;;) {
		int n = poll(&p, 1, poll_span(deadline));

		if (n > 0 || (n < 0 && errno != EINTR))
			return TASK_OK;
		if (n == 0 && task_check(deadline) != TASK_OK)
			return TASK_TIMEOUT;
	}
}

enum task_result
task_wait_fd(int fd, enum task_wait what, nanoseconds deadline)
{
	struct task *t = task_loop.current;
	struct event event;
	enum task_result result;
	short events =
	    (short)(((what & TASK_READ) ? EV_READ : 0) | ((what & TASK_WRITE) ? EV_WRITE : 0));

	result = task_check(deadline);
	if (result != TASK_OK)
		return result;
	if (t == NULL)
		return block_for_fd(fd, what, deadline);
	/* When libevent refuses the descriptor, the caller's next call on it says why. */
	if (event_assign(&event, task_loop.base, fd, events, fd_ready, t) != 0 ||
	    event_add(&event, NULL) != 0)
		return TASK_OK;
	task_loop.sources++;
	result = task_park(deadline);
	task_loop.sources--;
	(void)event_del(&event);
	return result;
}

enum task_result
task_sleep_until(nanoseconds deadline)
{
	enum task_result result;

	if (task_loop.current == NULL) {
		struct timespec at = { .tv_sec = deadline / SECOND,
			.tv_nsec = deadline % SECOND };

		assert(!task_loop.in_handler);
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
			continue;
		return TASK_OK;
	}
	if (deadline <= clock_now())
		return task_is_cancelled() ? TASK_CANCELLED : TASK_OK;
	result = task_park(deadline);
	/* The narrower limit of task_set_deadline is a timeout; the chosen moment is not. */
	if (result == TASK_TIMEOUT && deadline <= clock_now())
		return TASK_OK;
	return result;
}

enum task_result
task_sleep(nanoseconds span)
{
	return task_sleep_until(clock_deadline(span));
}
