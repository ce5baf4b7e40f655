/* SPDX-License-Identifier: Apache-2.0 */
/* What is committed comes back, and what is damaged never comes back as something else. */
#include "queue_fixture.h"

#include <sys/mman.h>

static void
check_body(const struct queue_message *m, const char *body, size_t n)
{
	struct queue_body_check check;
	char *back = mem_alloc(n);
	const char *why = NULL;

	assert_int_equal(m->body_length, n);
	assert_true(file_pread_all(m->fd, back, n, (off_t)m->body_offset));
	assert_memory_equal(back, body, n);
	queue_body_check_init(&check, m);
	for (size_t at = 0; at < n; at += 999)
		queue_body_check_update(
		    &check, (struct view){ back + at, n - at < 999 ? n - at : 999 });
	assert_true(queue_body_check_ok(&check));
	if (n) {
		back[n / 2] ^= 1;
		queue_body_check_init(&check, m);
		queue_body_check_update(&check, (struct view){ back, n });
		assert_false(queue_body_check_ok(&check));
		queue_body_check_init(&check, m);
		queue_body_check_update(&check, (struct view){ body, n - 1 });
		assert_false(queue_body_check_ok(&check));
	}
	queue_body_check_init(&check, m);
	queue_body_check_update(&check, (struct view){ body, n });
	queue_body_check_update(&check, VIEW("x"));
	assert_false(queue_body_check_ok(&check));
	assert_int_equal(queue_message_check_body(m, &why), QUEUE_OK);
	mem_free(back);
}

static void
check_recipients(const struct queue_message *m, unsigned count)
{
	struct queue_recipient r;
	char expected[64];
	size_t position = 0;
	unsigned n = 0;

	while (queue_message_recipient(m, &position, &r)) {
		snprintf(expected, sizeof(expected), "user%u@example.net", n);
		assert_true(view_eq(r.address, view_of(expected)));
		snprintf(expected, sizeof(expected), "alias%u@example.org", n);
		assert_true(view_eq(r.original, view_of(expected)));
		assert_int_equal(r.notify, n % 16);
		assert_int_equal(m->status[n].state, QUEUE_RCPT_PENDING);
		n++;
	}
	assert_int_equal(n, count);
	assert_int_equal(m->recipient_count, count);
	assert_int_equal(m->pending_count, count);
}

