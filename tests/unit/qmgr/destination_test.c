/* SPDX-License-Identifier: Apache-2.0 */
/* The window of one destination under success and failure. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/view.h"
#include "qmgr/destination.h"

static const struct destination_limits limits = { .initial = 5, .most = 8, .cohort_limit = 1 };

static struct destination *
destination_busy(const struct destination_limits *l)
{
	struct destination *d = destination_new(NULL, VIEW("example.org"), l);

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
	destination_succeeded(d, &limits); /* five of six in use: enough */
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
	struct destination_limits l = { .initial = 1, .most = 0, .cohort_limit = 0 };
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
	struct destination *d = destination_new(NULL, VIEW("user@example.org"), &l);

	(void)state;
	assert_int_equal(d->window, 2);
	destination_free(&d);
	l = (struct destination_limits){ 0 };
	d = destination_new(NULL, VIEW("x"), &l);
	assert_int_equal(d->window, 1);
	destination_free(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(window_grows_while_it_is_used),
		cmocka_unit_test(failures_shrink_and_kill),
		cmocka_unit_test(a_success_forgives),
		cmocka_unit_test(without_cohort_limit_nothing_dies),
		cmocka_unit_test(suspension),
		cmocka_unit_test(initial_is_not_above_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
