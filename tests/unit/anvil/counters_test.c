/* SPDX-License-Identifier: Apache-2.0 */
/* Counting clients: windows of time, eviction, and what comes back when a holder goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "anvil/anvil.h"

#define UNIT (60 * SECOND)

static const struct view A = { "smtp:192.0.2.1", 14 };
static const struct view B = { "smtp:192.0.2.2", 14 };
static const struct view OTHER_SERVICE = { "submission:192.0.2.1", 20 };

static void
assert_counts(struct anvil_counts got, uint64_t connections, uint64_t rate)
{
	assert_int_equal(got.connections, connections);
	assert_int_equal(got.rate, rate);
}

static void
test_rate_expires(void **state)
{
	struct counters *c = counters_new(10, UNIT);

	(void)state;
	assert_counts(counters_event(c, A, ANVIL_MESSAGE, 0), 0, 1);
	assert_counts(counters_event(c, A, ANVIL_MESSAGE, 30 * SECOND), 0, 2);
	assert_counts(counters_event(c, A, ANVIL_MESSAGE, UNIT - 1), 0, 3);
	/* The window is the one that began at 0, however late its last event was. */
	assert_counts(counters_event(c, A, ANVIL_MESSAGE, UNIT), 0, 1);
	assert_counts(counters_event(c, A, ANVIL_MESSAGE, UNIT + SECOND), 0, 2);
	counters_free(&c);
}

static void
test_kinds_clients_and_services_are_apart(void **state)
{
	struct counters *c = counters_new(10, UNIT);

	(void)state;
	assert_counts(counters_event(c, A, ANVIL_MESSAGE, 0), 0, 1);
	assert_counts(counters_event(c, A, ANVIL_RECIPIENT, 0), 0, 1);
	assert_counts(counters_event(c, A, ANVIL_CONNECTION, 0), 0, 1);
	assert_counts(counters_event(c, B, ANVIL_MESSAGE, 0), 0, 1);
	assert_counts(counters_event(c, OTHER_SERVICE, ANVIL_MESSAGE, 0), 0, 1);
	assert_counts(counters_event(c, A, ANVIL_MESSAGE, 0), 0, 2);
	assert_int_equal(counters_count(c), 3);
	counters_free(&c);
}

static void
test_windows_of_one_client_are_apart(void **state)
{
	struct counters *c = counters_new(10, UNIT);

	(void)state;
	counters_event(c, A, ANVIL_MESSAGE, 0);
	assert_counts(counters_event(c, A, ANVIL_RECIPIENT, 50 * SECOND), 0, 1);
	assert_counts(counters_event(c, A, ANVIL_MESSAGE, 61 * SECOND), 0, 1);
	assert_counts(counters_event(c, A, ANVIL_RECIPIENT, 61 * SECOND), 0, 2);
	counters_free(&c);
}

static void
test_expired_clients_are_forgotten(void **state)
{
	struct counters *c = counters_new(10, UNIT);
	struct holder *h = holder_new(c, 10);

	(void)state;
	counters_event(c, A, ANVIL_MESSAGE, 0);
	assert_true(holder_set(h, B, 1, 0));
	assert_int_equal(counters_count(c), 2);
	counters_event(c, OTHER_SERVICE, ANVIL_MESSAGE, UNIT);
	assert_int_equal(counters_count(c), 2); /* A has gone, B has a session */
	assert_counts(counters_event(c, B, ANVIL_CONNECTION, 5 * UNIT), 1, 1);
	holder_free(&h, 5 * UNIT);
	counters_event(c, OTHER_SERVICE, ANVIL_MESSAGE, 6 * UNIT);
	assert_int_equal(counters_count(c), 1);
	counters_free(&c);
}

