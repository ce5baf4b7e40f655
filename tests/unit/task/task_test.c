/* SPDX-License-Identifier: Apache-2.0 */
/* The life of tasks: starting, yielding, joining, cancelling, stopping, and very many of them.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "task/sanitizer.h"
#include "task_fixture.h"

static char trace[64];
static char a[] = "a", b[] = "b", c[] = "c";

static void
note(char letter)
{
	size_t n = strlen(trace);

	assert_true(n + 1 < sizeof(trace));
	trace[n] = letter;
	trace[n + 1] = '\0';
}

static void
notes_thrice(void *argument)
{
	for (int i = 0; i < 3; i++) {
		note(*(const char *)argument);
		task_yield();
	}
}

static void
tasks_take_turns(void **state)
{
	(void)state;
	trace[0] = '\0';
	assert_true(task_spawn("a", notes_thrice, a));
	assert_true(task_spawn("b", notes_thrice, b));
	assert_true(task_spawn("c", notes_thrice, c));
	assert_int_equal(task_count(), 3);
	assert_string_equal(trace, ""); /* not before the loop runs */
	task_run();
	assert_string_equal(trace, "abcabcabc");
	assert_int_equal(task_count(), 0);
	assert_null(task_current());
}

static void
returns(void *argument)
{
	(void)argument;
}

static void
joins_ended(void *argument)
{
	struct task *t = argument;

	assert_int_equal(task_join(t, DEADLINE_NEVER), TASK_OK);
	assert_int_equal(task_join(t, DEADLINE_NEVER), TASK_OK);
	assert_string_equal(task_name(t), "returns");
	task_release(t);
	note('j');
}

static void
joining_works_before_and_after_the_end(void **state)
{
	(void)state;
	struct task *first, *second;

	trace[0] = '\0';
	first = task_start("returns", returns, NULL);
	assert_true(task_spawn("joiner", joins_ended, first)); /* first has ended by then */
	second = task_start("returns", returns, NULL);
	assert_true(task_spawn("joiner", joins_ended, second));
	task_run();
	assert_string_equal(trace, "jj");
}

static void
sleeps_for_ever(void *argument)
{
	enum task_result *result = argument;

	result[0] = task_sleep_until(DEADLINE_NEVER);
	assert_true(task_is_cancelled());
	result[1] = task_sleep(SECOND); /* sticky */
}

static void
cancels(void *argument)
{
	task_cancel(argument);
	assert_int_equal(task_join(argument, DEADLINE_NEVER), TASK_OK);
	task_release(argument);
}

static void
cancellation_is_sticky(void **state)
{
	(void)state;
	enum task_result result[2] = { TASK_OK, TASK_OK };
	struct task *t = task_start("sleeper", sleeps_for_ever, result);

	assert_true(task_spawn("canceller", cancels, t));
	task_run();
	assert_int_equal(result[0], TASK_CANCELLED);
	assert_int_equal(result[1], TASK_CANCELLED);
}

static void
cancelled_before_its_first_turn(void **state)
{
	(void)state;
	enum task_result result[2] = { TASK_OK, TASK_OK };
	struct task *t = task_start("sleeper", sleeps_for_ever, result);

	task_cancel(t);
	task_release(t);
	task_run();
	assert_int_equal(result[0], TASK_CANCELLED);
}

static void
stops(void *argument)
{
	(void)argument;
	task_yield();
	task_stop();
	/* Whoever starts now is cancelled from birth, so the loop ends. */
	assert_true(task_spawn("late", sleeps_for_ever, argument));
}

static void
stop_cancels_the_rest(void **state)
{
	(void)state;
	enum task_result early[2] = { TASK_OK, TASK_OK };
	enum task_result late[2] = { TASK_OK, TASK_OK };

	assert_true(task_spawn("sleeper", sleeps_for_ever, early));
	assert_true(task_spawn("stopper", stops, late));
	task_run();
	assert_int_equal(early[0], TASK_CANCELLED);
	assert_int_equal(late[0], TASK_CANCELLED);
	assert_int_equal(task_count(), 0);
	/* The loop can run again. */
	trace[0] = '\0';
	assert_true(task_spawn("a", notes_thrice, a));
	task_run();
	assert_string_equal(trace, "aaa");
}

