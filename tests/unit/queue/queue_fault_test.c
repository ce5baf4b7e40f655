/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each system call of each operation fails in turn, in each way it can. Afterwards the result
 * is the right one, nothing is left behind, and no descriptor was synced again after a failed
 * sync (attacks T55, T56).
 */
#include "intercept.h"

enum { SHORT_WRITE = -1 };

static unsigned fail_at; /* the call with this number, from 1; 0: none */
static int fail_with;    /* an errno, or SHORT_WRITE */
static unsigned calls;   /* so far */
static bool failed;      /* it happened */
static bool is_killed;   /* nor does any later call do anything */
static enum call_kind failed_kind;
static enum call_kind also_fails = CALL_KINDS; /* every call of this kind */
static bool sync_failed_on[1024];
static unsigned seen[CALL_KINDS];

static bool
call_before(struct call *c, long *result)
{
	seen[c->kind]++;
	if (c->kind == CALL_FSYNC)
		assert_false(sync_failed_on[c->fd]);
	if (c->kind == CALL_CLOSE)
		sync_failed_on[c->fd] = false;
	if (++calls != fail_at && c->kind != also_fails && !(is_killed && failed))
		return false;
	if (calls == fail_at) {
		failed = true;
		failed_kind = c->kind;
	}
	if (fail_with == SHORT_WRITE && c->kind == CALL_PWRITE) {
		*result = syscall(SYS_pwrite64, c->fd, c->data, (c->n + 1) / 2, c->at);
		return true;
	}
	if (fail_with == SHORT_WRITE)
		return false;
	if (c->kind == CALL_CLOSE) /* Linux has closed it all the same */
		syscall(SYS_close, c->fd);
	if (c->kind == CALL_FSYNC)
		sync_failed_on[c->fd] = true;
	errno = fail_with;
	*result = -1;
	return true;
}

static const char *cleared; /* the file that somebody removes as soon as it was made */

static void
call_after(const struct call *c, long result)
{
	const char *why = NULL, *id = cleared;

	(void)result;
	if (!id || c->kind != CALL_OPENAT)
		return;
	cleared = NULL;
	assert_int_equal(queue_remove_incomplete(queue, id, QUEUE_HOLD, &why), QUEUE_OK);
}

static void
arm(unsigned n, int with)
{
	fail_at = n;
	fail_with = with;
	calls = 0;
	failed = false;
	memset(sync_failed_on, 0, sizeof(sync_failed_on));
	memset(seen, 0, sizeof(seen));
	intercept_on();
}

/* What a call that fails so should make of the operation. */
static enum queue_result
expected_result(int with)
{
	if (!failed || with == SHORT_WRITE || failed_kind == CALL_CLOSE ||
	    failed_kind == CALL_TIMES)
		return QUEUE_OK;
	if (with == EINTR && failed_kind != CALL_FSYNC && failed_kind != CALL_FSTAT &&
	    failed_kind != CALL_RENAME)
		return QUEUE_OK;
	return with == ENOSPC || with == EDQUOT || with == EFBIG ? QUEUE_NO_SPACE : QUEUE_ERROR;
}

static void
check_committed(const char *id, enum queue_place place, size_t n)
{
	struct queue_message m;
	const char *why = NULL;

	assert_int_equal(queue_message_open(queue, place, id, false, &m, &why), QUEUE_OK);
	assert_int_equal(m.body_length, n);
	assert_int_equal(queue_message_check_body(&m, &why), QUEUE_OK);
	queue_message_done(&m);
	assert_int_equal(queue_remove(queue, id, place, &why), QUEUE_OK);
}

static const int errors[] = { EIO, ENOSPC, EDQUOT, EFBIG, EINTR, EROFS, SHORT_WRITE };

static void
commit_with_faults(size_t n, enum queue_place late_place)
{
	char *body = make_body(n);

	for (size_t e = 0; e < ARRAY_LEN(errors); e++) {
		unsigned at = 0;

		do {
			struct queue_writer *w = queue_writer_new(queue, QUEUE_INCOMING);
			enum queue_result r = QUEUE_OK;
			const char *why = NULL;

			arm(++at, errors[e]);
			if (n)
				r = queue_writer_body(w, (struct view){ body, n }, &why);
			queue_writer_set_place(w, late_place);
			/* A caller that overlooks a failure hears of it again. */
			(void)r;
			r = write_message(w, NULL, 0, 3, &why);
			intercept_off();
			assert_int_equal(r, expected_result(errors[e]));
			if (r == QUEUE_OK) {
				check_committed(queue_writer_id(w), late_place, n);
			} else {
				assert_non_null(why);
				/* Before the writer is freed, too. */
				assert_int_equal(count_all_files(), 0);
			}
			queue_writer_free(&w);
			assert_int_equal(count_all_files(), 0);
		} while (failed);
		assert_true(at > 5);
	}
	mem_free(body);
}

