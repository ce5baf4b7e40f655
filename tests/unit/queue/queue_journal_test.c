/* SPDX-License-Identifier: Apache-2.0 */
/* The journal: what was appended is replayed, in order, up to where it is torn. */
#include "queue_fixture.h"

#include "base/clock.h"

static void
open_for_journal(const char *id, struct queue_message *m)
{
	const char *why = NULL;

	assert_int_equal(
	    queue_message_open(queue, QUEUE_INCOMING, id, true, m, &why), QUEUE_OK);
}

static void
append(struct queue_message *m, uint32_t recipient, enum queue_rcpt_state s, const char *reason)
{
	struct queue_journal_entry e = { recipient, s, 1000 + recipient, VIEW("4.0.0"),
		view_of(reason) };
	const char *why = NULL;

	assert_int_equal(queue_journal_append(queue, m, &e, 1, false, &why), QUEUE_OK);
}

static void
check_status(
    const struct queue_message *m, uint32_t i, enum queue_rcpt_state s, const char *reason)
{
	assert_int_equal(m->status[i].state, s);
	assert_true(view_eq(m->status[i].reason, view_of(reason)));
	assert_int_equal(m->status[i].when, *reason ? 1000 + i : 0);
}

static void
remove_message(struct queue_message *m)
{
	const char *why = NULL;

	assert_int_equal(queue_remove(queue, m->id, m->place, &why), QUEUE_OK);
	queue_message_done(m);
}

static void
check_outcomes(const struct queue_message *m)
{
	check_status(m, 0, QUEUE_RCPT_DELIVERED, "sent");
	check_status(m, 1, QUEUE_RCPT_BOUNCED, "unknown user");
	check_status(m, 2, QUEUE_RCPT_PENDING, "timed out");
	check_status(m, 3, QUEUE_RCPT_EXPIRED, "too old");
	check_status(m, 4, QUEUE_RCPT_PENDING, "");
	assert_int_equal(m->pending_count, 2);
	assert_int_equal(m->attempts, 2);
	assert_int_equal(m->due, 5000000);
	assert_true(m->delay_warned);
	assert_true(m->forced_expire);
}

static void
test_replay(void **state)
{
	struct queue_message m;
	char id[QUEUE_ID_SIZE];
	const char *why = NULL;

	(void)state;
	put_message(QUEUE_INCOMING, 5000, 5, id);
	open_for_journal(id, &m);
	assert_int_equal(m.attempts, 0);
	assert_int_equal(m.due, 0);
	append(&m, 0, QUEUE_RCPT_PENDING, "greylisted");
	append(&m, 1, QUEUE_RCPT_BOUNCED, "unknown user");
	assert_int_equal(queue_journal_attempt(queue, &m, 4000000, &why), QUEUE_OK);
	queue_message_done(&m);

	open_for_journal(id, &m);
	check_status(&m, 0, QUEUE_RCPT_PENDING, "greylisted");
	assert_int_equal(m.pending_count, 4);
	append(&m, 0, QUEUE_RCPT_DELIVERED, "sent");
	append(&m, 2, QUEUE_RCPT_PENDING, "timed out");
	append(&m, 3, QUEUE_RCPT_EXPIRED, "too old");
	assert_int_equal(queue_journal_warned(queue, &m, &why), QUEUE_OK);
	assert_int_equal(queue_journal_expire(queue, &m, &why), QUEUE_OK);
	assert_int_equal(queue_journal_attempt(queue, &m, 5000000, &why), QUEUE_OK);
	check_outcomes(&m);
	queue_message_done(&m);
	assert_int_equal(
	    queue_message_open(queue, QUEUE_INCOMING, id, false, &m, &why), QUEUE_OK);
	check_outcomes(&m);
	assert_int_equal(queue_message_check_body(&m, &why), QUEUE_OK);
	remove_message(&m);
}

