/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index: what it holds of a message, its orders, growth, what a second process sees, and
 * which of the indexes that a kill, a loss of power, a restored backup or damage leave behind
 * are believed.
 */
#include "queue_fixture.h"

#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "queue/index.h"
#include "queue/index_private.h"

#define DUE 1700000000000000

static struct queue_index *
open_index(bool fresh, enum index_trust expected)
{
	enum index_trust trust = INDEX_EMPTY;
	const char *why = NULL;
	struct queue_index *x = queue_index_open(queue, fixture_dir, fresh, &trust, &why);

	if (!x)
		fail_msg("%s", why);
	assert_int_equal(trust, expected);
	return x;
}

static void
complete(struct queue_index *x)
{
	const char *why;

	assert_true(queue_index_set_complete(x, true, &why));
}

static void
make_id(char id[QUEUE_ID_SIZE], unsigned number)
{
	static const char digits[] = "BCDFGHJKLM";

	snprintf(id, QUEUE_ID_SIZE, "4bcdfg0000zXXXXXXXX");
	for (int i = 18; i > 10; i--, number /= 10)
		id[i] = digits[number % 10];
}

/* Writes and opens a real one: sender, recipients, what became of them. */
static void
make_message(struct queue_message *m, const char *sender, const char *const *recipients,
    const char *reason)
{
	struct queue_writer *w = queue_writer_new(queue, QUEUE_HOLD);
	char id[QUEUE_ID_SIZE];
	const char *why = NULL;
	size_t count = 0;

	queue_writer_body(w, VIEW("text\r\n"), &why);
	queue_writer_header(w, VIEW(HEADER));
	queue_writer_sender(w, view_of(sender));
	for (; recipients[count]; count++) {
		struct queue_recipient r = { .address = view_of(recipients[count]),
			.original = view_of(recipients[count]) };

		queue_writer_recipient(w, &r);
	}
	memcpy(id, queue_writer_id(w), QUEUE_ID_SIZE);
	assert_int_equal(queue_writer_commit(w, NULL, &why), QUEUE_OK);
	queue_writer_free(&w);
	assert_int_equal(queue_message_open(queue, QUEUE_HOLD, id, true, m, &why), QUEUE_OK);
	for (uint32_t i = 0; reason && i < count; i++) {
		struct queue_journal_entry e = { i, QUEUE_RCPT_PENDING, DUE, VIEW("4.4.1"),
			view_of(reason) };

		assert_int_equal(queue_journal_append(queue, m, &e, 1, false, &why), QUEUE_OK);
	}
}

static void
put(struct queue_index *x, const char *id, struct view value)
{
	struct index_change c = { .op = INDEX_PUT, .value = BUF_INIT(INDEX_VALUE_MAX) };
	struct index_change *list = &c;
	const char *why = NULL;

	memcpy(c.id, id, strlen(id) + 1);
	buf_append_view(&c.value, value);
	if (!queue_index_apply(x, &list, 1, &why))
		fail_msg("%s", why);
	buf_done(&c.value);
}

static void
apply(struct queue_index *x, enum index_op op, const char *id, enum queue_place place,
    microseconds due)
{
	struct index_change c = { .op = op, .place = place, .due = due }, *list = &c;
	const char *why;

	memcpy(c.id, id, strlen(id) + 1);
	assert_true(queue_index_apply(x, &list, 1, &why));
}

/* An entry of its own for each number. */
static void
put_number(struct queue_index *x, struct queue_message *m, unsigned number, microseconds due)
{
	struct buf value = BUF_INIT(INDEX_VALUE_MAX);
	char id[QUEUE_ID_SIZE];

	make_id(id, number);
	index_entry_encode(m, QUEUE_DEFERRED, due, &value);
	put(x, id, buf_view(&value));
	buf_done(&value);
}

static size_t
due_until(struct queue_index *x, microseconds until, struct index_due *out, size_t max,
    microseconds *next)
{
	const char *why = NULL;
	size_t count;

	if (!queue_index_due(x, NULL, until, out, max, &count, next, &why))
		fail_msg("%s", why);
	return count;
}

static uint64_t
count_of(struct queue_index *x)
{
	uint64_t n = 0;
	const char *why;

	assert_true(queue_index_count(x, &n, &why));
	return n;
}

static const char *const two[] = { "a@One.example", "b@two.example", NULL };

/* ---- entries ---- */

