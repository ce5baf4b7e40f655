/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The limits of one transport: TRANSPORT_suffix where main.cf has it, else the default that
 * belongs to the suffix. What cannot be understood is said in the log, and replaced by what
 * Postfix has: a wrong line for one transport does not stop the mail of all others.
 */
#include "base/log.h"
#include "base/mem.h"
#include "conf/master_cf.h"
#include "qmgr/qmgr.h"

#define DELIVERIES_MAX 1000 /* of one transport; each is a connection and a small stack */

static struct master_cf *master_cf;

void
transport_limits_prepare(void)
{
	char *why = NULL;

	master_cf = master_cf_open(conf_directory(qmgr.conf), qmgr.conf, true, &why);
	if (!master_cf)
		log_warn("%s; the numbers of deliveries there are not known", why);
	mem_free(why);
}

/* Agents that have a process for each delivery. */
static bool
forks(const char *program)
{
	return strcmp(program, "local") == 0 || strcmp(program, "virtual") == 0 ||
	    strcmp(program, "pipe") == 0;
}

/* As many as the agent takes: those beyond would only wait at its door, in no order. */
static unsigned
deliveries_of(const char *transport)
{
	const struct master_entry *e =
	    master_cf ? master_cf_find(master_cf, transport, MASTER_UNIX) : NULL;
	int most = e ? e->max_processes : -1;

	if (most < 0)
		most = e && forks(e->program) ? qmgr.values->default_process_limit
					      : qmgr.values->default_session_limit;
	return most > 0 && most < DELIVERIES_MAX ? (unsigned)most : DELIVERIES_MAX;
}

static int
limit_of(const char *transport, const char *suffix, int otherwise)
{
	char *why = NULL;
	int value;

	if (conf_transport_int(qmgr.conf, transport, suffix, &value, &why))
		return value;
	log_warn("%s; using %d", why, otherwise);
	mem_free(why);
	return otherwise;
}

static nanoseconds
delay_of(const char *transport, const char *suffix, nanoseconds otherwise)
{
	char *why = NULL;
	nanoseconds span;

	if (conf_transport_time(qmgr.conf, transport, suffix, &span, &why))
		return span;
	log_warn("%s; using %lld s", why, (long long)(otherwise / SECOND));
	mem_free(why);
	return otherwise;
}

static struct feedback
feedback_of(const char *transport, const char *suffix)
{
	struct feedback f = { FEEDBACK_FIXED, 1 };
	struct buf text = BUF_INIT(1000);
	char *why = NULL;

	if (!conf_transport_text(qmgr.conf, transport, suffix, &text, &why))
		log_warn("%s; using 1", why);
	else if (!feedback_parse(view_trim(buf_view(&text)), &f))
		log_warn("bad configuration: %s_%s = %s: must be a number from 0 to 1, "
			 "NUMBER/concurrency or NUMBER/sqrt_concurrency; using 1",
		    transport, suffix, buf_str(&text));
	mem_free(why);
	buf_done(&text);
	return f;
}

static bool
list_names(const char *list, struct view name)
{
	struct view rest = view_of(list), word;

	while (view_next_word(&rest, ", \t\r\n", &word)) {
		if (view_eq(word, name))
			return true;
	}
	return false;
}

void
transport_limits_read(const char *transport, struct transport_limits *out)
{
	struct destination_limits *d = &out->destination;

	d->initial = limit_of(transport, "initial_destination_concurrency", 5);
	d->most = limit_of(transport, "destination_concurrency_limit", 20);
	d->cohort_limit = limit_of(transport, "destination_concurrency_failed_cohort_limit", 1);
	d->positive = feedback_of(transport, "destination_concurrency_positive_feedback");
	d->negative = feedback_of(transport, "destination_concurrency_negative_feedback");
	d->rate_delay = delay_of(transport, "destination_rate_delay", 0);
	if (d->rate_delay > 0)
		d->most = 1;
	out->jobs = (struct job_rules){
		.slot_cost = limit_of(transport, "delivery_slot_cost", 5),
		.slot_loan = limit_of(transport, "delivery_slot_loan", 3),
		.slot_discount = limit_of(transport, "delivery_slot_discount", 50),
		.minimum_slots = limit_of(transport, "minimum_delivery_slots", 3),
	};
	out->recipients = limit_of(transport, "recipient_limit", 20000);
	out->extra_recipients = limit_of(transport, "extra_recipient_limit", 1000);
	out->refill = limit_of(transport, "recipient_refill_limit", 100);
	out->refill_delay = delay_of(transport, "recipient_refill_delay", 5 * SECOND);
	out->destination_recipients = limit_of(transport, "destination_recipient_limit", 50);
	out->rate_delay = delay_of(transport, "transport_rate_delay", 0);
	out->deliveries = deliveries_of(transport);
	out->is_deferred = list_names(qmgr.values->defer_transports, view_of(transport));
}
