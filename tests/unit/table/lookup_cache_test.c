/* SPDX-License-Identifier: Apache-2.0 */
/* The short memory of answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/mem.h"
#include "table/lookup_cache.h"

static void
remembers_per_table_and_key(void **state)
{
	struct lookup_cache *c = lookup_cache_new(10, 1000 * SECOND);
	struct buf value = BUF_INIT(100);
	enum table_result result;

	(void)state;
	assert_false(lookup_cache_find(c, VIEW("t"), VIEW("k"), &result, &value));
	lookup_cache_put(c, VIEW("t"), VIEW("k"), TABLE_FOUND, VIEW("v"));
	lookup_cache_put(c, VIEW("t"), VIEW("none"), TABLE_NOT_FOUND, VIEW_NONE);
	lookup_cache_put(c, VIEW("t"), VIEW("bad"), TABLE_CANNOT_TELL, VIEW_NONE);
	assert_true(lookup_cache_find(c, VIEW("t"), VIEW("k"), &result, &value));
	assert_int_equal(result, TABLE_FOUND);
	assert_string_equal(buf_str(&value), "v");
	assert_true(lookup_cache_find(c, VIEW("t"), VIEW("none"), &result, &value));
	assert_int_equal(result, TABLE_NOT_FOUND);
	assert_false(lookup_cache_find(c, VIEW("t"), VIEW("bad"), &result, &value));
	assert_false(lookup_cache_find(c, VIEW("u"), VIEW("k"), &result, &value));
	assert_false(lookup_cache_find(c, VIEW("t\0k"), VIEW(""), &result, &value));
	lookup_cache_put(c, VIEW("t"), VIEW("k"), TABLE_NOT_FOUND, VIEW_NONE);
	assert_true(lookup_cache_find(c, VIEW("t"), VIEW("k"), &result, &value));
	assert_int_equal(result, TABLE_NOT_FOUND);
	lookup_cache_free(&c);
	assert_null(c);
	buf_done(&value);
}

static void
forgets_with_time(void **state)
{
	struct lookup_cache *c = lookup_cache_new(10, 0);
	struct buf value = BUF_INIT(100);
	enum table_result result;

	(void)state;
	lookup_cache_put(c, VIEW("t"), VIEW("k"), TABLE_FOUND, VIEW("v"));
	assert_false(lookup_cache_find(c, VIEW("t"), VIEW("k"), &result, &value));
	lookup_cache_free(&c);
	buf_done(&value);
}

static void
stays_small(void **state)
{
	struct lookup_cache *c = lookup_cache_new(8, 1000 * SECOND);
	struct buf value = BUF_INIT(4096);
	static char big[3000];
	enum table_result result;
	size_t kept = 0;
	char key[20];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "%d", i);
		lookup_cache_put(c, VIEW("t"), view_of(key), TABLE_FOUND, VIEW("v"));
		assert_true(lookup_cache_find(c, VIEW("t"), view_of(key), &result, &value));
	}
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "%d", i);
		kept += lookup_cache_find(c, VIEW("t"), view_of(key), &result, &value) ? 1 : 0;
	}
	assert_in_range(kept, 1, 8);
	lookup_cache_put(c, VIEW("t"), VIEW("big"), TABLE_FOUND, (struct view){ big, 3000 });
	assert_false(lookup_cache_find(c, VIEW("t"), VIEW("big"), &result, &value));
	lookup_cache_free(&c);
	buf_done(&value);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(remembers_per_table_and_key),
		cmocka_unit_test(forgets_with_time),
		cmocka_unit_test(stays_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