static void
waits_for_nobody(void *argument)
{
	struct task_cond cond;

	task_cond_init(&cond);
	*(enum task_result *)argument = task_cond_wait(&cond, DEADLINE_NEVER);
}

static void
tasks_that_wait_for_nothing_are_cancelled(void **state)
{
	(void)state;
	enum task_result result = TASK_OK;

	assert_true(task_spawn("lost", waits_for_nobody, &result));
	task_run();
	assert_int_equal(result, TASK_CANCELLED);
}

static void
respects_the_limit(void *argument)
{
	struct task_cond cond;
	nanoseconds before = clock_now();

	(void)argument;
	task_cond_init(&cond);
	assert_true(task_set_deadline(before + 20 * MILLISECOND) == DEADLINE_NEVER);
	assert_int_equal(task_cond_wait(&cond, DEADLINE_NEVER), TASK_TIMEOUT);
	assert_true(clock_now() - before >= 20 * MILLISECOND);
	/* Past the limit every wait fails, a narrower one changes nothing. */
	assert_int_equal(task_sleep(SECOND), TASK_TIMEOUT);
	assert_int_equal(task_check(DEADLINE_NEVER), TASK_TIMEOUT);
	assert_true(task_set_deadline(DEADLINE_NEVER) == before + 20 * MILLISECOND);
	assert_int_equal(task_sleep(MILLISECOND), TASK_OK);
	note('l');
}

static void
task_deadline_narrows_every_wait(void **state)
{
	(void)state;
	trace[0] = '\0';
	assert_true(task_spawn("limited", respects_the_limit, NULL));
	task_run();
	assert_string_equal(trace, "l");
}

/* A deadline that was left in the heap by an earlier wait must not end a later one. */
static void
waits_short_then_long(void *argument)
{
	struct task_cond *cond = argument;
	nanoseconds start = clock_now();

	assert_int_equal(task_cond_wait(cond, start + 10 * MILLISECOND), TASK_OK);
	assert_int_equal(task_sleep_until(start + 40 * MILLISECOND), TASK_OK);
	assert_true(clock_now() >= start + 40 * MILLISECOND);
	assert_int_equal(task_cond_wait(cond, start + 60 * SECOND), TASK_OK);
	assert_int_equal(task_cond_wait(cond, clock_deadline(5 * MILLISECOND)), TASK_TIMEOUT);
	note('w');
}

static void
signals_twice(void *argument)
{
	task_cond_signal(argument);
	task_sleep(60 * MILLISECOND);
	task_cond_signal(argument);
}

static void
deadlines_of_ended_waits_do_no_harm(void **state)
{
	(void)state;
	struct task_cond cond;

	trace[0] = '\0';
	task_cond_init(&cond);
	assert_true(task_spawn("waiter", waits_short_then_long, &cond));
	assert_true(task_spawn("signaller", signals_twice, &cond));
	task_run();
	assert_string_equal(trace, "w");
}

#ifdef TASK_ASAN
#define MANY 10000 /* the shadow of 100,000 stacks and quarantine would need gigabytes */
#else
#define MANY 100000
#endif

static unsigned woken;
static unsigned asleep;

static void
sleeps_a_little(void *argument)
{
	nanoseconds until = *(const nanoseconds *)argument;

	asleep++;
	assert_int_equal(task_sleep_until(until), TASK_OK);
	assert_true(clock_now() >= until);
	woken++;
}

/* MANY tasks sleep at the same time and wake, twice, so that stacks are reused. */
static void
very_many_tasks(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		nanoseconds until = clock_deadline(10 * SECOND);

		asleep = woken = 0;
		for (unsigned i = 0; i < MANY; i++)
			assert_true(task_spawn("many", sleeps_a_little, &until));
		assert_int_equal(task_count(), MANY);
		until = clock_deadline(SECOND);
		task_run();
		assert_int_equal(asleep, MANY);
		assert_int_equal(woken, MANY);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tasks_take_turns),
		TEST(joining_works_before_and_after_the_end),
		TEST(cancellation_is_sticky),
		TEST(cancelled_before_its_first_turn),
		TEST(stop_cancels_the_rest),
		TEST(tasks_that_wait_for_nothing_are_cancelled),
		TEST(task_deadline_narrows_every_wait),
		TEST(deadlines_of_ended_waits_do_no_harm),
		TEST(very_many_tasks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
