/* SPDX-License-Identifier: Apache-2.0 */
/* How many recipients of one message are read at a time, and when the next ones are. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <ftw.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/mem.h"
#include "qmgr/qmgr.h"

static struct conf *conf;
static char directory[] = "/tmp/postern-portions-XXXXXX";

static void
configure(const char *main_cf)
{
	char *why = NULL;

	router_free(&qmgr.router);
	conf_free(&conf);
	conf = conf_open_text("main.cf", view_of(main_cf), true, &why);
	assert_non_null(conf);
	conf_set(conf, "myhostname", "mail.example.test");
	conf_set(conf, "alias_maps", "");
	assert_true(conf_evaluate(conf, &why));
	qmgr.conf = conf;
	qmgr.values = conf_values_of(conf);
	qmgr.router = router_open(conf);
}

/* Taken up, with its first portion. */
static struct message *
message_open(unsigned recipients)
{
	struct queue_writer *w = queue_writer_new(qmgr.queue, QUEUE_INCOMING);
	const char *why = NULL;
	struct message *m;

	for (unsigned i = 0; i < recipients; i++) {
		char address[100];
		struct queue_recipient r = { 0 };

		snprintf(address, sizeof(address), "u%u@one.example", i);
		r.address = view_of(address);
		queue_writer_recipient(w, &r);
	}
	queue_writer_header(w, VIEW("Subject: test\r\n"));
	queue_writer_sender(w, VIEW("sender@example.test"));
	assert_int_equal(queue_writer_commit(w, NULL, &why), QUEUE_OK);
	m = message_new(queue_writer_id(w), QUEUE_INCOMING);
	assert_int_equal(
	    queue_message_open(qmgr.queue, QUEUE_INCOMING, m->id, false, &m->file, &why),
	    QUEUE_OK);
	queue_writer_free(&w);
	m->pending = m->file.pending_count;
	m->step = MESSAGE_DELIVERING;
	message_fill(m);
	return m;
}

/* Nobody does anything with it any more. */
static void
message_close(struct message *m)
{
	qmgr.finishing = true;
	m->filling = true;
	message_withdraw(m);
	qmgr.finishing = false;
	schedule_forget(m);
	list_remove(&m->link);
	message_forget(m);
}

/* One entry of the transport is delivered. */
static unsigned
deliver_one(const char *transport)
{
	const char *why = NULL;
	struct entry *e = schedule_select(transport_named(view_of(transport), &why));
	struct message *m;
	unsigned count;

	assert_non_null(e);
	m = e->message;
	count = e->count;
	for (struct recipient *r = e->first; r; r = r->next)
		outcome_record(m, r, QUEUE_RCPT_DELIVERED, VIEW("2.0.0"), VIEW("ok"));
	schedule_finished(e->destination);
	entry_free(e);
	message_progress(m);
	return count;
}

static void
refill(struct message *m)
{
	assert_true(m->refilling);
	list_remove(&m->link);
	m->refilling = false;
	message_fill(m);
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(path);
}

static struct transport *
the(const char *name)
{
	const char *why = NULL;

	return transport_named(view_of(name), &why);
}

static void
limit_of_all(void **state)
{
	struct message *m, *other;

	(void)state;
	configure("qmgr_message_recipient_limit = 200\ndefault_transport = a\n"
		  "qmgr_message_recipient_minimum = 7\n");
	m = message_open(350);
	assert_int_equal(m->outstanding, 200);
	assert_int_equal(the("a")->recipients, 200);
	other = message_open(30); /* there is no room, but nobody is left with nothing */
	assert_int_equal(other->outstanding, 7);
	assert_int_equal(qmgr.recipients, 207);
	/* Room is 43, 93, 143: the first hundred or more are read. */
	assert_int_equal(deliver_one("a"), 50);
	assert_int_equal(deliver_one("a"), 50);
	assert_false(m->refilling);
	assert_int_equal(deliver_one("a"), 50);
	refill(m);
	assert_int_equal(m->outstanding, 193);
	message_close(other);
	message_close(m);
	assert_int_equal(qmgr.recipients, 0);
	assert_int_equal(the("a")->recipients, 0);
}

/* No more than a thousand of one message, so that others need not wait for their turn. */
static void
limit_of_a_message(void **state)
{
	struct message *m;

	(void)state;
	configure("default_transport = b\nb_recipient_refill_limit = 60\n");
	m = message_open(1070);
	assert_int_equal(m->outstanding, 1000);
	deliver_one("b");
	assert_false(m->refilling);
	deliver_one("b"); /* room for 100, of which 70 are left */
	refill(m);
	assert_int_equal(m->outstanding, 970);
	for (int left = 970; left > 0;) {
		left -= (int)deliver_one("b");
		assert_false(m->refilling);
	}
	assert_int_equal(m->step, MESSAGE_REMOVING);
	message_close(m);
}

static void
limit_of_a_transport(void **state)
{
	struct message_job parent = { 0 };
	struct message *m;
	struct transport_job *j;

	(void)state;
	configure("default_transport = c\ndefault_recipient_limit = 950\n"
		  "c_extra_recipient_limit = 30\n");
	m = message_open(2000); /* its transport was not known */
	assert_int_equal(m->outstanding, 1000);
	deliver_one("c");
	deliver_one("c"); /* 900 */
	assert_false(m->refilling);
	deliver_one("c"); /* 850, and it may be 950 */
	refill(m);
	assert_int_equal(m->outstanding, 950);
	/* While it preempts another message there may be more. */
	j = LIST_ITEM(m->jobs.next, struct transport_job, of_message);
	deliver_one("c");
	assert_false(m->refilling);
	list_init(&parent.children);
	j->job.parent = &parent;
	deliver_one("c"); /* 850, and it may be 980; a message has 1000 */
	refill(m);
	assert_int_equal(m->outstanding, 980);
	j->job.parent = NULL;
	message_close(m);
}

static void
few_after_a_while(void **state)
{
	struct message *m;

	(void)state;
	configure("default_transport = d\ndefault_recipient_refill_delay = 100s\n");
	m = message_open(2000);
	deliver_one("d");
	assert_false(m->refilling);
	m->filled -= 100 * SECOND;
	message_progress(m);
	refill(m);
	assert_int_equal(m->outstanding, 1000);
	message_close(m);
}

static int
set_up(void **state)
{
	const char *why = NULL;

	(void)state;
	task_init();
	assert_non_null(mkdtemp(directory));
	assert_true(queue_create(directory, &why));
	qmgr.queue = queue_open(directory, false, &why);
	assert_non_null(qmgr.queue);
	qmgr.transports = hash_new();
	qmgr.active = hash_new();
	qmgr.active_limit = 1000;
	qmgr.flow = -1;
	intake_start();
	outcome_start();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	qmgr.finishing = true; /* workers and the intake find nothing to do */
	task_run();
	task_done();
	router_free(&qmgr.router);
	conf_free(&conf);
	queue_close(&qmgr.queue);
	return nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limit_of_all),
		cmocka_unit_test(limit_of_a_message),
		cmocka_unit_test(limit_of_a_transport),
		cmocka_unit_test(few_after_a_while),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