static void
round_trip(size_t n, unsigned recipients, enum queue_place place)
{
	struct queue_writer *w = queue_writer_new(queue, place);
	char header[sizeof(HEADER)] = "", id[QUEUE_ID_SIZE];
	char *body = make_body(n);
	struct queue_message m;
	const char *why = NULL;
	struct stat st;

	snprintf(id, sizeof(id), "%s", queue_writer_id(w));
	assert_int_equal(write_message(w, body, n, recipients, &why), QUEUE_OK);
	assert_int_equal(queue_writer_body_size(w), n);
	assert_int_equal(queue_message_open(queue, place, id, false, &m, &why), QUEUE_OK);
	assert_string_equal(m.id, id);
	assert_int_equal(m.place, place);
	assert_int_equal(m.arrival, queue_writer_arrival(w));
	queue_writer_free(&w);
	assert_int_equal(m.size, strlen(HEADER) + 2 + n);
	assert_int_equal(m.header_length, strlen(HEADER));
	assert_true(file_pread_all(m.fd, header, strlen(HEADER), (off_t)m.header_offset));
	assert_string_equal(header, HEADER);
	assert_true(view_eq(m.sender, VIEW("sender@example.com")));
	assert_true(view_eq(
	    queue_message_attribute(&m, VIEW("client_name")), VIEW("mail.example.com")));
	assert_int_equal(queue_message_attribute(&m, VIEW("helo_name")).n, 0);
	check_body(&m, body, n);
	check_recipients(&m, recipients);
	assert_int_equal(fstat(m.fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, m.journal_offset);
	queue_message_done(&m);
	assert_int_equal(queue_remove(queue, id, place, &why), QUEUE_OK);
	assert_int_equal(count_all_files(), 0);
	mem_free(body);
}

static void
test_round_trips(void **state)
{
	static const size_t sizes[] = { 0, 1, 2, 80, 3000, 3600, 4096, 65535, 65536, 65537,
		70000, 131072, 131073, 200000, 10000000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		round_trip(sizes[i], 1, i % 2 ? QUEUE_HOLD : QUEUE_INCOMING);
	round_trip(100, 0, QUEUE_INCOMING);
	round_trip(100, 1000, QUEUE_INCOMING);
	round_trip(100000, 1000, QUEUE_HOLD);
}

static void
test_empty_sender_and_odd_bytes(void **state)
{
	struct queue_writer *w = queue_writer_new(queue, QUEUE_INCOMING);
	struct queue_recipient r = { VIEW("a b\0c@d\r\n"), VIEW("\377"), VIEW("rfc822;x"), 0 };
	struct queue_recipient back;
	struct queue_message m;
	const char *why = NULL;
	size_t position = 0;
	uint64_t size;

	(void)state;
	queue_writer_sender(w, VIEW(""));
	queue_writer_attribute(w, VIEW("n"), VIEW("first"));
	queue_writer_recipient(w, &r);
	queue_writer_attribute(w, VIEW("n"), VIEW("last\0\n"));
	assert_int_equal(queue_writer_recipient_count(w), 1);
	assert_int_equal(queue_writer_commit(w, &size, &why), QUEUE_OK);
	assert_int_equal(size, 2);
	assert_int_equal(
	    queue_message_open(queue, QUEUE_INCOMING, queue_writer_id(w), false, &m, &why),
	    QUEUE_OK);
	assert_int_equal(m.sender.n, 0);
	assert_int_equal(m.header_length, 0);
	assert_true(view_eq(queue_message_attribute(&m, VIEW("n")), VIEW("last\0\n")));
	assert_true(queue_message_recipient(&m, &position, &back));
	assert_true(view_eq(back.address, r.address));
	assert_true(view_eq(back.original, r.original));
	assert_true(view_eq(back.dsn_orcpt, r.dsn_orcpt));
	assert_false(queue_message_recipient(&m, &position, &back));
	queue_message_done(&m);
	assert_int_equal(
	    queue_remove(queue, queue_writer_id(w), QUEUE_INCOMING, &why), QUEUE_OK);
	queue_writer_free(&w);
}

static void
test_flags(void **state)
{
	static const struct {
		const char *header, *body;
		unsigned flags;
	} cases[] = {
		{ "A: b\r\n", "", 0 },
		{ "A: b\r\n", "x\r\n", 0 },
		{ "A: b\r\n", "x", QUEUE_FLAG_NO_FINAL_CRLF },
		{ "A: b\r\n", ".x\r\n", QUEUE_FLAG_DOT_LINES },
		{ "A: b\r\n", "x\r\n.\r\ny\r\n", QUEUE_FLAG_DOT_LINES },
		{ ".A: b\r\n", "x\r\n", QUEUE_FLAG_DOT_LINES },
		{ "A: b\r\n", "\303\244\r\n", QUEUE_FLAG_8BIT },
		{ "A: \303\244\r\n", "x\r\n", QUEUE_FLAG_8BIT_HEADER },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct queue_writer *w = queue_writer_new(queue, QUEUE_INCOMING);
		struct queue_message m;
		const char *why = NULL;

		queue_writer_add_flags(w, QUEUE_FLAG_LOCAL);
		queue_writer_body(w, view_of(cases[i].body), &why);
		queue_writer_header(w, view_of(cases[i].header));
		queue_writer_sender(w, VIEW(""));
		assert_int_equal(queue_writer_commit(w, NULL, &why), QUEUE_OK);
		assert_int_equal(queue_message_open(queue, QUEUE_INCOMING, queue_writer_id(w),
				     false, &m, &why),
		    QUEUE_OK);
		assert_int_equal(m.flags, cases[i].flags | QUEUE_FLAG_LOCAL);
		queue_message_done(&m);
		queue_remove(queue, queue_writer_id(w), QUEUE_INCOMING, &why);
		queue_writer_free(&w);
	}
}

/* A place that is decided after the file was begun. */
static void
test_place_changed_late(void **state)
{
	static const size_t sizes[] = { 100, 200000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct queue_writer *w = queue_writer_new(queue, QUEUE_INCOMING);
		char *body = make_body(sizes[i]);
		struct queue_message m;
		const char *why = NULL;

		queue_writer_body(w, (struct view){ body, sizes[i] }, &why);
		queue_writer_set_place(w, QUEUE_HOLD);
		assert_int_equal(write_message(w, NULL, 0, 1, &why), QUEUE_OK);
		assert_int_equal(count_files(QUEUE_INCOMING), 0);
		assert_int_equal(
		    queue_message_open(queue, QUEUE_HOLD, queue_writer_id(w), false, &m, &why),
		    QUEUE_OK);
		check_body(&m, body, sizes[i]);
		queue_message_done(&m);
		queue_remove(queue, queue_writer_id(w), QUEUE_HOLD, &why);
		queue_writer_free(&w);
		mem_free(body);
	}
}

static void
test_nothing_left_without_commit(void **state)
{
	struct queue_writer *w = queue_writer_new(queue, QUEUE_INCOMING);
	char *body = make_body(100000);
	const char *why = NULL;

	(void)state;
	assert_false(queue_writer_would_write(w, 131072));
	assert_true(queue_writer_would_write(w, 131073));
	queue_writer_body(w, (struct view){ body, 100000 }, &why);
	assert_int_equal(count_files(QUEUE_INCOMING), 0);
	assert_false(queue_writer_would_write(w, 31072));
	assert_true(queue_writer_would_write(w, 31073));
	queue_writer_body(w, (struct view){ body, 100000 }, &why);
	assert_int_equal(count_files(QUEUE_INCOMING), 1);
	queue_writer_free(&w);
	assert_int_equal(count_files(QUEUE_INCOMING), 0);
	mem_free(body);
}

static void
test_commit_needs_a_sender(void **state)
{
	struct queue_writer *w = queue_writer_new(queue, QUEUE_INCOMING);
	const char *why = NULL;

	(void)state;
	assert_int_equal(queue_writer_commit(w, NULL, &why), QUEUE_ERROR);
	assert_non_null(why);
	assert_int_equal(count_all_files(), 0);
	queue_writer_free(&w);
}

/* While the writer works, nobody else sees a message or may call it a leftover. */
static void
test_busy_then_incomplete(void **state)
{
	struct queue_writer *w = queue_writer_new(queue, QUEUE_INCOMING);
	char *body = make_body(200000), id[QUEUE_ID_SIZE];
	struct queue_message m;
	const char *why = NULL;
	int fd;

	(void)state;
	snprintf(id, sizeof(id), "%s", queue_writer_id(w));
	queue_writer_body(w, (struct view){ body, 200000 }, &why);
	assert_int_equal(
	    queue_message_open(queue, QUEUE_INCOMING, id, false, &m, &why), QUEUE_BUSY);
	assert_int_equal(m.fd, -1);
	assert_int_equal(queue_remove_incomplete(queue, id, QUEUE_INCOMING, &why), QUEUE_BUSY);
	queue_writer_free(&w);

	/* What a killed writer leaves: body bytes behind a preamble of zeros; or nothing. */
	for (int with_body = 0; with_body < 2; with_body++) {
		fd = open(message_path(QUEUE_INCOMING, id), O_CREAT | O_EXCL | O_RDWR, 0600);
		assert_true(fd >= 0);
		if (with_body)
			assert_true(file_pwrite_all(fd, body, 200000, QUEUE_PREAMBLE_SIZE));
		close(fd);
		assert_int_equal(queue_message_open(queue, QUEUE_INCOMING, id, false, &m, &why),
		    QUEUE_INCOMPLETE);
		assert_int_equal(
		    queue_remove_incomplete(queue, id, QUEUE_INCOMING, &why), QUEUE_OK);
		assert_int_equal(count_all_files(), 0);
	}
	assert_int_equal(queue_remove_incomplete(queue, id, QUEUE_INCOMING, &why), QUEUE_GONE);
	put_message(QUEUE_INCOMING, 10, 1, id);
	assert_int_equal(queue_remove_incomplete(queue, id, QUEUE_INCOMING, &why), QUEUE_ERROR);
	assert_int_equal(queue_remove(queue, id, QUEUE_INCOMING, &why), QUEUE_OK);
	mem_free(body);
}

static void
test_not_a_message(void **state)
{
	char id[QUEUE_ID_SIZE];
	struct queue_message m;
	const char *why = NULL;

	(void)state;
	queue_id_new(1, id);
	assert_int_equal(
	    queue_message_open(queue, QUEUE_HOLD, id, false, &m, &why), QUEUE_GONE);
	assert_int_equal(
	    queue_message_open(queue, QUEUE_HOLD, "../incoming", false, &m, &why), QUEUE_GONE);
	assert_int_equal(symlink("/etc/passwd", message_path(QUEUE_HOLD, id)), 0);
	assert_int_equal(
	    queue_message_open(queue, QUEUE_HOLD, id, false, &m, &why), QUEUE_DAMAGED);
	assert_int_equal(queue_remove(queue, id, QUEUE_HOLD, &why), QUEUE_OK);
	assert_int_equal(mkfifo(message_path(QUEUE_HOLD, id), 0600), 0);
	assert_int_equal(
	    queue_message_open(queue, QUEUE_HOLD, id, false, &m, &why), QUEUE_DAMAGED);
	assert_int_equal(queue_remove(queue, id, QUEUE_HOLD, &why), QUEUE_OK);
}

/* A file under the name of another message is not that message. */
static void
test_other_name(void **state)
{
	char id[QUEUE_ID_SIZE], other[QUEUE_ID_SIZE], from[128];
	struct queue_message m;
	const char *why = NULL;

	(void)state;
	put_message(QUEUE_HOLD, 10, 1, id);
	queue_id_new(1, other);
	strcpy(from, message_path(QUEUE_HOLD, id));
	assert_int_equal(rename(from, message_path(QUEUE_HOLD, other)), 0);
	assert_int_equal(
	    queue_message_open(queue, QUEUE_HOLD, other, false, &m, &why), QUEUE_DAMAGED);
	assert_int_equal(queue_remove(queue, other, QUEUE_HOLD, &why), QUEUE_OK);
}

/* ---- damage ---- */

struct sample {
	unsigned char *bytes;
	size_t n;
	char id[QUEUE_ID_SIZE];
	size_t envelope_offset, journal_offset;
};

/* A message with two recipients and two journal records. */
static void
make_sample(struct sample *s)
{
	const struct queue_journal_entry entries[] = {
		{ 0, QUEUE_RCPT_DELIVERED, 1000, VIEW("2.0.0"), VIEW("delivered") },
		{ 1, QUEUE_RCPT_PENDING, 2000, VIEW("4.4.1"), VIEW("timed out") },
	};
	struct queue_message m;
	const char *why = NULL;
	struct stat st;

	put_message(QUEUE_INCOMING, 100, 2, s->id);
	assert_int_equal(
	    queue_message_open(queue, QUEUE_INCOMING, s->id, true, &m, &why), QUEUE_OK);
	assert_int_equal(queue_journal_append(queue, &m, entries, 2, true, &why), QUEUE_OK);
	assert_int_equal(fstat(m.fd, &st), 0);
	s->n = (size_t)st.st_size;
	s->bytes = mem_alloc(s->n);
	assert_true(file_pread_all(m.fd, s->bytes, s->n, 0));
	s->envelope_offset = m.envelope_offset;
	s->journal_offset = m.journal_offset;
	queue_message_done(&m);
	queue_remove(queue, s->id, QUEUE_INCOMING, &why);
}

static enum queue_result
open_bytes(const struct sample *s, size_t n, struct queue_message *m)
{
	int fd = memfd_create("sample", MFD_CLOEXEC);
	const char *why = NULL;

	assert_true(fd >= 0);
	assert_true(file_pwrite_all(fd, s->bytes, n, 0));
	return queue_message_from_fd(fd, s->id, m, &why);
}

/* The original envelope, and a body that is right or known to be wrong. */
static void
check_same(const struct sample *s, struct queue_message *m, bool body_is_right)
{
	struct queue_recipient r;
	const char *why = NULL;
	size_t position = 0;

	assert_string_equal(m->id, s->id);
	assert_true(view_eq(m->sender, VIEW("sender@example.com")));
	assert_int_equal(m->recipient_count, 2);
	assert_true(queue_message_recipient(m, &position, &r));
	assert_true(view_eq(r.address, VIEW("user0@example.net")));
	assert_true(queue_message_recipient(m, &position, &r));
	assert_true(view_eq(r.address, VIEW("user1@example.net")));
	assert_false(queue_message_recipient(m, &position, &r));
	assert_int_equal(
	    queue_message_check_body(m, &why), body_is_right ? QUEUE_OK : QUEUE_DAMAGED);
	/* The second was never delivered, and nothing may say so. */
	assert_int_equal(m->status[1].state, QUEUE_RCPT_PENDING);
}

static void
test_every_bit(void **state)
{
	struct queue_message m;
	struct sample s;

	(void)state;
	make_sample(&s);
	for (size_t bit = 0; bit < s.n * 8; bit++) {
		size_t at = bit / 8;
		bool in_body = at >= QUEUE_PREAMBLE_SIZE && at < QUEUE_PREAMBLE_SIZE + 100;
		enum queue_result r;

		s.bytes[at] ^= (unsigned char)(1 << bit % 8);
		r = open_bytes(&s, s.n, &m);
		if (in_body || at >= s.journal_offset) {
			assert_int_equal(r, QUEUE_OK);
			check_same(&s, &m, !in_body);
			/* The first record is there unless it was the one. */
			if (in_body)
				assert_int_equal(m.status[0].state, QUEUE_RCPT_DELIVERED);
			queue_message_done(&m);
		} else {
			assert_int_equal(r, QUEUE_DAMAGED);
			assert_int_equal(m.fd, -1);
		}
		s.bytes[at] ^= (unsigned char)(1 << bit % 8);
	}
	mem_free(s.bytes);
}

static void
test_every_length(void **state)
{
	struct queue_message m;
	struct sample s;

	(void)state;
	make_sample(&s);
	for (size_t n = 0; n <= s.n; n++) {
		enum queue_result r = open_bytes(&s, n, &m);

		if (n == 0) {
			assert_int_equal(r, QUEUE_INCOMPLETE);
		} else if (n < s.journal_offset) {
			assert_int_equal(r, QUEUE_DAMAGED);
		} else {
			assert_int_equal(r, QUEUE_OK);
			check_same(&s, &m, true);
			assert_int_equal(m.pending_count, n == s.n || m.status[0].when ? 1 : 2);
			queue_message_done(&m);
		}
	}
	mem_free(s.bytes);
}

/* Whole pages of zeros, as a crash may leave them: never a message unless in body or journal.
 */
static void
test_zeroed_parts(void **state)
{
	struct queue_message m;
	struct sample s;

	(void)state;
	make_sample(&s);
	for (size_t from = 0; from < s.n; from += 16) {
		unsigned char saved[16];
		size_t n = s.n - from < 16 ? s.n - from : 16;

		memcpy(saved, s.bytes + from, n);
		memset(s.bytes + from, 0, n);
		if (memcmp(saved, s.bytes + from, n) != 0 &&
		    open_bytes(&s, s.n, &m) == QUEUE_OK) {
			assert_true(from + n > QUEUE_PREAMBLE_SIZE);
			assert_true(
			    from < QUEUE_PREAMBLE_SIZE + 100 || from + n > s.journal_offset);
			check_same(&s, &m, from >= QUEUE_PREAMBLE_SIZE + 100);
			queue_message_done(&m);
		}
		memcpy(s.bytes + from, saved, n);
	}
	memset(s.bytes, 0, QUEUE_PREAMBLE_SIZE);
	assert_int_equal(open_bytes(&s, s.n, &m), QUEUE_INCOMPLETE);
	mem_free(s.bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_empty_sender_and_odd_bytes),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_place_changed_late),
		cmocka_unit_test(test_nothing_left_without_commit),
		cmocka_unit_test(test_commit_needs_a_sender),
		cmocka_unit_test(test_busy_then_incomplete),
		cmocka_unit_test(test_not_a_message),
		cmocka_unit_test(test_other_name),
		cmocka_unit_test(test_every_bit),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_zeroed_parts),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