static void
test_entry_says_what_the_message_is(void **state)
{
	struct index_entry *e = NEW(struct index_entry);
	struct buf value = BUF_INIT(INDEX_VALUE_MAX);
	struct queue_message m;

	(void)state;
	make_message(&m, "from@example.org", two, "nobody there");
	index_entry_encode(&m, QUEUE_DEFERRED, DUE, &value);
	assert_true(index_entry_decode(buf_view(&value), e));
	assert_int_equal(e->place, QUEUE_DEFERRED);
	assert_int_equal(e->due, DUE);
	assert_int_equal(e->arrival, m.arrival);
	assert_int_equal(e->size, m.size);
	assert_int_equal(e->pending, 2);
	assert_false(e->partial || e->more_domains || e->forced_expire);
	assert_true(view_eq(e->sender, VIEW("from@example.org")));
	assert_int_equal(e->count, 2);
	assert_true(view_eq(e->recipients[0].address, VIEW("a@One.example")));
	assert_int_equal(e->recipients[0].original.n, 0);
	assert_true(view_eq(e->recipients[1].reason, VIEW("nobody there")));
	assert_int_equal(e->domain_count, 2);
	assert_true(view_eq(e->domains[0], VIEW("one.example")));
	assert_true(view_eq(e->domains[1], VIEW("two.example")));
	queue_message_done(&m);
	buf_done(&value);
	mem_free(e);
}

static void
test_entry_of_many_recipients_is_partial(void **state)
{
	struct index_entry *e = NEW(struct index_entry);
	struct buf value = BUF_INIT(INDEX_VALUE_MAX);
	const char *recipients[301];
	struct queue_message m;

	(void)state;
	for (unsigned i = 0; i < 300; i++)
		recipients[i] = mem_printf("user@d%u.example", i);
	recipients[300] = NULL;
	make_message(&m, "", recipients, NULL);
	index_entry_encode(&m, QUEUE_HOLD, 0, &value);
	assert_true(value.len <= INDEX_VALUE_MAX && !value.overflow);
	assert_true(index_entry_decode(buf_view(&value), e));
	assert_int_equal(e->pending, 300);
	assert_true(e->partial && e->more_domains);
	assert_true(e->count > 0 && e->count < 300);
	queue_message_done(&m);
	buf_done(&value);
	mem_free(e);
	for (unsigned i = 0; i < 300; i++)
		mem_free((char *)recipients[i]);
}

/* No cut and no changed byte passes for an entry. */
static void
test_damaged_entries(void **state)
{
	struct index_entry *e = NEW(struct index_entry);
	struct buf value = BUF_INIT(INDEX_VALUE_MAX);
	struct queue_message m;

	(void)state;
	make_message(&m, "from@example.org", two, "nobody there");
	index_entry_encode(&m, QUEUE_DEFERRED, DUE, &value);
	for (size_t n = 0; n < value.len; n++) {
		assert_false(index_entry_decode(view_sub(buf_view(&value), 0, n), e));
		value.data[n] ^= 0x20;
		assert_false(index_entry_decode(buf_view(&value), e));
		value.data[n] ^= 0x20;
	}
	assert_true(index_entry_set_due(&value, DUE + 5));
	assert_true(index_entry_decode(buf_view(&value), e));
	assert_int_equal(e->due, DUE + 5);
	queue_message_done(&m);
	buf_done(&value);
	mem_free(e);
}

/* ---- orders ---- */

static void
test_due_order_and_changes(void **state)
{
	struct queue_index *x = open_index(false, INDEX_EMPTY);
	struct index_due due[10];
	microseconds next;
	struct queue_message m;
	char id[QUEUE_ID_SIZE];

	(void)state;
	make_message(&m, "", two, NULL);
	for (unsigned i = 0; i < 5; i++)
		put_number(x, &m, i, DUE + 100 - i);
	assert_int_equal(due_until(x, DUE + 98, due, 10, &next), 3);
	for (unsigned i = 0; i < 3; i++) {
		make_id(id, 4 - i);
		assert_string_equal(due[i].id, id);
		assert_int_equal(due[i].due, DUE + 96 + i);
	}
	assert_int_equal(next, DUE + 99);
	assert_int_equal(due_until(x, DUE + 98, due, 2, &next), 2);
	assert_int_equal(next, DUE + 98);
	/* A later due time takes it out of its old place. */
	apply(x, INDEX_SET_DUE, due[0].id, 0, DUE + 500);
	apply(x, INDEX_REMOVE, due[1].id, QUEUE_DEFERRED, 0);
	assert_int_equal(due_until(x, DUE + 98, due, 10, &next), 1);
	/* Held mail is never due, and a removal from elsewhere removes nothing. */
	apply(x, INDEX_REMOVE, due[0].id, QUEUE_HOLD, 0);
	assert_int_equal(count_of(x), 4);
	assert_int_equal(due_until(x, INT64_MAX, due, 10, &next), 4);
	assert_int_equal(due[3].due, DUE + 500);
	assert_int_equal(next, INT64_MAX);
	queue_message_done(&m);
	queue_index_close(&x);
}

