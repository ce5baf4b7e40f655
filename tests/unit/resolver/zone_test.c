/* SPDX-License-Identifier: Apache-2.0 */
/* Static records and hosts files: what each line means, and what is no line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "resolver/zone.h"

static struct zone *zone;
static struct arena arena;
static struct dns_answer answer;
static struct dns_name name;

static enum zone_answer
find(const char *text, enum dns_type type)
{
	arena_reset(&arena);
	answer = (struct dns_answer){ 0 };
	assert_true(dns_name_from_text(view_of(text), &name));
	return zone_find(zone, &name, type, &arena, &answer);
}

static int
set_up(void **state)
{
	(void)state;
	zone = zone_new();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	zone_free(&zone);
	arena_reset(&arena);
	return 0;
}

static void
add(const char *text)
{
	const char *why = NULL;
	size_t line = 0;

	if (!zone_add_text(zone, view_of(text), &line, &why))
		fail_msg("line %zu: %s", line, why);
}

static void
records(void **state)
{
	(void)state;
	add("# comment\n; another\n\n"
	    "example.test MX 10 mx.example.test.\n"
	    "Example.test. 60 IN MX 20 b\u00fccher.test\n"
	    "mx.example.test 7 A 192.0.2.1\n"
	    "mx.example.test AAAA 2001:db8::1\n"
	    "null.test MX 0 .\n"
	    "t.test TXT \"v=spf1 \" \"-all\\\"\" x\n"
	    "_25._tcp.mx.test TLSA 3 1 1 00ff\n"
	    "_smtp._tcp.test SRV 1 2 25 mx.test\n");
	assert_int_equal(find("EXAMPLE.test", DNS_MX), ZONE_ANSWER);
	assert_int_equal(answer.result, DNS_FOUND);
	assert_int_equal(answer.count, 2);
	assert_int_equal(answer.records[0].preference, 10);
	assert_true(view_eq(answer.records[0].name, VIEW("mx.example.test")));
	assert_int_equal(answer.records[1].ttl, 60);
	assert_true(view_eq(answer.records[1].name, VIEW("xn--bcher-kva.test")));
	assert_int_equal(find("example.test", DNS_A), ZONE_ANSWER);
	assert_int_equal(answer.result, DNS_NO_DATA);
	assert_int_equal(find("mx.example.test", DNS_A), ZONE_ANSWER);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.records[0].ttl, 7);
	assert_memory_equal(answer.records[0].address, "\300\0\2\1", 4);
	assert_int_equal(find("null.test", DNS_MX), ZONE_ANSWER);
	assert_int_equal(answer.records[0].name.n, 0);
	assert_int_equal(find("t.test", DNS_TXT), ZONE_ANSWER);
	assert_true(view_eq(answer.records[0].data, VIEW("v=spf1 -all\"x")));
	assert_int_equal(find("_25._tcp.mx.test", DNS_TLSA), ZONE_ANSWER);
	assert_memory_equal(answer.records[0].data.p, "\0\xff", 2);
	assert_int_equal(find("_smtp._tcp.test", DNS_SRV), ZONE_ANSWER);
	assert_int_equal(answer.records[0].port, 25);
	assert_int_equal(find("other.test", DNS_A), ZONE_UNKNOWN);
	assert_int_equal(find("test", DNS_A), ZONE_UNKNOWN);
}

static void
verdicts(void **state)
{
	static const struct {
		const char *name;
		enum dns_result result;
		bool secure, bogus;
	} rows[] = {
		{ "gone.test", DNS_NO_SUCH_NAME, false, false },
		{ "empty.test", DNS_NO_DATA, false, false },
		{ "dead.test", DNS_TRY_AGAIN, false, false },
		{ "bad.test", DNS_TRY_AGAIN, false, true },
		{ "signed.test", DNS_FOUND, true, false },
		{ "x.wild.test", DNS_FOUND, false, false },
		{ "x.y.wild.test", DNS_FOUND, false, false },
		{ "all.the.rest", DNS_TRY_AGAIN, false, false },
	};

	(void)state;
	add("gone.test NXDOMAIN\nempty.test nodata\ndead.test SERVFAIL\nbad.test BOGUS\n"
	    "signed.test A 192.0.2.1\nsigned.test SECURE\n*.wild.test A 192.0.2.2\n"
	    "* SERVFAIL\n");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(find(rows[i].name, DNS_A), ZONE_ANSWER);
		if (answer.result != rows[i].result || answer.secure != rows[i].secure ||
		    answer.bogus != rows[i].bogus)
			fail_msg("%s: %d", rows[i].name, answer.result);
	}
}

static void
aliases(void **state)
{
	(void)state;
	add("a.test CNAME b.test\n");
	assert_int_equal(find("a.test", DNS_A), ZONE_ALIAS);
	assert_string_equal(name.text, "b.test");
	assert_int_equal(find("a.test", DNS_CNAME), ZONE_ANSWER);
	assert_int_equal(answer.count, 1);
}

static void
bad_lines(void **state)
{
	static const char *const rows[] = { "", "a.test", "a..test A 1.2.3.4", "a.test 60",
		"a.test IN", "a.test A", "a.test A 1.2.3", "a.test A ::1",
		"a.test AAAA 1.2.3.4", "a.test A 1.2.3.4 5.6.7.8", "a.test MX mx.test",
		"a.test MX 65536 mx.test", "a.test MX -1 mx.test", "a.test MX 1 m..x",
		"a.test SOA x y", "a.test TXT \"a", "a.test TLSA 3 1 1 0",
		"a.test TLSA 3 1 1 xx", "a.test TLSA 256 1 1 00", "a.test SRV 1 2 mx.test",
		"a.test NXDOMAIN x" };
	const char *why;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		why = NULL;
		if (zone_add_line(zone, view_of(rows[i]), &why) || why == NULL)
			fail_msg("row %zu: %s", i, rows[i]);
	}
	for (int i = 0; i < DNS_RECORDS_MAX; i++)
		assert_true(zone_add_line(zone, VIEW("m.test A 1.2.3.4"), &why));
	assert_false(zone_add_line(zone, VIEW("m.test A 1.2.3.4"), &why));
}

static void
bad_line_number(void **state)
{
	const char *why = NULL;
	size_t line = 0;

	(void)state;
	assert_false(
	    zone_add_text(zone, VIEW("# x\na.test A 1.2.3.4\nb.test A x\n"), &line, &why));
	assert_int_equal(line, 3);
}

static void
hosts(void **state)
{
	(void)state;
	zone_add_hosts(zone,
	    VIEW("127.0.0.1\tlocalhost  loopback # x.test\n::1 localhost\n"
		 "192.0.2.1 a.example a\r\n192.0.2.2 a.example\n192.0.2.1 second.example\n"
		 "300.1.1.1 bad.example\n1.2.3.4\n#9.9.9.9 no.example\n1.1.1.1 b@d "
		 "good.example"));
	assert_int_equal(find("LOCALHOST", DNS_A), ZONE_ANSWER);
	assert_int_equal(answer.count, 1);
	assert_int_equal(find("localhost", DNS_AAAA), ZONE_ANSWER);
	assert_int_equal(answer.count, 1);
	assert_int_equal(find("loopback", DNS_A), ZONE_ANSWER);
	assert_int_equal(find("a.example", DNS_A), ZONE_ANSWER);
	assert_int_equal(answer.count, 2);
	assert_int_equal(find("1.2.0.192.in-addr.arpa", DNS_PTR), ZONE_ANSWER);
	assert_int_equal(answer.count, 1);
	assert_true(view_eq(answer.records[0].name, VIEW("a.example")));
	assert_int_equal(find("good.example", DNS_A), ZONE_ANSWER);
	assert_int_equal(find("x.test", DNS_A), ZONE_UNKNOWN);
	assert_int_equal(find("bad.example", DNS_A), ZONE_UNKNOWN);
	assert_int_equal(find("no.example", DNS_A), ZONE_UNKNOWN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(records, set_up, tear_down),
		cmocka_unit_test_setup_teardown(verdicts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(aliases, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bad_lines, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bad_line_number, set_up, tear_down),
		cmocka_unit_test_setup_teardown(hosts, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
