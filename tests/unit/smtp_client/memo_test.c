/* SPDX-License-Identifier: Apache-2.0 */
/* What was found about a destination is remembered, whole and for a short time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "smtp/memo.h"

static struct delivery delivery;

static void
keep(const char *key, uint32_t ttl, struct problem *problem)
{
	struct candidate all[2] = {
		{ .host = "a.test", .preference = 10, .address = { 192, 0, 2, 1 } },
		{ .host = "b.test", .preference = 20, .is_ipv6 = true, .address = { 0x20 } },
	};
	struct lookup l = {
		.d = &delivery, .all = all, .count = 2, .ttl = ttl, .problem = problem
	};

	memo_keep(view_of(key), &l);
}

static bool
finds(const char *key)
{
	struct lookup l = { .d = &delivery };
	bool found = memo_find(view_of(key), &l);

	if (found) {
		assert_int_equal(l.count, 2);
		assert_string_equal(l.all[0].host, "a.test");
		assert_int_equal(l.all[0].preference, 10);
		assert_memory_equal(l.all[0].address, "\xc0\0\2\1", 4);
		assert_string_equal(l.all[1].host, "b.test");
		assert_true(l.all[1].is_ipv6);
	}
	return found;
}

static int
teardown(void **state)
{
	(void)state;
	arena_reset(&delivery.arena);
	return 0;
}

static void
kept_and_found(void **state)
{
	(void)state;
	assert_false(finds("@x.test"));
	keep("@x.test", 300, NULL);
	assert_true(finds("@x.test"));
	assert_false(finds("[x.test"));
	keep("@x.test", 300, NULL);
	assert_true(finds("@x.test"));
}

static void
not_kept(void **state)
{
	struct problem problem = { .dsn = "4.4.3" };

	(void)state;
	keep("@zero.test", 0, NULL);
	assert_false(finds("@zero.test"));
	keep("@half.test", 300, &problem);
	assert_false(finds("@half.test"));
}

static void
ends(void **state)
{
	nanoseconds end = clock_deadline(MEMO_TIME + SECOND);

	(void)state;
	keep("@x.test", 1, NULL);
	keep("@y.test", 1000000, NULL);
	assert_true(finds("@y.test"));
	while (finds("@x.test"))
		assert_true(clock_now() < end - SECOND);
	while (finds("@y.test"))
		assert_true(clock_now() < end);
}

static void
bounded(void **state)
{
	char key[20];

	(void)state;
	for (int i = 0; i < MEMO_MAX + 1; i++) {
		snprintf(key, sizeof(key), "@%d.test", i);
		keep(key, 300, NULL);
	}
	assert_true(finds("@1000.test"));
	assert_false(finds("@0.test"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(kept_and_found, teardown),
		cmocka_unit_test_teardown(not_kept, teardown),
		cmocka_unit_test_teardown(ends, teardown),
		cmocka_unit_test_teardown(bounded, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