static void
check_domain(struct queue_index *x, const char *domain, unsigned expected)
{
	struct index_page *page = NEW(struct index_page);
	char after[QUEUE_ID_SIZE] = "";
	const char *why = NULL;
	unsigned n = 0;

	buf_init(&page->values, ARRAY_LEN(page->ids) * INDEX_VALUE_MAX);
	do {
		assert_true(queue_index_page_domain(x, view_of(domain), after, page, &why));
		for (size_t i = 0; i < page->count; i++) {
			assert_true(strcmp(after, page->ids[i]) < 0);
			memcpy(after, page->ids[i], QUEUE_ID_SIZE);
			n++;
		}
	} while (page->count > 0);
	assert_int_equal(n, expected);
	buf_done(&page->values);
	mem_free(page);
}

static void
test_domains(void **state)
{
	static const char *const other[] = { "x@other.example", NULL };
	struct queue_index *x = open_index(false, INDEX_EMPTY);
	struct buf value = BUF_INIT(INDEX_VALUE_MAX);
	struct queue_message m, n;
	char id[QUEUE_ID_SIZE];

	(void)state;
	make_message(&m, "", two, NULL);
	make_message(&n, "", other, NULL);
	for (unsigned i = 0; i < 150; i++)
		put_number(x, i % 3 ? &m : &n, i, DUE);
	check_domain(x, "one.example", 100);
	check_domain(x, "two.example", 100);
	check_domain(x, "other.example", 50);
	check_domain(x, "nowhere.example", 0);
	put_number(x, &n, 1, DUE);
	make_id(id, 2);
	index_entry_encode(&n, QUEUE_HOLD, 0, &value);
	put(x, id, buf_view(&value));
	apply(x, INDEX_REMOVE, id, QUEUE_HOLD, 0);
	check_domain(x, "one.example", 98);
	check_domain(x, "other.example", 51);
	buf_done(&value);
	queue_message_done(&m);
	queue_message_done(&n);
	queue_index_close(&x);
}

/* The file starts at a few megabytes and grows while a reader has it open. */
static void
test_growth_under_a_reader(void **state)
{
	struct queue_index *x = open_index(false, INDEX_EMPTY), *reader;
	struct index_change **changes = mem_zero(1000, sizeof(*changes));
	struct queue_message m;
	struct stat st;
	const char *why = NULL;
	char *path = mem_printf("%s/index/data.mdb", fixture_dir);

	(void)state;
	make_message(&m, "from@example.org", two, "some reason that takes a little room");
	reader = queue_index_open_reader(fixture_dir, &why);
	assert_non_null(reader);
	for (unsigned round = 0; round < 30; round++) {
		for (unsigned i = 0; i < 1000; i++) {
			changes[i] = NEW(struct index_change);
			make_id(changes[i]->id, (i * 30 + round) * 7919 % 99999989);
			buf_init(&changes[i]->value, INDEX_VALUE_MAX);
			index_entry_encode(&m, QUEUE_DEFERRED, DUE + i, &changes[i]->value);
		}
		if (!queue_index_apply(x, changes, 1000, &why))
			fail_msg("%s", why);
		for (unsigned i = 0; i < 1000; i++) {
			buf_done(&changes[i]->value);
			mem_free(changes[i]);
		}
		assert_int_equal(count_of(reader), (round + 1) * 1000);
	}
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size > 8 << 20);
	mem_free(changes);
	assert_int_equal(count_of(x), 30000);
	queue_index_close(&reader);
	queue_index_close(&x);
	queue_message_done(&m);
	mem_free(path);
}

/* ---- what is believed ---- */

static void
test_trusted_when_closed_in_order(void **state)
{
	struct queue_index *x = open_index(false, INDEX_EMPTY), *reader;
	struct queue_message m;
	const char *why = NULL;

	(void)state;
	make_message(&m, "", two, NULL);
	put_number(x, &m, 1, DUE);
	complete(x);
	queue_index_close(&x);
	reader = queue_index_open_reader(fixture_dir, &why);
	assert_true(queue_index_is_settled(queue, reader));
	queue_index_close(&reader);
	x = open_index(false, INDEX_TRUSTED);
	assert_int_equal(count_of(x), 1);
	reader = queue_index_open_reader(fixture_dir, &why);
	assert_false(queue_index_is_settled(queue, reader));
	queue_index_close(&reader);
	queue_index_close(&x);
	/* Somebody else changed files: told, or seen by the directories. */
	queue_index_doubt(fixture_dir);
	x = open_index(false, INDEX_BEHIND);
	complete(x);
	queue_index_close(&x);
	queue_message_done(&m);
	make_message(&m, "", two, NULL);
	x = open_index(false, INDEX_BEHIND);
	assert_int_equal(count_of(x), 1);
	queue_index_close(&x);
	queue_message_done(&m);
}

