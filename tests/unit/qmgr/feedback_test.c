/* SPDX-License-Identifier: Apache-2.0 */
/* The forms of feedback parameters. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/mem.h"
#include "qmgr/feedback.h"

static void
forms(void **state)
{
	static const struct {
		const char *text;
		double at_1, at_4;
	} cases[] = {
		{ "1", 1, 1 },
		{ "0", 0, 0 },
		{ "0.25", 0.25, 0.25 },
		{ ".5", 0.5, 0.5 },
		{ "1.", 1, 1 },
		{ "1/concurrency", 1, 0.25 },
		{ "1 / concurrency", 1, 0.25 },
		{ "0.5/concurrency", 0.5, 0.125 },
		{ "2/concurrency", 2, 0.5 },
		{ "1/sqrt_concurrency", 1, 0.5 },
		{ "2 /sqrt_concurrency", 2, 1 },
		{ "0.125", 0.125, 0.125 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct feedback f;

		if (!feedback_parse(view_of(cases[i].text), &f))
			fail_msg("%s", cases[i].text);
		assert_true(feedback_value(&f, 1) == cases[i].at_1);
		assert_true(feedback_value(&f, 4) == cases[i].at_4);
	}
}

static void
refused(void **state)
{
	static const char *const cases[] = { "", ".", "-1", "1.5", "2", "1e3", "one", "1/",
		"/concurrency", "1/Concurrency", "1/concurrency/2", "1 concurrency", "0x1",
		"1/ sqrt", "0.1234567890", "1,5", "9999999/concurrency" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct feedback f;

		if (feedback_parse(view_of(cases[i]), &f))
			fail_msg("%s", cases[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
