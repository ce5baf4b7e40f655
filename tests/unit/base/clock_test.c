/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks and deadlines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>

#include "base/clock.h"

static void
monotonic(void **state)
{
	(void)state;
	struct timespec before;
	struct timespec after;
	nanoseconds last = 0;

	clock_gettime(CLOCK_MONOTONIC, &before);
	for (int i = 0; i < 1000; i++) {
		nanoseconds now = clock_now();

		assert_true(now >= last);
		last = now;
	}
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_true(last >= before.tv_sec * 1000000000LL + before.tv_nsec);
	assert_true(last <= after.tv_sec * 1000000000LL + after.tv_nsec);
}

static void
wall(void **state)
{
	(void)state;
	time_t before = time(NULL);
	microseconds now = clock_wall();
	time_t after = time(NULL);

	/* time() may lag a tick behind the fine clock */
	assert_true(now / 1000000 >= before);
	assert_true(now / 1000000 <= after + 1);
}

static void
deadlines(void **state)
{
	(void)state;
	nanoseconds before = clock_now();
	nanoseconds hour = clock_deadline(3600 * SECOND);
	nanoseconds none = clock_deadline(0);
	nanoseconds past = clock_deadline(-5 * SECOND);
	nanoseconds far_past = clock_deadline(INT64_MIN);
	nanoseconds after = clock_now();

	assert_true(hour >= before + 3600 * SECOND && hour <= after + 3600 * SECOND);
	assert_true(none >= before && none <= after);
	assert_true(past >= before && past <= after);
	assert_true(far_past >= before && far_past <= after);
	assert_true(clock_deadline(DEADLINE_NEVER) == DEADLINE_NEVER);
	assert_true(clock_deadline(INT64_MAX - 1) == DEADLINE_NEVER);
	assert_true(SECOND == 1000 * MILLISECOND);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(monotonic),
		cmocka_unit_test(wall),
		cmocka_unit_test(deadlines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