/* Who said so comes back, of the last attempt only, and cut where it is too long for a name. */
static void
test_remote_host(void **state)
{
	struct queue_journal_entry e = { 1, QUEUE_RCPT_TELL_RELAYED, 7, VIEW("2.0.0"),
		VIEW("ok"), VIEW("host mx.example.net[192.0.2.1]") };
	struct queue_message m;
	char id[QUEUE_ID_SIZE], host[400];
	const char *why = NULL;

	(void)state;
	memset(host, 'h', sizeof(host));
	put_message(QUEUE_INCOMING, 10, 3, id);
	open_for_journal(id, &m);
	assert_int_equal(queue_journal_append(queue, &m, &e, 1, false, &why), QUEUE_OK);
	e.recipient = 0;
	assert_int_equal(queue_journal_append(queue, &m, &e, 1, false, &why), QUEUE_OK);
	append(&m, 0, QUEUE_RCPT_PENDING, "later");
	e.recipient = 2;
	e.remote_host = (struct view){ host, sizeof(host) };
	assert_int_equal(queue_journal_append(queue, &m, &e, 1, false, &why), QUEUE_OK);
	queue_message_done(&m);
	open_for_journal(id, &m);
	assert_int_equal(m.status[1].state, QUEUE_RCPT_TELL_RELAYED);
	assert_true(view_eq(m.status[1].remote_host, VIEW("host mx.example.net[192.0.2.1]")));
	assert_int_equal(m.status[0].remote_host.n, 0);
	assert_int_equal(m.status[2].remote_host.n, 300);
	assert_int_equal(m.pending_count, 1);
	remove_message(&m);
}

static void
test_many_at_once(void **state)
{
	const uint32_t count = 1000;
	struct queue_journal_entry *entries = mem_zero(count, sizeof(*entries));
	struct queue_message m;
	char id[QUEUE_ID_SIZE];
	const char *why = NULL;

	(void)state;
	put_message(QUEUE_INCOMING, 10, count, id);
	for (uint32_t i = 0; i < count; i++)
		entries[i] = (struct queue_journal_entry){ i,
			i % 2 ? QUEUE_RCPT_DELIVERED : QUEUE_RCPT_PENDING, 1000 + i,
			VIEW("4.4.1"), VIEW("connect to example.net: timed out") };
	open_for_journal(id, &m);
	assert_int_equal(queue_journal_append(queue, &m, entries, count, true, &why), QUEUE_OK);
	assert_int_equal(m.pending_count, count / 2);
	queue_message_done(&m);
	open_for_journal(id, &m);
	assert_int_equal(m.pending_count, count / 2);
	for (uint32_t i = 0; i < count; i++)
		check_status(&m, i, entries[i].state, "connect to example.net: timed out");
	remove_message(&m);
	mem_free(entries);
}

static void
test_texts_are_cut(void **state)
{
	char *reason = mem_alloc(5000);
	struct queue_message m;
	char id[QUEUE_ID_SIZE];

	(void)state;
	memset(reason, 'r', 4999);
	reason[4999] = '\0';
	put_message(QUEUE_INCOMING, 10, 1, id);
	open_for_journal(id, &m);
	append(&m, 0, QUEUE_RCPT_PENDING, reason);
	assert_int_equal(m.status[0].reason.n, 1000);
	queue_message_done(&m);
	open_for_journal(id, &m);
	assert_int_equal(m.status[0].reason.n, 1000);
	remove_message(&m);
	mem_free(reason);
}

/* The file's time says when it is due, whatever is appended later. */
static void
test_due_is_kept(void **state)
{
	struct queue_message m;
	char id[QUEUE_ID_SIZE];
	const char *why = NULL;
	struct stat st;

	(void)state;
	put_message(QUEUE_INCOMING, 10, 1, id);
	open_for_journal(id, &m);
	assert_int_equal(
	    queue_journal_attempt(queue, &m, INT64_C(2000000000123456), &why), QUEUE_OK);
	append(&m, 0, QUEUE_RCPT_PENDING, "again");
	assert_int_equal(queue_journal_warned(queue, &m, &why), QUEUE_OK);
	assert_int_equal(fstat(m.fd, &st), 0);
	assert_int_equal(st.st_mtim.tv_sec, 2000000000);
	assert_int_equal(st.st_mtim.tv_nsec, 123456000);
	remove_message(&m);
}

