/* SPDX-License-Identifier: Apache-2.0 */
/* The order in which entries are selected, limits, suspension. No agent is there. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/mem.h"
#include "qmgr/qmgr.h"

static struct conf *conf;
static struct message *message;

/* Each in a portion of its own: so that each makes an entry. */
static struct entry *
entry_of(struct message *m, const char *transport, const char *key)
{
	const char *why = NULL;
	struct transport *t = transport_named(view_of(transport), &why);

	return schedule_entry(m, NEW(struct portion), transport_destination(t, view_of(key)));
}

static struct entry *
entry_to(const char *transport, const char *key)
{
	return entry_of(message, transport, key);
}

static struct transport *
the(const char *name)
{
	const char *why = NULL;

	return transport_named(view_of(name), &why);
}

static void
finish(struct entry *e)
{
	schedule_finished(e->destination);
	entry_free(e);
}

static void
destinations_take_turns(void **state)
{
	static const char *const keys[] = { "a", "a", "a", "b", "c", "c" };
	static const char order[] = "abcaca";
	struct transport *t = the("smtp");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		entry_to("smtp", keys[i]);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		struct entry *e = schedule_select(t);

		assert_non_null(e);
		assert_int_equal(e->destination->key[0], order[i]);
		finish(e);
	}
	assert_null(schedule_select(t));
	assert_int_equal(hash_count(t->destinations), 0);
}

static void
concurrency_of_a_destination(void **state)
{
	struct transport *t = the("slow");
	struct entry *running[3];

	(void)state;
	assert_int_equal(t->limits.destination.initial, 2);
	assert_int_equal(t->limits.destination.most, 3);
	for (int i = 0; i < 5; i++)
		entry_to("slow", "a");
	running[0] = schedule_select(t);
	running[1] = schedule_select(t);
	assert_non_null(running[1]);
	assert_null(schedule_select(t)); /* two at a time to begin with */
	destination_succeeded(running[0]->destination, &t->limits.destination);
	finish(running[0]);
	running[0] = schedule_select(t);
	running[2] = schedule_select(t); /* now three */
	assert_non_null(running[2]);
	assert_null(schedule_select(t));
	destination_succeeded(running[0]->destination, &t->limits.destination);
	finish(running[0]);
	running[0] = schedule_select(t); /* and never more */
	assert_non_null(running[0]);
	assert_null(schedule_select(t));
	for (int i = 0; i < 3; i++)
		finish(running[i]);
	assert_int_equal(hash_count(t->destinations), 0);
}

/* One delivery at a time, and a pause behind each; it outlasts the last entry. */
static void
rate_delay_of_a_destination(void **state)
{
	struct transport *t = the("polite");
	struct entry *a, *b;

	(void)state;
	entry_to("polite", "a");
	entry_to("polite", "a");
	entry_to("polite", "b");
	a = schedule_select(t);
	b = schedule_select(t);
	assert_string_equal(a->destination->key, "a");
	assert_string_equal(b->destination->key, "b");
	assert_null(schedule_select(t));
	finish(a);
	finish(b);
	assert_null(schedule_select(t));
	assert_int_equal(hash_count(t->destinations), 2);
	entry_to("polite", "b");
	assert_null(schedule_select(t));
	transport_destination(t, VIEW("a"))->paused_until = clock_now();
	transport_destination(t, VIEW("b"))->paused_until = clock_now();
	transport_resume(t);
	a = schedule_select(t);
	b = schedule_select(t);
	assert_non_null(a);
	assert_non_null(b);
	transport_destination_suspend(t, a->destination, VIEW("4.4.1"), VIEW("refused"));
	finish(a);
	assert_int_equal(t->paused_count, 0);
	finish(b);
	assert_int_equal(t->paused_count, 1);
	transport_destination(t, VIEW("b"))->paused_until = clock_now();
	transport_resume(t);
	transport_revive_all();
	assert_int_equal(hash_count(t->destinations), 0);
}

static void
rate_delay_of_a_transport(void **state)
{
	struct transport *t = the("modem");
	struct entry *e;

	(void)state;
	entry_to("modem", "a");
	entry_to("modem", "b");
	e = schedule_select(t);
	assert_non_null(e);
	assert_null(schedule_select(t)); /* one at a time */
	finish(e);
	assert_null(schedule_select(t));
	t->paused_until = clock_now();
	transport_resume(t);
	e = schedule_select(t);
	assert_non_null(e);
	finish(e);
	assert_int_equal(hash_count(t->destinations), 0);
	t->paused_until = clock_now();
	transport_resume(t); /* or the loop waits for it at the end */
}

