/* SPDX-License-Identifier: Apache-2.0 */
/* From text to typed values: types, bounds, messages, defaults that depend on others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "conf/conf.h"

static struct conf *
evaluated(const char *text)
{
	char *why = NULL;
	struct conf *c = conf_open_text("main.cf", view_of(text), true, &why);

	if (!c || !conf_evaluate(c, &why))
		fail_msg("%s: %s", text, why);
	return c;
}

static void
types(void **state)
{
	struct conf *c =
	    evaluated("biff = No\nhopcount_limit = 7\nmessage_size_limit = 5000000000\n"
		      "smtpd_timeout = 5m\nbounce_queue_lifetime = 2\n"
		      "relayhost = [$mydomain]\nmydomain = example.org\n"
		      "postscreen_dnsbl_allowlist_threshold = -2\n"
		      "luser_relay = $user@$mydomain\n2bounce_notice_recipient = x\n");
	const struct conf_values *v = conf_values_of(c);

	(void)state;
	assert_false(v->biff);
	assert_int_equal(v->hopcount_limit, 7);
	assert_true(v->message_size_limit == 5000000000);
	assert_true(v->smtpd_timeout == 300 * SECOND);
	assert_true(v->bounce_queue_lifetime == 2 * 86400 * SECOND); /* default unit d */
	assert_int_equal(v->postscreen_dnsbl_allowlist_threshold, -2);
	assert_string_equal(v->relayhost, "[example.org]");
	assert_string_equal(v->luser_relay, "$user@$mydomain"); /* raw */
	assert_string_equal(v->p2bounce_notice_recipient, "x");
	assert_true(v->queue_run_delay == 300 * SECOND);
	assert_int_equal(v->smtpd_hard_error_limit, 20);
	conf_free(&c);
}

static void
stress(void **state)
{
	struct conf *c = evaluated("stress = yes\n");

	(void)state;
	assert_int_equal(conf_values_of(c)->smtpd_hard_error_limit, 1);
	assert_true(conf_values_of(c)->smtpd_timeout == 10 * SECOND);
	assert_true(conf_values_of(c)->smtpd_per_request_deadline);
	conf_free(&c);
}

struct error_row {
	const char *text;
	const char *why;
};

static const struct error_row error_rows[] = {
	{ "\nbiff = maybe\n",
	    "main.cf, line 2: bad boolean configuration: biff = maybe: "
	    "must be yes or no" },
	{ "hopcount_limit = 0\n",
	    "main.cf, line 1: bad numerical configuration: "
	    "hopcount_limit = 0: must be a whole number, 1 or more" },
	{ "hopcount_limit = -1\n", "hopcount_limit = -1" },
	{ "postscreen_dnsbl_allowlist_threshold = -x\n", "must be a whole number" },
	{ "postscreen_dnsbl_allowlist_threshold = --1\n", "must be a whole number" },
	{ "postscreen_dnsbl_allowlist_threshold = -2147483648\n", "must be a whole number" },
	{ "hopcount_limit = 0x10\n", "hopcount_limit = 0x10" },
	{ "hopcount_limit = 1 2\n", "hopcount_limit = 1 2" },
	{ "hopcount_limit =\n", "hopcount_limit = :" },
	{ "hopcount_limit = 2147483648\n", "hopcount_limit" },
	{ "message_size_limit = 9223372036854775808\n", "message_size_limit" },
	{ "unverified_sender_defer_code = 500\n", "must be a whole number from 200 to 499" },
	{ "smtpd_timeout = 5x\n",
	    "bad time configuration: smtpd_timeout = 5x: must be a number "
	    "with a unit ms, s, m, h, d or w (s without one), 1s or more" },
	{ "smtpd_timeout = 999ms\n", "1s or more" },
	{ "smtpd_timeout = 0\n", "1s or more" },
	{ "smtpd_timeout = 3000000000s\n", "smtpd_timeout" },
	{ "in_flow_delay = 11\n", "from 0s to 10s" },
	{ "myhostname =\n", "bad string configuration: myhostname = : must not be empty" },
	{ "default_verp_delimiters = +\n", "must have exactly 2 characters" },
	{ "relayhost = ${x\n", "relayhost = ${x: truncated macro reference" },
	{ "hopcount_limit = $a\na = b\n", "hopcount_limit = b" },
	{ "compatibility_level = new\n", "compatibility_level = new: must be a release" },
	{ "mynetworks_style = all\n", "must be one of: host subnet class" },
	{ "inet_protocols = ipv5\n", "must be one of: all ipv4 ipv6" },
};

