/* SPDX-License-Identifier: Apache-2.0 */
/* A descriptor that stays readable, because its handler does not read, stops nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <unistd.h>

#include "task/task.h"

static unsigned seen;

static void
on_readable(void *context)
{
	(void)context;
	seen++;
}

static void
other_handler(void *context)
{
	struct task_watch **spare = context;

	/* Freeing a watch makes the loop forget its descriptor at once. */
	task_watch_free(spare);
}

static void
yield_often(void *context)
{
	(void)context;
	for (int i = 0; i < 1000; i++)
		task_yield();
	task_stop();
}

static void
test_ready_descriptor_beside_ready_tasks(void **state)
{
	struct task_watch *busy, *freed;
	struct task_timer *timer;
	int busy_pipe[2], other_pipe[2];

	(void)state;
	assert_int_equal(pipe(busy_pipe), 0);
	assert_int_equal(pipe(other_pipe), 0);
	assert_int_equal(write(busy_pipe[1], "x", 1), 1);
	task_init();
	busy = task_watch_new(busy_pipe[0], TASK_READ, on_readable, NULL);
	freed = task_watch_new(other_pipe[0], TASK_READ, on_readable, NULL);
	timer = task_timer_new(other_handler, &freed);
	task_timer_set(timer, clock_now());
	assert_true(task_spawn("yield", yield_often, NULL));
	task_run();
	assert_null(freed);
	assert_true(seen > 0);
	task_watch_free(&busy);
	task_timer_free(&timer);
	task_done();
	for (int i = 0; i < 2; i++) {
		close(busy_pipe[i]);
		close(other_pipe[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ready_descriptor_beside_ready_tasks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
