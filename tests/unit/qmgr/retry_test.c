/* SPDX-License-Identifier: Apache-2.0 */
/* Back-off and expiry, with Postfix's defaults and with clocks that jump. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/mem.h"
#include "qmgr/retry.h"

#define S   ((microseconds)1000000)
#define DAY (86400 * S)
#define T0  (1700000000 * S)

static const struct retry_rules defaults = { 300 * S, 4000 * S, 5 * DAY, 5 * DAY };

static void
backoff_grows_with_age(void **state)
{
	static const struct {
		microseconds age, span;
	} cases[] = {
		{ 0, 300 * S }, { 299 * S, 300 * S }, { 300 * S, 300 * S },
		{ 1000 * S, 1000 * S }, { 4000 * S, 4000 * S }, { 3 * DAY, 4000 * S },
		{ -DAY, 300 * S }, /* the clock is behind */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		microseconds now = T0 + cases[i].age, span = cases[i].span;

		assert_int_equal(retry_next(&defaults, T0, now, RETRY_DRAWS / 2), now + span);
		assert_true(retry_next(&defaults, T0, now, 0) >= now + span - span / 10);
		assert_true(retry_next(&defaults, T0, now, 0) < now + span - span / 11);
		assert_true(
		    retry_next(&defaults, T0, now, RETRY_DRAWS - 1) <= now + span + span / 10);
		assert_true(
		    retry_next(&defaults, T0, now, RETRY_DRAWS - 1) > now + span + span / 11);
	}
}

static void
maximum_below_minimum(void **state)
{
	struct retry_rules r = { 300 * S, 100 * S, DAY, DAY };

	(void)state;
	assert_int_equal(retry_next(&r, T0, T0 + DAY, RETRY_DRAWS / 2), T0 + DAY + 300 * S);
}

/* A message that is tried when it is due, until it expires: how old it gets, in attempts. */
static microseconds
live(const struct retry_rules *r, bool null_sender, uint32_t *attempts)
{
	microseconds now = T0;

	for (*attempts = 1; !retry_is_expired(r, T0, now, *attempts, null_sender); ++*attempts)
		now = retry_next(r, T0, now, *attempts * 731 % RETRY_DRAWS);
	return now - T0;
}

/* A warning after four hours: not by the clock alone, and not by the attempts alone. */
static void
late_mail(void **state)
{
	const microseconds hours = 4 * 3600 * S;

	(void)state;
	assert_false(retry_is_older(&defaults, T0, T0 + hours - S, 100, hours));
	assert_false(retry_is_older(&defaults, T0, T0 + 3650 * DAY, 1, hours));
	assert_true(retry_is_older(&defaults, T0, T0 + hours, 8, hours));
	assert_false(retry_is_older(&defaults, T0, T0 - DAY, 100, hours));
}

static void
regular_mail_expires_on_time(void **state)
{
	struct retry_rules r = defaults;
	uint32_t attempts;
	microseconds age = live(&r, false, &attempts);

	(void)state;
	assert_true(age >= 5 * DAY && age < 5 * DAY + 4400 * S);
	assert_true(attempts > 90);
	r.bounce_lifetime = DAY;
	age = live(&r, true, &attempts);
	assert_true(age >= DAY && age < DAY + 4400 * S);
	r.lifetime = 0;
	assert_int_equal(live(&r, false, &attempts), 0);
	assert_int_equal(attempts, 1);
}

static void
clock_jumps_expire_nothing(void **state)
{
	microseconds later = T0 + 3650 * DAY;

	(void)state;
	assert_false(retry_is_expired(&defaults, T0, later, 1, false));
	assert_false(retry_is_expired(&defaults, T0, later, 2, false));
	assert_false(retry_is_expired(&defaults, T0, later, 40, false));
	assert_false(retry_is_expired(&defaults, T0, T0 - 3650 * DAY, 200, false));
	/* Real age and the attempts that go with it. */
	assert_true(retry_is_expired(&defaults, T0, T0 + 5 * DAY, 100, false));
	assert_false(retry_is_expired(&defaults, T0, T0 + 5 * DAY - 1, 100, false));
}

static void
attempts_are_half_of_the_regular_ones(void **state)
{
	struct retry_rules r = { S, 2 * S, 0, 0 };

	(void)state;
	/* Attempts of a message of T0 at 0, 1, 2, 4, 6, 8 s. */
	assert_int_equal(retry_attempts_needed(&r, 0), 1);
	assert_int_equal(retry_attempts_needed(&r, S), 2);
	assert_int_equal(retry_attempts_needed(&r, 8 * S), 3);
	assert_int_equal(retry_attempts_needed(&r, 18 * S), 5);
	r.minimal_backoff = r.maximal_backoff = 1;
	assert_int_equal(retry_attempts_needed(&r, DAY), 50000); /* bounded */
}

static void
due_times_of_another_clock(void **state)
{
	(void)state;
	assert_true(retry_is_due(&defaults, T0, T0));
	assert_true(retry_is_due(&defaults, T0 - DAY, T0));
	assert_false(retry_is_due(&defaults, T0 + 1, T0));
	assert_false(retry_is_due(&defaults, T0 + 4400 * S, T0));
	assert_true(retry_is_due(&defaults, T0 + 3650 * DAY, T0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(backoff_grows_with_age),
		cmocka_unit_test(maximum_below_minimum),
		cmocka_unit_test(late_mail),
		cmocka_unit_test(regular_mail_expires_on_time),
		cmocka_unit_test(clock_jumps_expire_nothing),
		cmocka_unit_test(attempts_are_half_of_the_regular_ones),
		cmocka_unit_test(due_times_of_another_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