static void
errors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(error_rows); i++) {
		char *why = NULL;
		struct conf *c =
		    conf_open_text("main.cf", view_of(error_rows[i].text), true, &why);
		if (conf_evaluate(c, &why))
			fail_msg("accepted: %s", error_rows[i].text);
		if (!strstr(why, error_rows[i].why))
			fail_msg("%s: %s", error_rows[i].text, why);
		mem_free(why);
		conf_free(&c);
	}
}

/* What has no effect cannot stop a daemon. */
static void
ignored_parameter(void **state)
{
	struct conf *c = evaluated("hash_queue_depth = many\n");

	(void)state;
	assert_int_equal(conf_values_of(c)->hash_queue_depth, 1);
	assert_int_equal(conf_warning_count(c), 1);
	assert_non_null(strstr(conf_warning(c, 0), "hash_queue_depth = many"));
	conf_free(&c);
}

struct level_row {
	const char *level;
	bool append_dot_mydomain;
	bool smtputf8_enable;
	bool respectful_logging;
	const char *mynetworks_style;
	const char *relay_domains;
	const char *smtp_tls_security_level;
};

static const struct level_row level_rows[] = {
	{ "0", true, false, false, "subnet", "m", "" },
	{ "1", false, true, false, "subnet", "m", "" },
	{ "2", false, true, false, "host", "", "" },
	{ "3.5", false, true, false, "host", "", "" },
	{ "3.6", false, true, true, "host", "", "" },
	{ "3.10", false, true, true, "host", "", "" },
	{ "3.11", false, true, true, "host", "", "may" },
	{ "3.12.1", false, true, true, "host", "", "may" },
};

static void
compatibility_level(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(level_rows); i++) {
		const struct level_row *row = &level_rows[i];
		char *text =
		    mem_printf("compatibility_level = %s\nmydestination = m\n", row->level);
		struct conf *c = evaluated(text);
		const struct conf_values *v = conf_values_of(c);
		assert_int_equal(v->append_dot_mydomain, row->append_dot_mydomain);
		assert_int_equal(v->smtputf8_enable, row->smtputf8_enable);
		assert_int_equal(v->respectful_logging, row->respectful_logging);
		assert_string_equal(v->mynetworks_style, row->mynetworks_style);
		assert_string_equal(v->relay_domains, row->relay_domains);
		assert_string_equal(v->smtp_tls_security_level, row->smtp_tls_security_level);
		conf_free(&c);
		mem_free(text);
	}
}

static void
host_name(void **state)
{
	struct conf *c = evaluated("myhostname = mail.example.org\n");

	(void)state;
	assert_string_equal(conf_values_of(c)->mydomain, "example.org");
	assert_string_equal(conf_values_of(c)->mydestination,
	    "mail.example.org, localhost.example.org, localhost");
	conf_free(&c);
	c = evaluated("myhostname = mail\n");
	assert_string_equal(conf_values_of(c)->mydomain, "localdomain");
	conf_free(&c);
	c = evaluated("myhostname = mail.$mydomain\n");
	assert_string_equal(conf_values_of(c)->myhostname, "mail.localdomain");
	conf_free(&c);
	c = evaluated("");
	assert_non_null(strchr(conf_values_of(c)->myhostname, '.'));
	assert_string_equal(
	    strchr(conf_values_of(c)->myhostname, '.') + 1, conf_values_of(c)->mydomain);
	/* what was computed once follows a later option */
	conf_set(c, "myhostname", "other.test");
	assert_string_equal(conf_text(c, "mydomain", NULL), "test");
	conf_free(&c);
}

static void
networks(void **state)
{
	struct conf *c = evaluated("inet_interfaces = loopback-only\ninet_protocols = ipv4\n"
				   "mynetworks_style = host\n");

	(void)state;
	assert_string_equal(conf_values_of(c)->mynetworks, "127.0.0.1/32");
	conf_free(&c);
	c = evaluated("inet_interfaces = 127.0.0.1\nmynetworks_style = subnet\n");
	assert_string_equal(conf_values_of(c)->mynetworks, "127.0.0.0/8");
	conf_free(&c);
	/* an address that is not ours, and a name that cannot exist */
	c = evaluated("inet_interfaces = 198.51.100.77\nmynetworks_style = class\n");
	assert_string_equal(conf_values_of(c)->mynetworks, "198.51.100.0/24");
	conf_free(&c);
	c = evaluated("inet_interfaces = a.b..invalid\n");
	assert_string_equal(conf_values_of(c)->mynetworks, "127.0.0.0/8 [::1]/128");
	conf_free(&c);
	c = evaluated("mynetworks = 10.0.0.0/8\n");
	assert_string_equal(conf_values_of(c)->mynetworks, "10.0.0.0/8");
	conf_free(&c);
}

