/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tasks cost. Two tasks yield to each other: each yield is two switches, from the task to
 * the loop and from the loop to the other task, with the queue and the questions to libevent
 * between them; switch_ns is half of the whole. start_ns is a task from start to end on a
 * reused stack, roundtrip_ns a byte there and back over a socket pair with a wait on each side.
 * The best of several runs counts, because the machine has other work too.
 *
 * Exit status 1 when a switch takes 50 ns or more.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "task/task.h"

#define RUNS   7
#define YIELDS 1000000
#define STARTS 200000
#define TRIPS  50000
#define LIMIT  50.0

static void
yields(void *argument)
{
	(void)argument;
	for (int i = 0; i < YIELDS; i++)
		task_yield();
}

static double
measure_switch(void)
{
	nanoseconds start = clock_now();

	for (int i = 0; i < 2; i++)
		(void)task_spawn("yields", yields, NULL);
	task_run();
	return (double)(clock_now() - start) / (2.0 * 2 * YIELDS);
}

static void
ends(void *argument)
{
	(void)argument;
}

static void
starts(void *argument)
{
	(void)argument;
	for (int i = 0; i < STARTS; i++) {
		(void)task_spawn("ends", ends, NULL);
		if (i % 16 == 0)
			task_yield();
	}
}

static double
measure_start(void)
{
	nanoseconds start = clock_now();

	(void)task_spawn("starts", starts, NULL);
	task_run();
	return (double)(clock_now() - start) / STARTS;
}

static void
bounces(void *argument)
{
	int fd = *(int *)argument;
	char c = 'x';

	for (int i = 0; i < TRIPS; i++) {
		if (write(fd, &c, 1) != 1)
			abort();
		if (task_wait_fd(fd, TASK_READ, clock_deadline(60 * SECOND)) != TASK_OK ||
		    read(fd, &c, 1) != 1)
			abort();
	}
}

static double
measure_roundtrip(void)
{
	nanoseconds start;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0)
		abort();
	start = clock_now();
	for (int i = 0; i < 2; i++)
		(void)task_spawn("bounces", bounces, &fds[i]);
	task_run();
	file_close(&fds[0]);
	file_close(&fds[1]);
	return (double)(clock_now() - start) / TRIPS;
}

static double
best_of(double (*measure)(void))
{
	double best = measure();

	for (int i = 1; i < RUNS; i++) {
		double one = measure();

		if (one < best)
			best = one;
	}
	return best;
}

int
main(void)
{
	double switch_ns, start_ns, roundtrip_ns;

	task_init();
	switch_ns = best_of(measure_switch);
	start_ns = best_of(measure_start);
	roundtrip_ns = best_of(measure_roundtrip);
	task_done();
	printf("start_ns=%.0f roundtrip_ns=%.0f switch_ns=%.1f\n", start_ns, roundtrip_ns,
	    switch_ns);
	return switch_ns < LIMIT ? 0 : 1;
}
