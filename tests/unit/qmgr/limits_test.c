/* SPDX-License-Identifier: Apache-2.0 */
/* Where the limits of a transport come from: its own parameter, else the default's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "qmgr/qmgr.h"

#define OTHERS -1

enum limit {
	INITIAL,
	MOST,
	COHORTS,
	RECIPIENTS,
	POSITIVE,
	NEGATIVE,
	DELAY,
	PAUSE,
	COST,
	LOAN,
	DISCOUNT,
	SLOTS,
	MEMORY,
	EXTRA,
	REFILL,
	REFILL_DELAY,
	DELIVERIES
};

static const struct row {
	const char *main_cf;
	const char *transport;
	enum limit limit;
	int expected; /* OTHERS: what it is without the line */
} rows[] = {
	{ "initial_destination_concurrency = 7\n", "any", INITIAL, 7 },
	{ "any_initial_destination_concurrency = 7\n", "any", INITIAL, 7 },
	{ "any_initial_destination_concurrency = 7\n", "other", INITIAL, OTHERS },

	{ "default_destination_concurrency_limit = 7\n", "any", MOST, 7 },
	{ "any_destination_concurrency_limit = 7\n", "any", MOST, 7 },
	{ "any_destination_concurrency_limit = 7\n", "other", MOST, OTHERS },
	{ "smtp_destination_concurrency_limit = 7\n", "smtp", MOST, 7 },
	{ "default_destination_concurrency_limit = 7\n", "smtp", MOST, 7 },
	{ "lmtp_destination_concurrency_limit = 7\n", "lmtp", MOST, 7 },
	{ "relay_destination_concurrency_limit = 7\n", "relay", MOST, 7 },
	{ "virtual_destination_concurrency_limit = 7\n", "virtual", MOST, 7 },
	{ "local_destination_concurrency_limit = 7\n", "local", MOST, 7 },
	{ "default_destination_concurrency_limit = 7\n", "local", MOST, OTHERS },

	{ "default_destination_recipient_limit = 7\n", "any", RECIPIENTS, 7 },
	{ "any_destination_recipient_limit = 7\n", "any", RECIPIENTS, 7 },
	{ "any_destination_recipient_limit = 7\n", "other", RECIPIENTS, OTHERS },
	{ "smtp_destination_recipient_limit = 7\n", "smtp", RECIPIENTS, 7 },
	{ "lmtp_destination_recipient_limit = 7\n", "lmtp", RECIPIENTS, 7 },
	{ "relay_destination_recipient_limit = 7\n", "relay", RECIPIENTS, 7 },
	{ "virtual_destination_recipient_limit = 7\n", "virtual", RECIPIENTS, 7 },
	{ "local_destination_recipient_limit = 7\n", "local", RECIPIENTS, 7 },
	{ "default_destination_recipient_limit = 7\n", "local", RECIPIENTS, OTHERS },

	{ "default_destination_concurrency_failed_cohort_limit = 7\n", "any", COHORTS, 7 },
	{ "any_destination_concurrency_failed_cohort_limit = 7\n", "any", COHORTS, 7 },
	{ "any_destination_concurrency_failed_cohort_limit = 7\n", "other", COHORTS, OTHERS },

	{ "default_delivery_slot_cost = 7\n", "any", COST, 7 },
	{ "any_delivery_slot_cost = 7\n", "any", COST, 7 },
	{ "any_delivery_slot_cost = 7\n", "other", COST, OTHERS },
	{ "default_delivery_slot_loan = 7\n", "any", LOAN, 7 },
	{ "any_delivery_slot_loan = 7\n", "any", LOAN, 7 },
	{ "any_delivery_slot_loan = 7\n", "other", LOAN, OTHERS },
	{ "default_delivery_slot_discount = 7\n", "any", DISCOUNT, 7 },
	{ "any_delivery_slot_discount = 7\n", "any", DISCOUNT, 7 },
	{ "any_delivery_slot_discount = 7\n", "other", DISCOUNT, OTHERS },
	{ "default_minimum_delivery_slots = 7\n", "any", SLOTS, 7 },
	{ "any_minimum_delivery_slots = 7\n", "any", SLOTS, 7 },
	{ "any_minimum_delivery_slots = 7\n", "other", SLOTS, OTHERS },
	{ "default_recipient_limit = 7\n", "any", MEMORY, 7 },
	{ "any_recipient_limit = 7\n", "any", MEMORY, 7 },
	{ "any_recipient_limit = 7\n", "other", MEMORY, OTHERS },
	{ "default_extra_recipient_limit = 7\n", "any", EXTRA, 7 },
	{ "any_extra_recipient_limit = 7\n", "any", EXTRA, 7 },
	{ "any_extra_recipient_limit = 7\n", "other", EXTRA, OTHERS },
	{ "default_recipient_refill_limit = 7\n", "any", REFILL, 7 },
	{ "any_recipient_refill_limit = 7\n", "any", REFILL, 7 },
	{ "any_recipient_refill_limit = 7\n", "other", REFILL, OTHERS },
	{ "default_recipient_refill_delay = 7\n", "any", REFILL_DELAY, 7 },
	{ "any_recipient_refill_delay = 7\n", "any", REFILL_DELAY, 7 },
	{ "any_recipient_refill_delay = 7\n", "other", REFILL_DELAY, OTHERS },

	/* Thousandths. */
	{ "default_destination_concurrency_positive_feedback = 0.5\n", "any", POSITIVE, 500 },
	{ "any_destination_concurrency_positive_feedback = 0.007\n", "any", POSITIVE, 7 },
	{ "any_destination_concurrency_positive_feedback = 0.007\n", "other", POSITIVE,
	    OTHERS },
	{ "any_destination_concurrency_positive_feedback = 7\n", "any", POSITIVE, OTHERS },
	{ "default_destination_concurrency_negative_feedback = 0.5\n", "any", NEGATIVE, 500 },
	{ "any_destination_concurrency_negative_feedback = 0.007\n", "any", NEGATIVE, 7 },
	{ "any_destination_concurrency_negative_feedback = few\n", "any", NEGATIVE, OTHERS },

	/* Milliseconds. */
	{ "default_destination_rate_delay = 7ms\n", "any", DELAY, 7 },
	{ "any_destination_rate_delay = 2\n", "any", DELAY, 2000 },
	{ "any_destination_rate_delay = 2s\n", "other", DELAY, OTHERS },
	{ "any_destination_rate_delay = 2s\n", "any", MOST, 1 },
	{ "default_transport_rate_delay = 1m\n", "any", PAUSE, 60000 },
	{ "any_transport_rate_delay = 100ms\n", "any", PAUSE, 100 },
	{ "any_transport_rate_delay = 100ms\n", "other", PAUSE, OTHERS },

	{ "default_session_limit = 7\n", "any", DELIVERIES, 7 },
	{ "default_session_limit = 1000000\n", "any", DELIVERIES, 1000 },
};

