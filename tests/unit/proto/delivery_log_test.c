/* SPDX-License-Identifier: Apache-2.0 */
/* How delays are printed, as Postfix prints them with delay_logging_resolution_limit 2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "proto/delivery_log.h"

static void
delays(void **state)
{
	static const struct {
		microseconds span;
		const char *text;
	} rows[] = {
		{ 0, "0" },
		{ -5000000, "0" }, /* the clock was set back */
		{ 4999, "0" },
		{ 5000, "0.01" },
		{ 14999, "0.01" },
		{ 40000, "0.04" },
		{ 100000, "0.1" },
		{ 120000, "0.12" },
		{ 994999, "0.99" },
		{ 1000000, "1" },
		{ 1240000, "1.2" },
		{ 1950000, "2" },
		{ 9940000, "9.9" },
		{ 9960000, "10" },
		{ 10400000, "10" },
		{ 59500000, "60" },
		{ 86400000000, "86400" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = BUF_INIT(100);

		delivery_delay_print(&out, rows[i].span);
		assert_string_equal(buf_str(&out), rows[i].text);
		buf_done(&out);
	}
}

static void
statuses(void **state)
{
	(void)state;
	assert_string_equal(delivery_status_text(DELIVER_SENT), "sent");
	assert_string_equal(delivery_status_text(DELIVER_BOUNCED), "bounced");
	assert_string_equal(delivery_status_text(DELIVER_DEFERRED), "deferred");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delays),
		cmocka_unit_test(statuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
