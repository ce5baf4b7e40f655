/* SPDX-License-Identifier: Apache-2.0 */
/* The answers of error, retry and discard for what a next hop may say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "error/verdict.h"

static void
services(void **state)
{
	static const struct {
		const char *program;
		const char *name;
		enum verdict_service service;
	} rows[] = {
		{ "error", "error", VERDICT_ERROR },
		{ "error", "retry", VERDICT_RETRY },
		{ "error", "moved", VERDICT_ERROR },
		{ "retry", "retry", VERDICT_RETRY },
		{ "discard", "discard", VERDICT_DISCARD },
		{ "discard", "retry", VERDICT_DISCARD },
		{ "discard", "sink", VERDICT_DISCARD },
		{ "error", "discard", VERDICT_ERROR },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(
		    verdict_service_of(view_of(rows[i].program), view_of(rows[i].name)),
		    rows[i].service);
}

static void
texts(void **state)
{
	static const struct {
		enum verdict_service service;
		const char *nexthop;
		enum deliver_result result;
		const char *dsn;
		const char *text;
	} rows[] = {
		{ VERDICT_ERROR, "no such host", DELIVER_BOUNCED, "5.0.0", "no such host" },
		{ VERDICT_ERROR, "5.1.6 has moved", DELIVER_BOUNCED, "5.1.6", "has moved" },
		{ VERDICT_ERROR, "4.3.5 later", DELIVER_DEFERRED, "4.3.5", "later" },
		{ VERDICT_ERROR, "2.1.5 odd", DELIVER_BOUNCED, "5.1.5", "odd" },
		{ VERDICT_ERROR, " 5.1.6  blanks ", DELIVER_BOUNCED, "5.1.6", "blanks" },
		{ VERDICT_ERROR, "5.1.6", DELIVER_BOUNCED, "5.1.6", "undeliverable" },
		{ VERDICT_ERROR, "", DELIVER_BOUNCED, "5.0.0", "undeliverable" },
		{ VERDICT_ERROR, "5.1.6x moved", DELIVER_BOUNCED, "5.0.0", "5.1.6x moved" },
		{ VERDICT_ERROR, "5.1.6000 moved", DELIVER_BOUNCED, "5.0.0", "5.1.6000 moved" },
		{ VERDICT_ERROR, "3.1.6 moved", DELIVER_BOUNCED, "5.0.0", "3.1.6 moved" },
		{ VERDICT_RETRY, "host is down", DELIVER_DEFERRED, "4.0.0", "host is down" },
		{ VERDICT_RETRY, "4.4.1 host is down", DELIVER_DEFERRED, "4.4.1",
		    "host is down" },
		{ VERDICT_RETRY, "5.4.1 host is down", DELIVER_DEFERRED, "4.4.1",
		    "host is down" },
		{ VERDICT_RETRY, "", DELIVER_DEFERRED, "4.0.0",
		    "delivery temporarily suspended" },
		{ VERDICT_DISCARD, "", DELIVER_SENT, "2.0.0", "discarded" },
		{ VERDICT_DISCARD, "spam", DELIVER_SENT, "2.0.0", "spam" },
		{ VERDICT_DISCARD, "5.7.1 spam", DELIVER_SENT, "2.7.1", "spam" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct verdict v = verdict_of(rows[i].service, view_of(rows[i].nexthop));

		assert_int_equal(v.result, rows[i].result);
		assert_string_equal(v.dsn, rows[i].dsn);
		assert_true(view_eq(v.text, view_of(rows[i].text)));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(services),
		cmocka_unit_test(texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