static int
limit_of(const struct row *r, const char *main_cf)
{
	struct view text = view_of(main_cf);
	struct conf *conf;
	struct transport *t;
	char *why = NULL;
	const char *problem = NULL;

	conf = conf_open_text("main.cf", text, true, &why);
	assert_non_null(conf);
	conf_set(conf, "myhostname", "mail.example.test");
	assert_true(conf_evaluate(conf, &why));
	qmgr.conf = conf;
	qmgr.values = conf_values_of(conf);
	t = transport_named(view_of(r->transport), &problem);
	assert_non_null(t);
	conf_free(&conf);
	switch (r->limit) {
	case INITIAL:
		return t->limits.destination.initial;
	case MOST:
		return t->limits.destination.most;
	case COHORTS:
		return t->limits.destination.cohort_limit;
	case POSITIVE:
		return (int)(1000 * t->limits.destination.positive.amount);
	case NEGATIVE:
		return (int)(1000 * t->limits.destination.negative.amount);
	case DELAY:
		return (int)(t->limits.destination.rate_delay / MILLISECOND);
	case PAUSE:
		return (int)(t->limits.rate_delay / MILLISECOND);
	case COST:
		return t->limits.jobs.slot_cost;
	case LOAN:
		return t->limits.jobs.slot_loan;
	case DISCOUNT:
		return t->limits.jobs.slot_discount;
	case SLOTS:
		return t->limits.jobs.minimum_slots;
	case MEMORY:
		return t->limits.recipients;
	case EXTRA:
		return t->limits.extra_recipients;
	case REFILL:
		return t->limits.refill;
	case REFILL_DELAY:
		return (int)(t->limits.refill_delay / SECOND);
	case DELIVERIES:
		return (int)t->limits.deliveries;
	case RECIPIENTS:
		break;
	}
	return t->limits.destination_recipients;
}

/* qmgr never forgets a transport. Nobody reads this but leak checks: volatile keeps it. */
static struct hash *volatile kept[2 * ARRAY_LEN(rows)];

static void
limits(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		int usual, now;

		qmgr.transports = kept[2 * i] = hash_new();
		usual = limit_of(r, "");
		qmgr.transports = kept[2 * i + 1] = hash_new();
		now = limit_of(r, r->main_cf);
		if (now != (r->expected == OTHERS ? usual : r->expected) || usual == 7)
			fail_msg("%s%s: %d", r->main_cf, r->transport, now);
	}
}

static void
file_write(const char *directory, const char *name, const char *text)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* As many deliveries as the agent takes; where it does not say, it depends on what that costs.
 */
static void
deliveries_by_master_cf(void **state)
{
	static const struct {
		const char *transport;
		unsigned expected;
	} cases[] = {
		{ "one", 1 },
		{ "twenty", 20 },
		{ "endless", 1000 },
		{ "local", 17 },
		{ "filter", 17 },
		{ "relay", 50 },
		{ "unlisted", 50 },
	};
	static struct hash *volatile transports;
	char directory[] = "/tmp/postern-limits-XXXXXX", path[200], *why = NULL;
	const char *problem = NULL;
	struct conf *conf;

	(void)state;
	assert_non_null(mkdtemp(directory));
	file_write(
	    directory, "main.cf", "default_process_limit = 17\ndefault_session_limit = 50\n");
	file_write(directory, "master.cf",
	    "one unix - - n - 1 smtp\ntwenty unix - - n - 20 smtp\n"
	    "endless unix - - n - 0 smtp\nlocal unix - n n - - local\n"
	    "filter unix - n n - - pipe user=x argv=/bin/true\nrelay unix - - n - - smtp\n");
	conf = conf_open(directory, true, &why);
	assert_non_null(conf);
	conf_set(conf, "myhostname", "mail.example.test");
	assert_true(conf_evaluate(conf, &why));
	qmgr.conf = conf;
	qmgr.values = conf_values_of(conf);
	qmgr.transports = transports = hash_new();
	transport_limits_prepare();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct transport *t = transport_named(view_of(cases[i].transport), &problem);

		if (t->limits.deliveries != cases[i].expected)
			fail_msg("%s: %u", cases[i].transport, t->limits.deliveries);
	}
	conf_free(&conf);
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, i ? "main.cf" : "master.cf");
		assert_int_equal(unlink(path), 0);
	}
	assert_int_equal(rmdir(directory), 0);
}

static int
set_up(void **state)
{
	(void)state;
	task_init();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits),
		cmocka_unit_test(deliveries_by_master_cf),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
