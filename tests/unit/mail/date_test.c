/* SPDX-License-Identifier: Apache-2.0 */
/* Dates in three zones, before 1970 and far away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "mail/date.h"

static void
dates(void **state)
{
	static const struct {
		const char *zone;
		microseconds seconds;
		const char *rfc, *asctime, *stamp;
	} rows[] = {
		{ "UTC", 1795202647, "Fri, 20 Nov 2026 19:24:07 +0000 (UTC)",
		    "Fri Nov 20 19:24:07 2026", "20261120192407" },
		{ "EST5", 1795202647, "Fri, 20 Nov 2026 14:24:07 -0500 (EST)",
		    "Fri Nov 20 14:24:07 2026", "20261120192407" },
		{ "<+0530>-5:30", 1795202647, "Sat, 21 Nov 2026 00:54:07 +0530 (+0530)",
		    "Sat Nov 21 00:54:07 2026", "20261120192407" },
		{ "XXX0:30", 1795202647, "Fri, 20 Nov 2026 18:54:07 -0030 (XXX)",
		    "Fri Nov 20 18:54:07 2026", "20261120192407" },
		{ "UTC", 0, "Thu,  1 Jan 1970 00:00:00 +0000 (UTC)", "Thu Jan  1 00:00:00 1970",
		    "19700101000000" },
		{ "UTC", -1, "Wed, 31 Dec 1969 23:59:59 +0000 (UTC)",
		    "Wed Dec 31 23:59:59 1969", "19691231235959" },
		{ "UTC", 4102444800, "Fri,  1 Jan 2100 00:00:00 +0000 (UTC)",
		    "Fri Jan  1 00:00:00 2100", "21000101000000" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		microseconds when = rows[i].seconds * 1000000;
		char out[DATE_SIZE];

		setenv("TZ", rows[i].zone, 1);
		tzset();
		date_print(when, out);
		assert_string_equal(out, rows[i].rfc);
		date_print_asctime(when + 999999, out);
		assert_string_equal(out, rows[i].asctime);
		assert_memory_equal(out, rows[i].asctime, DATE_LISTING);
		date_print_stamp(when, out);
		assert_string_equal(out, rows[i].stamp);
	}
}

static void
extremes(void **state)
{
	static const microseconds rows[] = { INT64_MAX, INT64_MIN, -1, INT64_MAX / 2 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char out[DATE_SIZE];

		date_print(rows[i], out);
		assert_true(strlen(out) < DATE_SIZE);
		date_print_asctime(rows[i], out);
		assert_true(strlen(out) < DATE_SIZE);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates),
		cmocka_unit_test(extremes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