static void
transports(void **state)
{
	struct conf *c = evaluated("default_destination_concurrency_limit = 9\n"
				   "smtp_destination_concurrency_limit = 4\n"
				   "smtp_destination_rate_delay = 2m\nbad_recipient_limit = x\n"
				   "pipe_destination_concurrency_positive_feedback = 1/5\n"
				   "slow_delivery_slot_discount = 101\n");
	struct buf text = BUF_INIT(100);
	char *why = NULL;
	nanoseconds span;
	int number;

	(void)state;
	assert_true(
	    conf_transport_int(c, "smtp", "destination_concurrency_limit", &number, &why));
	assert_int_equal(number, 4);
	assert_true(
	    conf_transport_int(c, "relay", "destination_concurrency_limit", &number, &why));
	assert_int_equal(number, 9);
	assert_true(
	    conf_transport_int(c, "local", "destination_concurrency_limit", &number, &why));
	assert_int_equal(number, 2); /* a default of its own */
	assert_true(conf_transport_time(c, "smtp", "destination_rate_delay", &span, &why));
	assert_true(span == 120 * SECOND);
	assert_true(conf_transport_time(c, "x", "destination_rate_delay", &span, &why));
	assert_true(span == 0);
	assert_true(conf_transport_text(
	    c, "pipe", "destination_concurrency_positive_feedback", &text, &why));
	assert_string_equal(buf_str(&text), "1/5");
	assert_false(conf_transport_int(c, "bad", "recipient_limit", &number, &why));
	assert_non_null(
	    strstr(why, "main.cf, line 4: bad configuration: bad_recipient_limit = x"));
	mem_free(why);
	assert_false(conf_transport_int(c, "slow", "delivery_slot_discount", &number, &why));
	assert_non_null(strstr(why, "0 to 100"));
	mem_free(why);
	assert_false(conf_transport_int(c, "x", "no_such_suffix", &number, &why));
	mem_free(why);
	buf_done(&text);
	conf_free(&c);
}

struct time_row {
	const char *text;
	char unit;
	nanoseconds span; /* -1: refused */
};

static const struct time_row time_rows[] = {
	{ "1", 's', SECOND },
	{ "1", 'd', 86400 * SECOND },
	{ "1", 'w', 7 * 86400 * SECOND },
	{ "0", 'h', 0 },
	{ "250ms", 's', 250 * MILLISECOND },
	{ "3s", 'd', 3 * SECOND },
	{ "3m", 's', 180 * SECOND },
	{ "3h", 's', 10800 * SECOND },
	{ "2W", 's', 14 * 86400 * SECOND },
	{ "2147483647", 's', 2147483647 * SECOND },
	{ "2147483648", 's', -1 },
	{ "99999999999999999999w", 's', -1 },
	{ "9223372036854775807d", 's', -1 },
	{ "", 's', -1 },
	{ "s", 's', -1 },
	{ "-1s", 's', -1 },
	{ "+1s", 's', -1 },
	{ "1 s", 's', -1 },
	{ "1.5h", 's', -1 },
	{ "1h30m", 's', -1 },
	{ "1y", 's', -1 },
};

static void
times(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(time_rows); i++) {
		nanoseconds span = -1;
		bool ok = conf_parse_time(view_of(time_rows[i].text), time_rows[i].unit, &span);
		if (ok != (time_rows[i].span >= 0) || span != time_rows[i].span)
			fail_msg("%s", time_rows[i].text);
	}
}

static void
booleans(void **state)
{
	bool value = false;

	(void)state;
	assert_true(conf_parse_bool(VIEW("yes"), &value) && value);
	assert_true(conf_parse_bool(VIEW("NO"), &value) && !value);
	assert_false(conf_parse_bool(VIEW("true"), &value));
	assert_false(conf_parse_bool(VIEW("yess"), &value));
	assert_false(conf_parse_bool(VIEW(""), &value));
}

/* Every process start pays for it: 3 ms in a release build, more room for the sanitizers. */
static void
speed(void **state)
{
	char *why = NULL;
	struct conf *c =
	    conf_open_text("main.cf", VIEW("mynetworks = 10.0.0.0/8\n"), true, &why);
	nanoseconds best = DEADLINE_NEVER;

	(void)state;
	for (int i = 0; i < 20; i++) {
		nanoseconds start = clock_now();
		assert_true(conf_evaluate(c, &why));
		nanoseconds span = clock_now() - start;
		best = span < best ? span : best;
	}
	assert_true(best < 20 * MILLISECOND);
	conf_free(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types),
		cmocka_unit_test(stress),
		cmocka_unit_test(errors),
		cmocka_unit_test(ignored_parameter),
		cmocka_unit_test(compatibility_level),
		cmocka_unit_test(host_name),
		cmocka_unit_test(networks),
		cmocka_unit_test(transports),
		cmocka_unit_test(times),
		cmocka_unit_test(booleans),
		cmocka_unit_test(speed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
