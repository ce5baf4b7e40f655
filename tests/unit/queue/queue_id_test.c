/* SPDX-License-Identifier: Apache-2.0 */
/* Queue ids: Postfix's long form, time, uniqueness. */
#include "queue_fixture.h"

#include <regex.h>

#define ALPHABET "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"

static void
test_form(void **state)
{
	char id[QUEUE_ID_SIZE];
	const char *border;
	regex_t log_tools;

	(void)state;
	assert_int_equal(strlen(ALPHABET), 52);
	assert_int_equal(
	    regcomp(&log_tools, "^[0-9A-Za-z]{12,}$", REG_EXTENDED | REG_NOSUB), 0);
	for (int i = 0; i < 10000; i++) {
		queue_id_new(1700000000000000 + i * INT64_C(1234567), id);
		assert_int_equal(regexec(&log_tools, id, 0, NULL, 0), 0);
		assert_int_equal(strspn(id, ALPHABET), strlen(id));
		border = strrchr(id, 'z');
		assert_non_null(border);
		assert_int_equal(border - id, 10); /* 6 for seconds, 4 for microseconds */
		assert_true(strlen(id) < QUEUE_ID_SIZE);
		assert_true(queue_id_is_valid(view_of(id)));
	}
	regfree(&log_tools);
}

static void
test_time(void **state)
{
	/* seconds and microseconds by hand: 52^5 = 380204032, 52 = "10" in base 52 */
	static const struct {
		microseconds time;
		const char *start;
	} cases[] = {
		{ 0, "0000000000z" },
		{ 1, "0000000001z" },
		{ 51, "000000000zz" },
		{ 52, "0000000010z" },
		{ INT64_C(1000000), "0000010000z" },
		{ INT64_C(380204032000000), "1000000000z" },
		{ INT64_C(380204031000052), "0zzzzz0010z" },
	};
	char id[QUEUE_ID_SIZE];
	microseconds back;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		queue_id_new(cases[i].time, id);
		assert_memory_equal(id, cases[i].start, strlen(cases[i].start));
		assert_true(queue_id_time(view_of(id), &back));
		assert_int_equal(back, cases[i].time);
	}
}

static void
test_time_is_monotonic(void **state)
{
	char id[QUEUE_ID_SIZE], before[QUEUE_ID_SIZE] = "";
	microseconds back;

	(void)state;
	for (int i = 0; i < 5000; i++) {
		microseconds now = INT64_C(1763667000123456) + i * INT64_C(777777);

		queue_id_new(now, id);
		assert_true(queue_id_time(view_of(id), &back));
		assert_int_equal(back, now);
		assert_true(memcmp(before, id, 10) < 0);
		memcpy(before, id, sizeof(id));
	}
}

static int
compare(const void *a, const void *b)
{
	return memcmp(a, b, QUEUE_ID_SIZE);
}

/* All in the same microsecond. */
static void
test_unique(void **state)
{
	const size_t count = 1000000;
	char(*ids)[QUEUE_ID_SIZE] = mem_zero(count, QUEUE_ID_SIZE);

	(void)state;
	for (size_t i = 0; i < count; i++)
		queue_id_new(1, ids[i]);
	qsort(ids, count, QUEUE_ID_SIZE, compare);
	for (size_t i = 1; i < count; i++)
		assert_true(compare(ids[i - 1], ids[i]) != 0);
	mem_free(ids);
}

static void
test_validity(void **state)
{
	static const struct {
		const char *id;
		bool valid;
		bool has_time;
	} cases[] = {
		{ "4bXzTq1234z00000000000", true, true },
		{ "4bXzTq1234zabcdefgh1234", true, true },
		{ "ABCDEF123456", true, false }, /* hexadecimal: Postfix's short form */
		{ "0123456789z", false, false }, /* too short */
		{ "0000000000z0", true, true },
		{ "000000zzzzz0", true, false }, /* more than 999999 microseconds */
		{ "a000000000z0", true, false }, /* a vowel is no digit */
		{ "1234567890123456789012345678901", true, false },
		{ "12345678901234567890123456789012", false, false },
		{ "", false, false },
		{ "../../../etc/passwd", false, false },
		{ "4bXzTq1234z0000/00000", false, false },
		{ "4bXzTq1234z0000.00000", false, false },
		{ "4bXzTq1234z0000 00000", false, false },
		{ "4bXzTq1234z0000\n00000", false, false },
		{ "4bXzTq1234z0000\377\37700", false, false },
	};
	microseconds t;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct view v = view_of(cases[i].id);

		assert_int_equal(queue_id_is_valid(v), cases[i].valid);
		assert_int_equal(queue_id_time(v, &t), cases[i].has_time);
	}
	assert_false(queue_id_is_valid((struct view){ "4bXzTq1234z\0000000000", 20 }));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_time_is_monotonic),
		cmocka_unit_test(test_unique),
		cmocka_unit_test(test_validity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