static void
test_incomplete_when_closed(void **state)
{
	struct queue_index *x = open_index(false, INDEX_EMPTY);

	(void)state;
	queue_index_close(&x);
	x = open_index(false, INDEX_BEHIND);
	complete(x);
	queue_index_close(&x);
	x = open_index(false, INDEX_TRUSTED);
	queue_index_close(&x);
	x = open_index(true, INDEX_EMPTY);
	queue_index_close(&x);
}

/* Changes an index and is killed while it does, some time after its first change. */
static void
write_and_be_killed(struct queue_message *m, unsigned first, useconds_t span)
{
	int begun[2];
	pid_t child;
	char byte;

	assert_int_equal(pipe(begun), 0);
	child = fork();
	if (child == 0) {
		enum index_trust trust;
		const char *why;
		struct queue_index *x =
		    queue_index_open(queue, fixture_dir, false, &trust, &why);

		for (unsigned i = first; x; i++) {
			put_number(x, m, i % 5000, DUE + i);
			if (i == first && write(begun[1], "", 1) != 1)
				break;
		}
		_exit(1);
	}
	assert_true(child > 0);
	close(begun[1]);
	assert_int_equal(read(begun[0], &byte, 1), 1);
	close(begun[0]);
	usleep(span);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

/* After a kill what is there is whole, and as new as the last commit. */
static void
test_kills(void **state)
{
	struct queue_index *x = open_index(false, INDEX_EMPTY);
	struct index_due due[1];
	struct queue_message m;
	microseconds next;

	(void)state;
	make_message(&m, "", two, NULL);
	put_number(x, &m, 1, DUE);
	complete(x);
	queue_index_close(&x);
	for (unsigned i = 0; i < 20; i++) {
		write_and_be_killed(&m, i * 1000, 2000 + i * 1700);
		x = open_index(false, INDEX_BEHIND);
		assert_true(count_of(x) >= 1);
		assert_int_equal(due_until(x, INT64_MAX, due, 1, &next), 1);
		complete(x);
		queue_index_close(&x);
	}
	queue_message_done(&m);
}

/* Three bad ends in a row without one comparison in between: it may be the index itself. */
static void
test_bad_ends_in_a_row(void **state)
{
	struct queue_index *x = open_index(false, INDEX_EMPTY);
	struct queue_message m;

	(void)state;
	make_message(&m, "", two, NULL);
	complete(x);
	queue_index_close(&x);
	for (unsigned i = 0; i < 4; i++)
		write_and_be_killed(&m, 0, 20000);
	x = open_index(false, INDEX_EMPTY);
	assert_int_equal(count_of(x), 0);
	queue_index_close(&x);
	queue_message_done(&m);
}

static char *
index_path(const char *name)
{
	return mem_printf("%s/index/%s", fixture_dir, name);
}

/* The note of another start of the machine; the file was never synced. */
static void
test_loss_of_power(void **state)
{
	struct queue_index *x = open_index(false, INDEX_EMPTY);
	struct index_state s;
	struct queue_message m;
	char *path;
	int dir;

	(void)state;
	make_message(&m, "", two, NULL);
	complete(x);
	queue_index_close(&x);
	write_and_be_killed(&m, 0, 20000);
	path = index_path(".");
	dir = open(path, O_RDONLY | O_DIRECTORY);
	mem_free(path);
	assert_true(index_state_read(dir, queue, &s));
	assert_false(s.closed);
	snprintf(s.boot, sizeof(s.boot), "another-start");
	assert_true(index_state_write(dir, queue, &s));
	close(dir);
	x = open_index(false, INDEX_EMPTY);
	assert_int_equal(count_of(x), 0);
	queue_index_close(&x);
	queue_message_done(&m);
}

static void
closed_index(void)
{
	struct queue_index *x = open_index(true, INDEX_EMPTY);
	struct queue_message m;

	make_message(&m, "from@example.org", two, NULL);
	for (unsigned i = 0; i < 300; i++)
		put_number(x, &m, i, DUE);
	complete(x);
	queue_index_close(&x);
	queue_message_done(&m);
}

enum harm { CUT_HALF, CUT_ALL, GARBAGE_ROOT, COPY, NO_STATE, NO_DATA, STATE_GARBAGE };

/* What a restored backup is: the same bytes in another file. */
static void
copy_file(int fd, const char *path)
{
	int out = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	struct stat st;
	char *bytes;

	assert_true(out >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	bytes = mem_alloc((size_t)st.st_size);
	assert_true(file_pread_all(fd, bytes, (size_t)st.st_size, 0));
	assert_true(file_pwrite_all(out, bytes, (size_t)st.st_size, 0));
	mem_free(bytes);
	close(out);
}

static void
do_harm(enum harm harm)
{
	char *data = index_path("data.mdb"), *note = index_path("state"), *copy;
	static char garbage[8192];
	struct stat st;
	int fd = open(data, O_RDWR);

	memset(garbage, 0xa5, sizeof(garbage));
	assert_int_equal(fstat(fd, &st), 0);
	switch (harm) {
	case CUT_HALF:
		assert_int_equal(ftruncate(fd, st.st_size / 2), 0);
		break;
	case CUT_ALL:
		assert_int_equal(ftruncate(fd, 0), 0);
		break;
	case GARBAGE_ROOT:
		assert_true(file_pwrite_all(fd, garbage, sizeof(garbage), 0));
		break;
	case COPY:
		copy = index_path("copy");
		copy_file(fd, copy);
		assert_int_equal(rename(copy, data), 0);
		mem_free(copy);
		break;
	case NO_STATE:
		assert_int_equal(unlink(note), 0);
		break;
	case NO_DATA:
		assert_int_equal(unlink(data), 0);
		break;
	case STATE_GARBAGE:
		close(fd);
		fd = open(note, O_RDWR | O_TRUNC);
		assert_true(file_pwrite_all(fd, garbage, 100, 0));
		break;
	}
	close(fd);
	mem_free(data);
	mem_free(note);
}

static void
test_what_is_not_believed(void **state)
{
	(void)state;
	for (enum harm harm = CUT_HALF; harm <= STATE_GARBAGE; harm++) {
		struct queue_index *x;

		closed_index();
		x = open_index(false, INDEX_TRUSTED);
		assert_int_equal(count_of(x), 300);
		queue_index_close(&x);
		do_harm(harm);
		x = open_index(false, INDEX_EMPTY);
		assert_int_equal(count_of(x), 0);
		queue_index_close(&x);
	}
}

/* Taken away while it is open: seen, and not noted as in order when it is closed. */
static void
test_gone_while_open(void **state)
{
	struct queue_index *x = open_index(false, INDEX_EMPTY);
	char *data = index_path("data.mdb");

	(void)state;
	complete(x);
	assert_true(queue_index_is_there(x));
	assert_int_equal(unlink(data), 0);
	assert_false(queue_index_is_there(x));
	queue_index_close(&x);
	x = open_index(false, INDEX_EMPTY);
	assert_true(queue_index_is_there(x));
	assert_int_equal(truncate(data, 4096), 0);
	assert_false(queue_index_is_there(x));
	queue_index_close(&x);
	mem_free(data);
}

/* A reader that died in the middle of a look keeps nobody out. */
static void
test_killed_reader(void **state)
{
	struct queue_index *x = open_index(false, INDEX_EMPTY);
	char *data = index_path("data.mdb");
	struct queue_message m;
	int ready[2];
	pid_t child;
	char byte;

	(void)state;
	make_message(&m, "", two, NULL);
	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		int fd = open(data, O_RDONLY);

		flock(fd, LOCK_SH);
		if (write(ready[1], "x", 1) == 1)
			pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	put_number(x, &m, 1, DUE);
	assert_int_equal(count_of(x), 1);
	close(ready[0]);
	close(ready[1]);
	queue_index_close(&x);
	queue_message_done(&m);
	mem_free(data);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
		TEST(test_entry_says_what_the_message_is),
		TEST(test_entry_of_many_recipients_is_partial),
		TEST(test_damaged_entries),
		TEST(test_due_order_and_changes),
		TEST(test_domains),
		TEST(test_growth_under_a_reader),
		TEST(test_trusted_when_closed_in_order),
		TEST(test_incomplete_when_closed),
		TEST(test_kills),
		TEST(test_bad_ends_in_a_row),
		TEST(test_loss_of_power),
		TEST(test_what_is_not_believed),
		TEST(test_gone_while_open),
		TEST(test_killed_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