static void
test_small_commit(void **state)
{
	(void)state;
	commit_with_faults(0, QUEUE_INCOMING);
	commit_with_faults(1000, QUEUE_INCOMING);
	commit_with_faults(20000, QUEUE_INCOMING);
}

static void
test_large_commit(void **state)
{
	(void)state;
	commit_with_faults(200000, QUEUE_INCOMING);
	commit_with_faults(200000, QUEUE_HOLD);
}

/* ---- slots ---- */

static void
reopen_with_slots(void)
{
	const char *why = NULL;

	queue_close(&queue);
	queue = queue_open(fixture_dir, true, &why);
	assert_non_null(queue);
	assert_true(queue_slots_claim(queue, &why));
}

/* After a fault the next message gets through all the same, in a slot or in a file. */
static void
test_slot_commit(void **state)
{
	static const size_t sizes[] = { 1000, 20000 };
	char id[QUEUE_ID_SIZE];
	const char *why = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes) * ARRAY_LEN(errors); i++) {
		size_t n = sizes[i % ARRAY_LEN(sizes)];
		int error = errors[i / ARRAY_LEN(sizes)];
		char *body = make_body(n);
		unsigned at = 0;

		do {
			struct queue_writer *w;
			enum queue_result r;

			reopen_with_slots();
			put_message(QUEUE_INCOMING, 1, 1, id);
			queue_remove(queue, id, QUEUE_INCOMING, &why);
			w = queue_writer_new(queue, QUEUE_INCOMING);
			arm(++at, error);
			r = write_message(w, body, n, 1, &why);
			intercept_off();
			assert_int_equal(r, expected_result(error));
			if (r == QUEUE_OK)
				check_committed(queue_writer_id(w), QUEUE_INCOMING, n);
			queue_writer_free(&w);
			assert_int_equal(count_all_files(), 0);
			put_message(QUEUE_INCOMING, n, 1, id);
			check_committed(id, QUEUE_INCOMING, n);
		} while (failed);
		assert_true(at > (n > 4000 ? 3 : 2));
		mem_free(body);
	}
}

/* Whatever fails, the message is in one place, or for a moment in both. */
static void
test_slot_move(void **state)
{
	(void)state;
	for (size_t e = 0; e < ARRAY_LEN(errors); e++) {
		unsigned at = 0;

		do {
			char id[QUEUE_ID_SIZE];
			enum queue_place place;
			enum queue_result r;
			const char *why = NULL;

			reopen_with_slots();
			put_message(QUEUE_INCOMING, 10, 1, id);
			arm(++at, errors[e]);
			r = queue_move(queue, id, QUEUE_INCOMING, QUEUE_DEFERRED, &why);
			intercept_off();
			assert_true(queue_find(queue, id, &place));
			if (r == QUEUE_OK)
				assert_int_equal(place, QUEUE_DEFERRED);
			else
				assert_true(failed);
			queue_slots_recover(queue);
			assert_int_equal(count_all_files(), 1);
			assert_true(queue_find(queue, id, &place));
			check_committed(id, place, 10);
		} while (failed);
		assert_true(at > 7);
	}
}

/*
 * Killed at each call of a move, or while it gets a file for its journal. The next process
 * finds the message once, whole, whatever is in its way, and brings the move to its end.
 */