static void
test_holders_add_up(void **state)
{
	struct counters *c = counters_new(10, UNIT);
	struct holder *one = holder_new(c, 10), *two = holder_new(c, 10);

	(void)state;
	assert_true(holder_set(one, A, 1, 0));
	assert_true(holder_set(one, A, 2, 0));
	assert_true(holder_set(one, A, 2, 0)); /* said twice, counts once */
	assert_true(holder_set(two, A, 3, 0));
	assert_counts(counters_event(c, A, ANVIL_CONNECTION, 0), 5, 1);
	assert_true(holder_set(one, A, 1, 0));
	assert_counts(counters_event(c, A, ANVIL_CONNECTION, 0), 4, 2);
	holder_free(&two, 0);
	assert_counts(counters_event(c, A, ANVIL_CONNECTION, 0), 1, 3);
	assert_true(holder_set(one, A, 0, 0));
	assert_true(holder_set(one, A, 0, 0));
	assert_true(holder_set(one, B, 0, 0));
	assert_counts(counters_event(c, A, ANVIL_CONNECTION, 0), 0, 4);
	assert_int_equal(counters_count(c), 1);
	holder_free(&one, 0);
	counters_free(&c);
}

static struct view
numbered(char text[32], unsigned i)
{
	snprintf(text, 32, "smtp:client-%u", i);
	return view_of(text);
}

static void
test_the_oldest_without_sessions_goes_first(void **state)
{
	struct counters *c = counters_new(3, UNIT);
	struct holder *h = holder_new(c, 10);

	(void)state;
	assert_true(holder_set(h, A, 1, 0));
	counters_event(c, B, ANVIL_MESSAGE, 1);
	counters_event(c, OTHER_SERVICE, ANVIL_MESSAGE, 2);
	counters_event(c, B, ANVIL_MESSAGE, 3); /* now OTHER_SERVICE is the oldest */
	assert_counts(counters_event(c, VIEW("smtp:new"), ANVIL_MESSAGE, 4), 0, 1);
	assert_int_equal(counters_count(c), 3);
	assert_counts(counters_event(c, B, ANVIL_MESSAGE, 5), 0, 3);
	assert_counts(counters_event(c, A, ANVIL_CONNECTION, 6), 1, 1);
	holder_free(&h, 6);
	counters_free(&c);
}

static void
test_a_full_table_counts_nobody_new(void **state)
{
	struct counters *c = counters_new(2, UNIT);
	struct holder *h = holder_new(c, 10);

	(void)state;
	assert_true(holder_set(h, A, 7, 0));
	assert_true(holder_set(h, B, 1, 0));
	assert_false(holder_set(h, OTHER_SERVICE, 1, 0));
	for (int i = 0; i < 3; i++)
		assert_counts(counters_event(c, OTHER_SERVICE, ANVIL_MESSAGE, 0), 1, 1);
	assert_counts(counters_event(c, A, ANVIL_CONNECTION, 0), 7, 1);
	assert_true(holder_set(h, B, 0, 0));
	assert_true(holder_set(h, OTHER_SERVICE, 1, 0));
	holder_free(&h, 0);
	counters_free(&c);
}

static void
test_one_holder_cannot_take_the_table(void **state)
{
	struct counters *c = counters_new(100, UNIT);
	struct holder *greedy = holder_new(c, 25), *other = holder_new(c, 25);
	char text[32];

	(void)state;
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(holder_set(greedy, numbered(text, i), 1, 0), i < 25);
	assert_int_equal(counters_count(c), 25);
	assert_true(holder_set(other, A, 1, 0));
	holder_free(&greedy, 0);
	for (unsigned i = 0; i < 500; i++)
		counters_event(c, numbered(text, i), ANVIL_MESSAGE, 1);
	assert_int_equal(counters_count(c), 100);
	assert_counts(counters_event(c, A, ANVIL_CONNECTION, 2), 1, 1);
	holder_free(&other, 2);
	counters_free(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rate_expires),
		cmocka_unit_test(test_kinds_clients_and_services_are_apart),
		cmocka_unit_test(test_windows_of_one_client_are_apart),
		cmocka_unit_test(test_expired_clients_are_forgotten),
		cmocka_unit_test(test_holders_add_up),
		cmocka_unit_test(test_the_oldest_without_sessions_goes_first),
		cmocka_unit_test(test_a_full_table_counts_nobody_new),
		cmocka_unit_test(test_one_holder_cannot_take_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
