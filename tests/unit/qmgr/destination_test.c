/* SPDX-License-Identifier: Apache-2.0 */
/* The window of one destination under success and failure. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/view.h"
#include "qmgr/destination.h"

#define ONE                                                                                    \
	{                                                                                      \
		FEEDBACK_FIXED, 1                                                              \
	}

static const struct destination_limits limits = {
	.initial = 5,
	.most = 8,
	.cohort_limit = 1,
	.positive = ONE,
	.negative = ONE,
};

static struct destination *
destination_busy(const struct destination_limits *l)
{
	struct destination *d = destination_new(NULL, VIEW("example.org"), l, 0);

	d->waiting = 100;
	d->busy = d->window;
	return d;
}

static void
window_grows_while_it_is_used(void **state)
{
	struct destination *d = destination_busy(&limits);

	(void)state;
	assert_string_equal(d->key, "example.org");
	assert_int_equal(d->window, 5);
	assert_false(destination_has_room(d));
	destination_succeeded(d, &limits);
	assert_int_equal(d->window, 6);
	assert_true(destination_has_room(d));
	d->busy = 1; /* the window stays within the initial concurrency of what runs */
	destination_succeeded(d, &limits);
	assert_int_equal(d->window, 6);
	for (int i = 0; i < 20; i++) {
		d->busy = d->window;
		destination_succeeded(d, &limits);
	}
	assert_int_equal(d->window, 8);
	destination_free(&d);
	assert_null(d);
}

static void
failures_shrink_and_kill(void **state)
{
	struct destination *d = destination_busy(&limits);

	(void)state;
	/* 1/5 + 1/4 + 1/3 < 1, and with 1/2 more than 1. */
	assert_false(destination_failed(d, &limits));
	assert_false(destination_failed(d, &limits));
	assert_false(destination_failed(d, &limits));
	assert_int_equal(d->window, 2);
	assert_true(destination_failed(d, &limits));
	destination_free(&d);
}

/*
 * Sequences of successes '+' and failures '-' with the window behind each, worked out by hand
 * from the rules: a success adds its feedback, and from 1 on the window grows; a failure
 * subtracts, and below 0 the window shrinks and the rest of 1 is left before the next time; a
 * change one way makes the other way begin anew.
 */