static void
test_slot_move_killed(void **state)
{
	static const enum queue_place places[] = { QUEUE_DEFERRED, QUEUE_INCOMING };
	const struct queue_journal_entry e = { 0, QUEUE_RCPT_PENDING, 1, VIEW("4.0.0"),
		VIEW("later") };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		unsigned at = 0;

		do {
			char id[QUEUE_ID_SIZE];
			struct queue_message m;
			const char *why = NULL;

			reopen_with_slots();
			put_message(QUEUE_INCOMING, 10, 1, id);
			is_killed = true;
			arm(++at, EIO);
			if (places[i] == QUEUE_DEFERRED)
				queue_move(queue, id, QUEUE_INCOMING, QUEUE_DEFERRED, &why);
			else if (queue_message_open(
				     queue, QUEUE_INCOMING, id, true, &m, &why) == QUEUE_OK)
				queue_message_done(&m);
			is_killed = false;
			intercept_off();
			reopen_with_slots();
			queue_slots_recover(queue);
			if (queue_message_open(queue, QUEUE_DEFERRED, id, false, &m, &why) ==
			    QUEUE_OK) {
				queue_message_done(&m);
			} else {
				assert_int_equal(queue_message_open(queue, QUEUE_INCOMING, id,
						     false, &m, &why),
				    QUEUE_OK);
				queue_message_done(&m);
				assert_int_equal(queue_message_open(
						     queue, QUEUE_INCOMING, id, true, &m, &why),
				    QUEUE_OK);
				assert_int_equal(
				    queue_journal_append(queue, &m, &e, 1, true, &why),
				    QUEUE_OK);
				queue_message_done(&m);
				if (places[i] == QUEUE_DEFERRED)
					assert_int_equal(queue_move(queue, id, QUEUE_INCOMING,
							     QUEUE_DEFERRED, &why),
					    QUEUE_OK);
			}
			check_committed(id, places[i], 10);
			assert_int_equal(count_all_files(), 0);
		} while (failed);
		assert_true(at > 7);
	}
}

/* Whoever clears hold at that moment must not take the message away with the empty file. */
static void
test_slot_move_meets_clearing(void **state)
{
	char id[QUEUE_ID_SIZE];
	const char *why = NULL;

	(void)state;
	reopen_with_slots();
	put_message(QUEUE_INCOMING, 10, 1, id);
	arm(0, 0);
	cleared = id;
	assert_int_equal(queue_move(queue, id, QUEUE_INCOMING, QUEUE_HOLD, &why), QUEUE_OK);
	intercept_off();
	assert_null(cleared);
	check_committed(id, QUEUE_HOLD, 10);
	assert_int_equal(count_all_files(), 0);
}

/* A small message in a slot: data and nothing else. */
static void
test_slot_is_cheap(void **state)
{
	char id[QUEUE_ID_SIZE];
	const char *why = NULL;

	(void)state;
	reopen_with_slots();
	put_message(QUEUE_INCOMING, 1, 1, id);
	queue_remove(queue, id, QUEUE_INCOMING, &why);
	arm(0, 0);
	put_message(QUEUE_INCOMING, 4000, 1, id);
	intercept_off();
	assert_int_equal(seen[CALL_PWRITE], 2);
	assert_int_equal(seen[CALL_FSYNC], 1);
	assert_int_equal(calls, 3);
	assert_int_equal(count_files(QUEUE_INCOMING), 1); /* now it is known where it is */
	arm(0, 0);
	assert_int_equal(queue_remove(queue, id, QUEUE_INCOMING, &why), QUEUE_OK);
	intercept_off();
	assert_int_equal(calls, 1);
}

/* No more system calls than it takes. */
static void
test_commit_is_cheap(void **state)
{
	static const struct {
		size_t body;
		unsigned writes;
	} cases[] = { { 1000, 1 }, { 4000, 2 }, { 60000, 2 } };
	char id[QUEUE_ID_SIZE];
	const char *why = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		arm(0, 0);
		put_message(QUEUE_INCOMING, cases[i].body, 1, id);
		intercept_off();
		assert_int_equal(seen[CALL_OPENAT], 1);
		assert_int_equal(seen[CALL_PWRITE], cases[i].writes);
		assert_int_equal(seen[CALL_FSYNC], 2); /* file, directory */
		assert_int_equal(calls, 6 + cases[i].writes);
		queue_remove(queue, id, QUEUE_INCOMING, &why);
	}
}

