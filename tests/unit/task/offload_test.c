/* SPDX-License-Identifier: Apache-2.0 */
/* The pool of threads: many jobs at once, no cancellation, and the places without a pool. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/mem.h"
#include "task_fixture.h"

struct job {
	pthread_t thread;
	unsigned number;
	unsigned result;
	bool signals_blocked;
};

static void
works(void *argument)
{
	struct job *job = argument;
	sigset_t blocked;

	job->thread = pthread_self();
	job->result = job->number * 2;
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	job->signals_blocked = sigismember(&blocked, SIGTERM) && sigismember(&blocked, SIGCHLD);
}

static void
offloads(void *argument)
{
	unsigned *number = argument;

	for (unsigned i = 0; i < 10; i++) {
		struct job job = { .number = ++*number };
		unsigned expected = job.number * 2;

		task_offload(works, &job);
		assert_int_equal(job.result, expected);
		assert_true(job.signals_blocked);
		assert_false(pthread_equal(job.thread, pthread_self()));
		done++;
	}
}

static void
many_at_once(void **state)
{
	unsigned number = 0;

	(void)state;
	task_offload_set_threads(4);
	task_offload_start();
	for (int i = 0; i < 1000; i++)
		assert_true(task_spawn("offloads", offloads, &number));
	task_run();
	assert_int_equal(done, 10000);
}

/* Jobs that need each other prove that they run at the same time. */
static pthread_barrier_t barrier;

static void
meets(void *argument)
{
	(void)argument;
	(void)pthread_barrier_wait(&barrier);
}

static void
offloads_meeting(void *argument)
{
	(void)argument;
	task_offload(meets, NULL);
	done++;
}

static void
jobs_run_side_by_side(void **state)
{
	(void)state;
	task_offload_set_threads(8);
	assert_int_equal(pthread_barrier_init(&barrier, NULL, 8), 0);
	for (int i = 0; i < 16; i++)
		assert_true(task_spawn("meets", offloads_meeting, NULL));
	task_run();
	assert_int_equal(done, 16);
	pthread_barrier_destroy(&barrier);
}

static atomic_bool may_end;

static void
holds(void *argument)
{
	while (!atomic_load(&may_end))
		(void)usleep(100);
	*(bool *)argument = true;
}

static void
offloads_and_is_cancelled(void *argument)
{
	bool ended = false;

	(void)argument;
	(void)task_set_deadline(clock_deadline(MILLISECOND));
	task_offload(holds, &ended);
	assert_true(ended); /* neither cancellation nor the deadline came between */
	assert_true(task_is_cancelled());
	assert_int_equal(task_sleep(SECOND), TASK_CANCELLED);
	done++;
}

static void
cancels_offloader(void *argument)
{
	struct task *t = argument;

	task_sleep(2 * MILLISECOND);
	task_cancel(t);
	task_sleep(2 * MILLISECOND);
	assert_int_equal(done, 0);
	atomic_store(&may_end, true);
	assert_int_equal(task_join(t, soon()), TASK_OK);
	task_release(t);
}

static void
an_offload_is_not_cancelled(void **state)
{
	struct task *t = task_start("offloads", offloads_and_is_cancelled, NULL);

	(void)state;
	atomic_store(&may_end, false);
	assert_true(task_spawn("cancels", cancels_offloader, t));
	task_run();
	assert_int_equal(done, 1);
}

static void
outside_a_task_it_is_a_call(void **state)
{
	struct job job = { .number = 4 };

	(void)state;
	task_offload(works, &job);
	assert_int_equal(job.result, 8);
	assert_true(pthread_equal(job.thread, pthread_self()));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(many_at_once),
		TEST(jobs_run_side_by_side),
		TEST(an_offload_is_not_cancelled),
		TEST(outside_a_task_it_is_a_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