/* A list to many destinations; a later message for one of them, and one for another. */
static void
small_messages_overtake_large_ones(void **state)
{
	struct message *small = message_new("4jWRfr01bXz2Y7n68qS2rd5", QUEUE_INCOMING);
	struct transport *t = the("list");
	char order[21] = "";

	(void)state;
	small->filling = true;
	for (int i = 0; i < 18; i++) {
		char key[2] = { (char)('a' + i), '\0' };

		entry_to("list", key);
	}
	schedule_filled(message);
	for (int i = 0; i < 20; i++) {
		struct entry *e = schedule_select(t);

		order[i] = e->message == small ? 'S' : e->destination->key[0];
		finish(e);
		if (i == 2) {
			entry_of(small, "list", "r");
			entry_of(small, "list", "z");
			schedule_filled(small);
		}
	}
	/* Two slots on credit of 3/5 and a loan; then the list in its order. */
	assert_string_equal(order, "abcSSdefghijklmnopqr");
	assert_null(schedule_select(t));
	assert_int_equal(hash_count(t->destinations), 0);
	schedule_forget(small);
	message_forget(small);
}

static void
withdrawn_entries(void **state)
{
	struct transport *t = the("smtp");
	struct entry *a = entry_to("smtp", "a"), *b = entry_to("smtp", "a"), *e;

	(void)state;
	schedule_withdraw(a);
	entry_free(a);
	e = schedule_select(t);
	assert_ptr_equal(e, b);
	finish(e);
	a = entry_to("smtp", "a");
	schedule_withdraw(a);
	entry_free(a);
	assert_null(schedule_select(t));
	assert_int_equal(hash_count(t->destinations), 0);
}

static void
suspended_destination(void **state)
{
	struct transport *t = the("smtp");
	struct entry *running, *e;
	struct destination *d;

	(void)state;
	entry_to("smtp", "dead");
	entry_to("smtp", "dead");
	running = schedule_select(t);
	d = running->destination;
	transport_destination_suspend(t, d, VIEW("4.4.1"), VIEW("refused"));
	assert_null(schedule_select(t)); /* what waited has been deferred */
	assert_int_equal(d->waiting, 0);
	finish(running);
	assert_ptr_equal(transport_destination(t, VIEW("dead")), d);
	assert_true(transport_destination_is_dead(t, d));
	entry_to("smtp", "alive");
	e = schedule_select(t);
	assert_string_equal(e->destination->key, "alive");
	finish(e);
	transport_revive_all();
	assert_int_equal(t->dead_count, 0);
	assert_int_equal(hash_count(t->destinations), 0); /* nothing keeps it any more */
	d = transport_destination(t, VIEW("dead"));
	assert_false(transport_destination_is_dead(t, d));
	entry_to("smtp", "dead");
	finish(schedule_select(t));
	assert_int_equal(hash_count(t->destinations), 0);
}

static void
suspended_transport(void **state)
{
	struct transport *t = the("gone");

	(void)state;
	for (int i = 0; i < 3; i++) {
		entry_to("gone", "a");
		entry_to("gone", "b");
	}
	transport_suspend(t, "mail transport unavailable");
	assert_true(transport_is_dead(t));
	assert_string_equal(t->suspension.dsn, "4.3.0");
	assert_true(list_is_empty(&message->entries));
	assert_int_equal(hash_count(t->destinations), 0);
	t->dead_until = clock_now() - 1;
	assert_false(transport_is_dead(t));
}

static void
names(void **state)
{
	static const char *const bad[] = { "", "../public/cleanup", "a/b", ".hidden" };
	const char *why = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_null(transport_named(view_of(bad[i]), &why));
		assert_non_null(why);
	}
	assert_true(the("uucp")->limits.is_deferred);
	assert_false(the("smtp")->limits.is_deferred);
	assert_int_equal(the("local")->limits.destination_recipients, 1);
	assert_int_equal(the("local")->limits.destination.most, 2);
	assert_int_equal(the("smtp")->limits.destination_recipients, 50);
}

static int
set_up(void **state)
{
	char *why = NULL;

	(void)state;
	task_init();
	conf = conf_open_text("main.cf",
	    VIEW("myhostname = mail.example.test\ndefer_transports = uucp, fax\n"
		 "slow_initial_destination_concurrency = 2\n"
		 "slow_destination_concurrency_limit = 3\n"
		 "polite_destination_rate_delay = 1h\n"
		 "modem_transport_rate_delay = 1h\n"),
	    true, &why);
	assert_non_null(conf);
	assert_true(conf_evaluate(conf, &why));
	qmgr.conf = conf;
	qmgr.values = conf_values_of(conf);
	qmgr.transports = hash_new();
	qmgr.active = hash_new();
	qmgr.active_limit = 1000;
	intake_start();
	outcome_start();
	message = message_new("4jWRfr01bXz2Y7n68qS2rd4", QUEUE_INCOMING);
	message->filling = true; /* nothing is to happen to it */
	return 0;
}

/* The workers that were started find nothing to do. */
static int
tear_down(void **state)
{
	(void)state;
	task_run();
	schedule_forget(message);
	message_forget(message);
	task_done();
	conf_free(&conf);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(destinations_take_turns),
		cmocka_unit_test(concurrency_of_a_destination),
		cmocka_unit_test(rate_delay_of_a_destination),
		cmocka_unit_test(rate_delay_of_a_transport),
		cmocka_unit_test(small_messages_overtake_large_ones),
		cmocka_unit_test(withdrawn_entries),
		cmocka_unit_test(suspended_destination),
		cmocka_unit_test(suspended_transport),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
