/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batches: what comes while a call runs is one call afterwards, in order, whole, and nobody is
 * let go before his argument was worked on, cancelled or not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "base/mem.h"
#include "task/task.h"

enum { CALLS_MAX = 300 };

static struct task_batch *batch;

/* What fn was called with; fn waits as long as the gate is closed. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t opened = PTHREAD_COND_INITIALIZER;
static bool gate_closed;
static size_t calls, counts[CALLS_MAX];
static unsigned order[CALLS_MAX], handled;

struct job {
	unsigned number;
	bool handled, returned;
	struct task *task;
};

static void
work(void **arguments, size_t count)
{
	pthread_mutex_lock(&mutex);
	while (gate_closed)
		pthread_cond_wait(&opened, &mutex);
	counts[calls++] = count;
	for (size_t i = 0; i < count; i++) {
		struct job *job = arguments[i];

		assert_false(job->handled);
		job->handled = true;
		order[handled++] = job->number;
	}
	pthread_mutex_unlock(&mutex);
}

static void
gate_set(bool closed)
{
	pthread_mutex_lock(&mutex);
	gate_closed = closed;
	pthread_cond_broadcast(&opened);
	pthread_mutex_unlock(&mutex);
}

static int
setup(void **state)
{
	(void)state;
	task_init();
	batch = task_batch_new(work);
	calls = 0;
	handled = 0;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	task_batch_free(&batch);
	task_done();
	return 0;
}

static void
runs(void *argument)
{
	struct job *job = argument;

	task_batch_run(batch, job);
	assert_true(job->handled);
	job->returned = true;
}

static void
opens_the_gate(void *argument)
{
	(void)argument;
	gate_set(false); /* the others wait already: they started before */
}

static void
run_jobs(struct job *jobs, unsigned count)
{
	memset(jobs, 0, count * sizeof(*jobs));
	gate_set(true);
	for (unsigned i = 0; i < count; i++) {
		jobs[i].number = i;
		jobs[i].task = task_start("runs", runs, &jobs[i]);
		assert_non_null(jobs[i].task);
	}
	assert_true(task_spawn("opens", opens_the_gate, NULL));
}

static void
check_jobs(struct job *jobs, unsigned count)
{
	assert_int_equal(handled, count);
	for (unsigned i = 0; i < count; i++) {
		assert_int_equal(order[i], i);
		assert_true(jobs[i].returned);
		task_release(jobs[i].task);
	}
}

static void
test_gathers(void **state)
{
	struct job jobs[11];

	(void)state;
	run_jobs(jobs, 11);
	task_run();
	check_jobs(jobs, 11);
	assert_int_equal(calls, 2);
	assert_int_equal(counts[0], 1);
	assert_int_equal(counts[1], 10);
}

static void
test_more_than_a_call_takes(void **state)
{
	static struct job jobs[2 * TASK_BATCH_MAX + 3];
	unsigned count = 2 * TASK_BATCH_MAX + 3;

	(void)state;
	run_jobs(jobs, count);
	task_run();
	check_jobs(jobs, count);
	assert_int_equal(calls, 4);
	assert_int_equal(counts[1], TASK_BATCH_MAX);
	assert_int_equal(counts[3], 2);
}

static void
cancels(void *argument)
{
	struct job *jobs = argument;

	for (unsigned i = 0; i < 4; i++) {
		task_cancel(jobs[i].task);
		assert_false(jobs[i].returned);
	}
}

static void
test_cancelled_ones_are_worked_on(void **state)
{
	struct job jobs[5];

	(void)state;
	run_jobs(jobs, 5);
	assert_true(task_spawn("cancels", cancels, jobs));
	task_run();
	check_jobs(jobs, 5);
	assert_int_equal(calls, 2);
}

static void
test_outside_a_task(void **state)
{
	struct job job = { 0 };

	(void)state;
	gate_set(false);
	task_batch_run(batch, &job);
	assert_true(job.handled);
	assert_int_equal(calls, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_gathers),
		TEST(test_more_than_a_call_takes),
		TEST(test_cancelled_ones_are_worked_on),
		TEST(test_outside_a_task),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