/*
 * Cut the journal anywhere: the whole records before the cut count, and the next append takes
 * the place of the torn one.
 */
static void
test_torn(void **state)
{
	struct queue_message m;
	char id[QUEUE_ID_SIZE], whole[200];
	off_t start, second, end;

	(void)state;
	put_message(QUEUE_INCOMING, 10, 2, id);
	open_for_journal(id, &m);
	start = (off_t)m.journal_end;
	append(&m, 0, QUEUE_RCPT_DELIVERED, "sent");
	second = (off_t)m.journal_end;
	append(&m, 1, QUEUE_RCPT_PENDING, "a reason of some length");
	end = (off_t)m.journal_end;
	assert_true(file_pread_all(m.fd, whole, (size_t)(end - start), start));
	for (off_t cut = start; cut < end; cut++) {
		assert_true(file_pwrite_all(m.fd, whole, (size_t)(end - start), start));
		assert_int_equal(ftruncate(m.fd, cut), 0);
		queue_message_done(&m);
		open_for_journal(id, &m);
		check_status(&m, 0, cut >= second ? QUEUE_RCPT_DELIVERED : QUEUE_RCPT_PENDING,
		    cut >= second ? "sent" : "");
		check_status(&m, 1, QUEUE_RCPT_PENDING, "");
		assert_int_equal(m.journal_end, cut >= second ? second : start);
		append(&m, 1, QUEUE_RCPT_BOUNCED, "new");
		queue_message_done(&m);
		open_for_journal(id, &m);
		check_status(&m, 1, QUEUE_RCPT_BOUNCED, "new");
	}
	remove_message(&m);
}

/* Records behind a torn one stay dead when something of the same length takes its place. */
static void
test_stale_records_stay_dead(void **state)
{
	struct queue_message m;
	char id[QUEUE_ID_SIZE];
	off_t first;

	(void)state;
	put_message(QUEUE_INCOMING, 10, 2, id);
	open_for_journal(id, &m);
	first = (off_t)m.journal_end;
	append(&m, 0, QUEUE_RCPT_PENDING, "aaaa");
	append(&m, 1, QUEUE_RCPT_DELIVERED, "bbbb");
	assert_true(file_pwrite_all(m.fd, "?", 1, first + 20));
	queue_message_done(&m);
	open_for_journal(id, &m);
	assert_int_equal(m.journal_end, first);
	append(&m, 0, QUEUE_RCPT_PENDING, "cccc");
	queue_message_done(&m);
	open_for_journal(id, &m);
	check_status(&m, 0, QUEUE_RCPT_PENDING, "cccc");
	check_status(&m, 1, QUEUE_RCPT_PENDING, "");
	remove_message(&m);
}

/* Another message's journal, appended to this one, says nothing about it. */
static void
test_foreign_journal(void **state)
{
	char a[QUEUE_ID_SIZE], b[QUEUE_ID_SIZE], bytes[200];
	struct queue_message m;
	off_t start;
	size_t n;

	(void)state;
	put_message(QUEUE_INCOMING, 10, 1, a);
	put_message(QUEUE_INCOMING, 10, 1, b);
	open_for_journal(a, &m);
	start = (off_t)m.journal_end;
	append(&m, 0, QUEUE_RCPT_DELIVERED, "sent");
	n = (size_t)((off_t)m.journal_end - start);
	assert_true(n < sizeof(bytes));
	assert_true(file_pread_all(m.fd, bytes, n, start));
	remove_message(&m);
	open_for_journal(b, &m);
	assert_true(file_pwrite_all(m.fd, bytes, n, (off_t)m.journal_end));
	queue_message_done(&m);
	open_for_journal(b, &m);
	check_status(&m, 0, QUEUE_RCPT_PENDING, "");
	remove_message(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replay),
		cmocka_unit_test(test_remote_host),
		cmocka_unit_test(test_many_at_once),
		cmocka_unit_test(test_texts_are_cut),
		cmocka_unit_test(test_due_is_kept),
		cmocka_unit_test(test_torn),
		cmocka_unit_test(test_stale_records_stay_dead),
		cmocka_unit_test(test_foreign_journal),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