/* The disk fails, and then the file cannot even be removed: it must not be a message. */
static void
test_unlink_fails_too(void **state)
{
	struct queue_writer *w = queue_writer_new(queue, QUEUE_INCOMING);
	char id[QUEUE_ID_SIZE];
	struct queue_message m;
	const char *why = NULL;

	(void)state;
	snprintf(id, sizeof(id), "%s", queue_writer_id(w));
	arm(5, EIO); /* open, flock, fstat, write, fsync */
	also_fails = CALL_UNLINK;
	assert_int_equal(write_message(w, NULL, 0, 1, &why), QUEUE_ERROR);
	assert_int_equal(failed_kind, CALL_FSYNC);
	assert_string_equal(why, "fsync: Input/output error");
	queue_writer_free(&w);
	also_fails = CALL_KINDS;
	intercept_off();
	assert_int_equal(
	    queue_message_open(queue, QUEUE_INCOMING, id, false, &m, &why), QUEUE_INCOMPLETE);
	assert_int_equal(queue_remove_incomplete(queue, id, QUEUE_INCOMING, &why), QUEUE_OK);
}

/* The message is in exactly one place whatever fails, and GONE or OK is never a lie. */
static void
test_move(void **state)
{
	(void)state;
	for (size_t e = 0; e < ARRAY_LEN(errors); e++) {
		unsigned at = 0;

		do {
			char id[QUEUE_ID_SIZE];
			enum queue_place place;
			enum queue_result r;
			const char *why = NULL;

			put_message(QUEUE_INCOMING, 10, 1, id);
			arm(++at, errors[e]);
			r = queue_move(queue, id, QUEUE_INCOMING, QUEUE_DEFERRED, &why);
			intercept_off();
			assert_int_equal(r, expected_result(errors[e]));
			assert_int_equal(count_all_files(), 1);
			assert_true(queue_find(queue, id, &place));
			if (r == QUEUE_OK)
				assert_int_equal(place, QUEUE_DEFERRED);
			check_committed(id, place, 10);
		} while (failed);
	}
}

/*
 * An append that fails changes nothing in memory; on disk there is what was there before, or
 * more, and never something else. After a failed sync there are no more appends.
 */
static void
test_journal(void **state)
{
	const struct queue_journal_entry entries[] = {
		{ 0, QUEUE_RCPT_DELIVERED, 1, VIEW("2.0.0"), VIEW("sent") },
		{ 1, QUEUE_RCPT_PENDING, 1, VIEW("4.0.0"), VIEW("later") },
	};

	(void)state;
	for (size_t e = 0; e < ARRAY_LEN(errors); e++) {
		unsigned at = 0;

		do {
			struct queue_message m;
			char id[QUEUE_ID_SIZE];
			enum queue_result r;
			const char *why = NULL;

			put_message(QUEUE_INCOMING, 10, 2, id);
			assert_int_equal(
			    queue_message_open(queue, QUEUE_INCOMING, id, true, &m, &why),
			    QUEUE_OK);
			assert_int_equal(
			    queue_journal_attempt(queue, &m, 7000000, &why), QUEUE_OK);
			arm(++at, errors[e]);
			r = queue_journal_append(queue, &m, entries, 2, true, &why);
			intercept_off();
			assert_int_equal(r, expected_result(errors[e]));
			assert_int_equal(m.pending_count, r == QUEUE_OK ? 1 : 2);
			if (r != QUEUE_OK && failed_kind == CALL_FSYNC)
				assert_int_equal(
				    queue_journal_warned(queue, &m, &why), QUEUE_ERROR);
			else
				assert_int_equal(
				    queue_journal_warned(queue, &m, &why), QUEUE_OK);
			queue_message_done(&m);
			assert_int_equal(
			    queue_message_open(queue, QUEUE_INCOMING, id, false, &m, &why),
			    QUEUE_OK);
			assert_int_equal(m.attempts, 1);
			assert_int_equal(m.status[1].state, QUEUE_RCPT_PENDING);
			if (r == QUEUE_OK)
				assert_int_equal(m.status[0].state, QUEUE_RCPT_DELIVERED);
			queue_message_done(&m);
			check_committed(id, QUEUE_INCOMING, 10);
		} while (failed);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small_commit),
		cmocka_unit_test(test_large_commit),
		cmocka_unit_test(test_commit_is_cheap),
		cmocka_unit_test(test_unlink_fails_too),
		cmocka_unit_test(test_move),
		cmocka_unit_test(test_journal),
		cmocka_unit_test(test_slot_commit), /* from here on the queue has slots */
		cmocka_unit_test(test_slot_move),
		cmocka_unit_test(test_slot_move_killed),
		cmocka_unit_test(test_slot_move_meets_clearing),
		cmocka_unit_test(test_slot_is_cheap),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