static void
hysteresis(void **state)
{
	static const struct {
		struct feedback positive, negative;
		int initial;
		const char *steps;
		unsigned windows[24];
	} cases[] = {
		{ ONE, ONE, 5, "++--", { 6, 7, 6, 5 } },
		{ ONE, ONE, 1, "--+", { 1, 1, 2 } },
		{ { FEEDBACK_FIXED, 0 }, ONE, 5, "++-+", { 5, 5, 4, 4 } },
		/* One fifth, two fifths ... one: the fifth success; then sixths. */
		{ { FEEDBACK_PER_CONCURRENCY, 1 }, ONE, 5, "+++++++++++",
		    { 5, 5, 5, 5, 6, 6, 6, 6, 6, 6, 7 } },
		/* 0 - 1/5: one less, and 4/5 are left, for three quarters. */
		{ ONE, { FEEDBACK_PER_CONCURRENCY, 1 }, 5, "------", { 4, 4, 4, 4, 3, 3 } },
		/* 1/8: a failure at once, the next after eight more. */
		{ { FEEDBACK_FIXED, 0.125 }, { FEEDBACK_FIXED, 0.125 }, 5, "----------",
		    { 4, 4, 4, 4, 4, 4, 4, 4, 3, 3 } },
		/* Seven successes, a failure that begins a cycle: the successes are lost. */
		{ { FEEDBACK_FIXED, 0.125 }, { FEEDBACK_FIXED, 0.125 }, 5, "+++++++-++++++++",
		    { 5, 5, 5, 5, 5, 5, 5, 4, 4, 4, 4, 4, 4, 4, 4, 5 } },
		/* A failure inside its cycle takes nothing from the successes. */
		{ { FEEDBACK_FIXED, 0.5 }, { FEEDBACK_FIXED, 0.5 }, 5, "-+-+-",
		    { 4, 4, 4, 5, 4 } },
		/* 2/sqrt(4) is 1; 2/sqrt(5) is 0.894: two of them, and 0.789 is left. */
		{ { FEEDBACK_PER_SQRT_CONCURRENCY, 2 }, ONE, 4, "++++", { 5, 5, 6, 7 } },
		/* Ten tenths are one. */
		{ { FEEDBACK_FIXED, 0.1 }, ONE, 2, "++++++++++",
		    { 2, 2, 2, 2, 2, 2, 2, 2, 2, 3 } },
		/* More than the hysteresis at once. */
		{ { FEEDBACK_PER_CONCURRENCY, 5 }, ONE, 2, "+", { 4 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct destination_limits l = {
			.initial = cases[i].initial,
			.positive = cases[i].positive,
			.negative = cases[i].negative,
		};
		struct destination *d = destination_busy(&l);

		for (size_t k = 0; cases[i].steps[k]; k++) {
			d->busy = d->window;
			if (cases[i].steps[k] == '+')
				destination_succeeded(d, &l);
			else
				destination_failed(d, &l);
			if (d->window != cases[i].windows[k])
				fail_msg("case %zu (%s), step %zu: %u", i, cases[i].steps,
				    k + 1, d->window);
		}
		destination_free(&d);
	}
}

/* Two cohorts of a window that stays: 2 times 4 failures, one less with a success between. */
static void
failed_cohorts(void **state)
{
	struct destination_limits l = { .initial = 4, .cohort_limit = 2 };
	struct destination *d = destination_busy(&l);

	(void)state;
	for (int i = 0; i < 7; i++)
		assert_false(destination_failed(d, &l));
	destination_succeeded(d, &l);
	for (int i = 0; i < 7; i++)
		assert_false(destination_failed(d, &l));
	assert_true(destination_failed(d, &l));
	destination_free(&d);
}

static void
a_success_forgives(void **state)
{
	struct destination *d = destination_busy(&limits);

	(void)state;
	for (int i = 0; i < 50; i++) {
		assert_false(destination_failed(d, &limits));
		d->window = 5;
		destination_succeeded(d, &limits);
	}
	destination_free(&d);
}

static void
without_cohort_limit_nothing_dies(void **state)
{
	struct destination_limits l = { .initial = 1, .positive = ONE, .negative = ONE };
	struct destination *d = destination_busy(&l);

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_false(destination_failed(d, &l));
	assert_int_equal(d->window, 1);
	for (int i = 0; i < 100; i++) {
		d->busy = d->window;
		destination_succeeded(d, &l);
	}
	assert_int_equal(d->window, 101); /* no limit */
	destination_free(&d);
}

static void
suspension(void **state)
{
	struct destination *d = destination_busy(&limits);

	(void)state;
	d->busy = 0;
	destination_suspend(d, 1000, VIEW("4.4.1"), VIEW("connection refused"));
	assert_false(destination_has_room(d));
	assert_string_equal(d->suspension->dsn, "4.4.1");
	assert_string_equal(
	    d->suspension->reason, "delivery temporarily suspended: connection refused");
	assert_false(destination_failed(d, &limits)); /* already */
	destination_revive(d, &limits);
	assert_true(destination_has_room(d));
	assert_int_equal(d->window, 5);
	assert_null(d->suspension);
	destination_free(&d);
}

static void
initial_is_not_above_the_limit(void **state)
{
	struct destination_limits l = { .initial = 5, .most = 2, .cohort_limit = 1 };
	struct destination *d = destination_new(NULL, VIEW("user@example.org"), &l, 0);

	(void)state;
	assert_int_equal(d->window, 2);
	destination_free(&d);
	l = (struct destination_limits){ 0 };
	d = destination_new(NULL, VIEW("x"), &l, 0);
	assert_int_equal(d->window, 1);
	destination_free(&d);
}

static void
deliveries(struct destination *d, unsigned count, nanoseconds from, nanoseconds each)
{
	for (unsigned i = 1; i <= count; i++)
		destination_count(d, from + i * each);
}

static void
speed(void **state)
{
	struct destination *d = destination_new(NULL, VIEW("example.org"), &limits, 0);

	(void)state;
	d->waiting = 1000000;
	assert_false(destination_is_slow(d, SECOND - 1)); /* too early to tell */
	assert_true(destination_is_slow(d, SECOND));      /* nothing at all in a second */
	/* Ten a second: what takes longer than ten seconds is too much. */
	deliveries(d, 20, 0, SECOND / 10);
	d->waiting = 100;
	assert_false(destination_is_slow(d, 2 * SECOND));
	d->waiting = 101;
	assert_true(destination_is_slow(d, 2 * SECOND));
	/* Then fifty a second, known after twenty of them and a second. */
	deliveries(d, 49, 2 * SECOND, SECOND / 50);
	assert_true(destination_is_slow(d, 3 * SECOND));
	deliveries(d, 1, 3 * SECOND - SECOND / 50, SECOND / 50);
	assert_false(destination_is_slow(d, 3 * SECOND));
	/* Then none: believed after ten seconds. */
	assert_false(destination_is_slow(d, 12 * SECOND));
	assert_true(destination_is_slow(d, 13 * SECOND));
	destination_free(&d);
}

static void
postponed_ones_come_one_behind_the_other(void **state)
{
	struct destination *d = destination_new(NULL, VIEW("example.org"), &limits, 0);
	nanoseconds most = 300 * SECOND;

	(void)state;
	d->waiting = 200;
	assert_int_equal(destination_postpone(d, 5 * SECOND, most), most); /* nothing moves */
	deliveries(d, 20, 0, SECOND / 10);
	/* Half of them takes ten seconds; then ten a second. */
	assert_int_equal(destination_postpone(d, 2 * SECOND, most), 10 * SECOND + SECOND / 10);
	assert_int_equal(destination_postpone(d, 2 * SECOND, most), 10 * SECOND + SECOND / 5);
	assert_int_equal(destination_postpone(d, 3 * SECOND, most), 10 * SECOND + SECOND / 10);
	for (int i = 0; i < 10000; i++)
		assert_true(destination_postpone(d, 3 * SECOND, most) <= most);
	assert_int_equal(destination_postpone(d, 3 * SECOND, most), most);
	assert_true(destination_postpone(d, 4 * SECOND, most) > most - SECOND);
	destination_free(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(window_grows_while_it_is_used),
		cmocka_unit_test(failures_shrink_and_kill),
		cmocka_unit_test(hysteresis),
		cmocka_unit_test(failed_cohorts),
		cmocka_unit_test(a_success_forgives),
		cmocka_unit_test(without_cohort_limit_nothing_dies),
		cmocka_unit_test(suspension),
		cmocka_unit_test(speed),
		cmocka_unit_test(postponed_ones_come_one_behind_the_other),
		cmocka_unit_test(initial_is_not_above_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
