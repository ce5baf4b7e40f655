/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small messages in slots: that they are whole, alone, found by everybody who looks for a
 * message in incoming, and free again afterwards. fdatasync is replaced here: it counts, can
 * fail, and can call a function of the test in the middle of a commit.
 */
#include "queue_fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/syscall.h>

#include "queue/slots.h"

enum { THREADS = 8, EACH = 25 };

static unsigned syncs;
static int fail_with;
static void (*during_sync)(void);

int
fdatasync(int fd)
{
	__atomic_add_fetch(&syncs, 1, __ATOMIC_RELAXED);
	if (during_sync)
		during_sync();
	if (fail_with) {
		errno = fail_with;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

static unsigned unlocks_fail, writes_are_cut; /* the next ones */
static bool zeros_are_cut;                    /* when a slot is freed, from then on */

int
fcntl(int fd, int command, ...)
{
	void *argument;
	va_list ap;

	va_start(ap, command);
	argument = va_arg(ap, void *);
	va_end(ap);
	if (command == F_OFD_SETLK && ((struct flock *)argument)->l_type == F_UNLCK &&
	    unlocks_fail) {
		unlocks_fail--;
		errno = EINTR;
		return -1;
	}
	return (int)syscall(SYS_fcntl, fd, command, argument);
}

/* A write that is cut in two, and then fails. */
ssize_t
pwrite(int fd, const void *p, size_t n, off_t at)
{
	if (zeros_are_cut && *(const char *)p == '\0') {
		zeros_are_cut = false;
		writes_are_cut = 2;
	}
	if (writes_are_cut == 1) {
		writes_are_cut = 0;
		errno = EIO;
		return -1;
	}
	if (writes_are_cut) {
		writes_are_cut--;
		n /= 2;
	}
	return syscall(SYS_pwrite64, fd, p, n, at);
}

static int
setup(void **state)
{
	const char *why = NULL;

	fixture_setup(state);
	syncs = 0;
	assert_true(queue_slots_claim(queue, &why));
	return 0;
}

/* What another process would open. */
static struct queue *
another_queue(void)
{
	const char *why = NULL;
	struct queue *q = queue_open(fixture_dir, true, &why);

	assert_non_null(q);
	return q;
}

static unsigned
files_in(const char *name)
{
	char path[128];
	struct dirent *entry;
	unsigned n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%s", fixture_dir, name);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

static off_t
slot_file_size(const char *name)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/slots/%s", fixture_dir, name);
	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

static void
open_message(struct queue *q, enum queue_place place, const char *id, struct queue_message *m)
{
	const char *why = "";

	if (queue_message_open(q, place, id, false, m, &why) != QUEUE_OK)
		fail_msg("%s: %s", id, why);
}

static void
write_at(const char *name, const void *p, size_t n, off_t at)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", fixture_dir, name);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_true(file_pwrite_all(fd, p, n, at));
	close(fd);
}

static void
check_body(const struct queue_message *m, size_t n)
{
	char *expected = make_body(n), *got = mem_alloc(n + 1);

	assert_int_equal(m->body_length, n);
	assert_true(file_pread_all(m->fd, got, n, (off_t)m->body_offset));
	assert_memory_equal(got, expected, n);
	mem_free(expected);
	mem_free(got);
}

static void
remove_message(const char *id)
{
	const char *why = "";

	assert_int_equal(queue_remove(queue, id, QUEUE_INCOMING, &why), QUEUE_OK);
	assert_int_equal(queue_remove(queue, id, QUEUE_INCOMING, &why), QUEUE_GONE);
}

static void
test_small_message_makes_no_file(void **state)
{
	static const size_t sizes[] = { 0, 1, 3000, 4000, 20000, 60000 };
	struct queue *other = another_queue();
	struct queue_message m;
	enum queue_place place;
	char id[QUEUE_ID_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		put_message(QUEUE_INCOMING, sizes[i], 2, id);
		assert_int_equal(files_in("incoming"), 0);
		assert_true(queue_find(other, id, &place));
		assert_int_equal(place, QUEUE_INCOMING);
		open_message(other, QUEUE_INCOMING, id, &m);
		assert_string_equal(m.id, id);
		assert_int_equal(m.recipient_count, 2);
		check_body(&m, sizes[i]);
		queue_message_done(&m);
		remove_message(id);
		assert_false(queue_find(other, id, &place));
	}
	assert_int_equal(slot_file_size("0"), SLOT_SIZE);
	queue_close(&other);
}

static void
test_large_and_held_get_files(void **state)
{
	char id[QUEUE_ID_SIZE];
	const char *why = "";

	(void)state;
	put_message(QUEUE_INCOMING, 130536, 30, id);
	assert_int_equal(files_in("incoming"), 1);
	assert_int_equal(queue_remove(queue, id, QUEUE_INCOMING, &why), QUEUE_OK);
	put_message(QUEUE_HOLD, 10, 1, id);
	assert_int_equal(files_in("hold"), 1);
	assert_int_equal(queue_remove(queue, id, QUEUE_HOLD, &why), QUEUE_OK);
}

/* The descriptor is for agents: neither what was there before nor what comes later is in it. */
static void
test_copy_shows_one_message(void **state)
{
	char first[QUEUE_ID_SIZE], second[QUEUE_ID_SIZE], byte;
	struct queue_message m;

	(void)state;
	put_message(QUEUE_INCOMING, 50000, 1, first);
	remove_message(first);
	put_message(QUEUE_INCOMING, 10, 1, second);
	open_message(queue, QUEUE_INCOMING, second, &m);
	assert_int_equal(pread(m.fd, &byte, 1, (off_t)m.journal_offset), 0);
	assert_int_equal(pwrite(m.fd, "x", 1, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(m.fd, 0), -1);
	remove_message(second);
	put_message(QUEUE_INCOMING, 40000, 1, first);
	assert_int_equal(slot_file_size("0"), SLOT_SIZE);
	check_body(&m, 10);
	queue_message_done(&m);
	remove_message(first);
}

/* At once is for what is known to be in a slot, whole, and in memory; it is the same message.
 */
static void
test_open_now(void **state)
{
	static const size_t sizes[] = { 0, 3000, 16384, 100000 };
	char id[QUEUE_ID_SIZE], wrong = 'X';
	struct queue_message m, now;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		put_message(QUEUE_INCOMING, sizes[i], 3, id);
		assert_false(queue_message_open_now(queue, id, &now));
		open_message(queue, QUEUE_INCOMING, id, &m);
		assert_true(queue_message_open_now(queue, id, &now));
		assert_string_equal(now.id, id);
		assert_int_equal(now.place, QUEUE_INCOMING);
		assert_int_equal(now.pending_count, 3);
		assert_true(view_eq(now.envelope, m.envelope));
		check_body(&now, sizes[i]);
		queue_message_done(&now);
		write_at("slots/0", &wrong, 1, (off_t)m.envelope_offset);
		assert_false(queue_message_open_now(queue, id, &now));
		queue_message_done(&m);
		remove_message(id);
		assert_false(queue_message_open_now(queue, id, &now));
		assert_int_equal(now.fd, -1);
	}
	put_message(QUEUE_INCOMING, 200000, 1, id);
	assert_false(queue_message_open_now(queue, id, &now));
	remove_message(id);
}

static void
test_scan_lists_both_kinds(void **state)
{
	char small[QUEUE_ID_SIZE], large[QUEUE_ID_SIZE];

	(void)state;
	put_message(QUEUE_INCOMING, 10, 1, small);
	put_message(QUEUE_INCOMING, 200000, 1, large);
	assert_int_equal(count_files(QUEUE_INCOMING), 2);
	assert_int_equal(count_files(QUEUE_DEFERRED), 0);
	remove_message(small);
	remove_message(large);
	assert_int_equal(count_files(QUEUE_INCOMING), 0);
}

static void
test_journal_makes_a_file(void **state)
{
	const struct queue_journal_entry e = { 1, QUEUE_RCPT_DELIVERED, 7, VIEW("2.0.0"),
		VIEW("sent") };
	struct queue_message m;
	char id[QUEUE_ID_SIZE];
	const char *why = "";

	(void)state;
	put_message(QUEUE_INCOMING, 3000, 2, id);
	assert_int_equal(
	    queue_message_open(queue, QUEUE_INCOMING, id, true, &m, &why), QUEUE_OK);
	assert_int_equal(files_in("incoming"), 1);
	assert_int_equal(queue_journal_append(queue, &m, &e, 1, true, &why), QUEUE_OK);
	queue_message_done(&m);
	open_message(queue, QUEUE_INCOMING, id, &m);
	assert_int_equal(m.pending_count, 1);
	assert_int_equal(m.status[1].state, QUEUE_RCPT_DELIVERED);
	check_body(&m, 3000);
	queue_message_done(&m);
	assert_int_equal(count_files(QUEUE_INCOMING), 1);
	remove_message(id);
}

static void
test_move_makes_a_file(void **state)
{
	static const enum queue_place places[] = { QUEUE_DEFERRED, QUEUE_HOLD, QUEUE_CORRUPT };
	struct queue_message m;
	char id[QUEUE_ID_SIZE];
	const char *why = "";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		put_message(QUEUE_INCOMING, 6000, 3, id);
		assert_int_equal(
		    queue_move(queue, id, QUEUE_INCOMING, places[i], &why), QUEUE_OK);
		assert_int_equal(count_files(QUEUE_INCOMING), 0);
		open_message(queue, places[i], id, &m);
		assert_int_equal(m.pending_count, 3);
		check_body(&m, 6000);
		queue_message_done(&m);
		assert_int_equal(queue_remove(queue, id, places[i], &why), QUEUE_OK);
	}
}

/* Each process has its own file; when it is gone another takes the file with what is in it. */
static void
test_files_are_claimed(void **state)
{
	struct queue *second = another_queue(), *third = another_queue(), *own = queue;
	char waiting[QUEUE_ID_SIZE], id[QUEUE_ID_SIZE];
	struct queue_message m;
	const char *why = "";

	(void)state;
	assert_true(queue_slots_claim(second, &why));
	assert_int_equal(files_in("slots"), 2);
	queue = second;
	put_message(QUEUE_INCOMING, 1000, 1, waiting);
	queue_close(&second);
	assert_true(queue_slots_claim(third, &why));
	assert_int_equal(files_in("slots"), 2);
	queue = third;
	for (int i = 0; i < 5; i++) {
		put_message(QUEUE_INCOMING, 2000, 1, id);
		remove_message(id);
	}
	queue = own;
	open_message(queue, QUEUE_INCOMING, waiting, &m);
	check_body(&m, 1000);
	queue_message_done(&m);
	remove_message(waiting);
	queue_close(&third);
}

static char committing[QUEUE_ID_SIZE];
static unsigned looked;

static void
look_while_it_is_written(void)
{
	struct queue *other = another_queue();
	struct queue_message m;
	const char *why = "";

	assert_int_equal(
	    queue_message_open(other, QUEUE_INCOMING, committing, false, &m, &why), QUEUE_BUSY);
	queue_slot_hint(other, committing, 1);
	assert_false(queue_message_open_now(other, committing, &m));
	looked++;
	queue_close(&other);
}

/* A commit during whose sync the function looks; the message is there afterwards. */
static void
commit_watched(void (*look)(void))
{
	struct queue_writer *w = queue_writer_new(queue, QUEUE_INCOMING);
	struct queue_message m;
	const char *why = "";

	snprintf(committing, sizeof(committing), "%s", queue_writer_id(w));
	looked = 0;
	during_sync = look;
	assert_int_equal(write_message(w, NULL, 0, 1, &why), QUEUE_OK);
	during_sync = NULL;
	assert_int_equal(looked, 1);
	assert_true(queue_writer_slot(w) > 0);
	queue_writer_free(&w);
	open_message(queue, QUEUE_INCOMING, committing, &m);
	queue_message_done(&m);
	remove_message(committing);
}

static void
test_unfinished_is_busy(void **state)
{
	(void)state;
	commit_watched(look_while_it_is_written);
}

static void
recover_while_it_is_written(void)
{
	struct queue *other = another_queue();
	struct queue_message m;
	const char *why = "";
	char first[8], wrong[8] = "Postern?";

	/* As a reader may see it that looks in the middle of a write. */
	assert_true(file_pread_all(slot_pool_fd(&queue->slots), first, sizeof(first), 0));
	write_at("slots/0", wrong, sizeof(wrong), 0);
	assert_int_equal(
	    queue_message_open(other, QUEUE_INCOMING, committing, false, &m, &why), QUEUE_GONE);
	queue_slot_hint(other, committing, 1);
	assert_int_equal(
	    queue_message_open(other, QUEUE_INCOMING, committing, false, &m, &why), QUEUE_BUSY);
	queue_slots_recover(other);
	assert_int_equal(files_in("corrupt"), 0);
	write_at("slots/0", first, sizeof(first), 0);
	looked++;
	queue_close(&other);
}

/* Half a preamble under the writer's lock is no damage. */
static void
test_half_written_is_left_alone(void **state)
{
	(void)state;
	commit_watched(recover_while_it_is_written);
}

/* The refused message is nowhere; later ones do not trust the file any more. */
static void
test_failed_sync(void **state)
{
	struct queue_writer *w = queue_writer_new(queue, QUEUE_INCOMING);
	const char *why = "";
	char id[QUEUE_ID_SIZE], before[QUEUE_ID_SIZE];
	struct queue_message m;

	(void)state;
	put_message(QUEUE_INCOMING, 100, 1, before);
	fail_with = EIO;
	assert_int_equal(write_message(w, NULL, 0, 1, &why), QUEUE_ERROR);
	assert_string_equal(why, "fdatasync: Input/output error");
	fail_with = 0;
	assert_int_equal(
	    queue_message_open(queue, QUEUE_INCOMING, queue_writer_id(w), false, &m, &why),
	    QUEUE_GONE);
	queue_writer_free(&w);
	syncs = 0;
	put_message(QUEUE_INCOMING, 100, 1, id);
	assert_int_equal(syncs, 0);
	assert_int_equal(files_in("incoming"), 1);
	remove_message(id);
	open_message(queue, QUEUE_INCOMING, before, &m);
	queue_message_done(&m);
	remove_message(before);
}

/* The message is accepted: it must not stay locked. */
static void
test_unlocking_is_interrupted(void **state)
{
	struct queue *other = another_queue();
	struct queue_message m;
	char id[QUEUE_ID_SIZE];

	(void)state;
	unlocks_fail = 2;
	put_message(QUEUE_INCOMING, 100, 1, id);
	assert_int_equal(unlocks_fail, 0);
	open_message(other, QUEUE_INCOMING, id, &m);
	queue_message_done(&m);
	queue_close(&other);
	remove_message(id);
}

/* Tried again, it is finished: half a slot would be taken for damage at the next start. */
static void
test_removal_is_cut_short(void **state)
{
	char id[QUEUE_ID_SIZE];
	const char *why = "";

	(void)state;
	put_message(QUEUE_INCOMING, 100, 1, id);
	queue_slot_hint(queue, id, 1);
	writes_are_cut = 2;
	assert_int_equal(queue_remove(queue, id, QUEUE_INCOMING, &why), QUEUE_ERROR);
	assert_int_equal(queue_remove(queue, id, QUEUE_INCOMING, &why), QUEUE_OK);
	queue_slots_recover(queue);
	assert_int_equal(files_in("corrupt"), 0);
	put_message(QUEUE_INCOMING, 100, 1, id);
	assert_int_equal(files_in("incoming"), 0);
	remove_message(id);
}

/* So is a move whose last write was that. */
static void
test_move_is_cut_short(void **state)
{
	char id[QUEUE_ID_SIZE];
	enum queue_place place;
	const char *why = "";

	(void)state;
	put_message(QUEUE_INCOMING, 100, 1, id);
	queue_slot_hint(queue, id, 1);
	zeros_are_cut = true;
	assert_int_equal(
	    queue_move(queue, id, QUEUE_INCOMING, QUEUE_DEFERRED, &why), QUEUE_ERROR);
	assert_int_equal(queue_move(queue, id, QUEUE_INCOMING, QUEUE_DEFERRED, &why), QUEUE_OK);
	assert_true(queue_find(queue, id, &place));
	assert_int_equal(place, QUEUE_DEFERRED);
	assert_int_equal(count_files(QUEUE_DEFERRED), 1);
	assert_int_equal(count_files(QUEUE_INCOMING), 0);
	queue_slots_recover(queue);
	assert_int_equal(files_in("corrupt"), 0);
	assert_int_equal(queue_remove(queue, id, QUEUE_DEFERRED, &why), QUEUE_OK);
}

static void
test_no_free_slot(void **state)
{
	static char ids[SLOTS_MAX + 1][QUEUE_ID_SIZE];

	(void)state;
	for (size_t i = 0; i < SLOTS_MAX; i++)
		put_message(QUEUE_INCOMING, 1, 1, ids[i]);
	assert_int_equal(files_in("incoming"), 0);
	put_message(QUEUE_INCOMING, 1, 1, ids[SLOTS_MAX]);
	assert_int_equal(files_in("incoming"), 1);
	assert_int_equal(count_files(QUEUE_INCOMING), SLOTS_MAX + 1);
	assert_int_equal(slot_file_size("0"), (off_t)SLOTS_MAX * SLOT_SIZE);
	for (size_t i = 0; i <= SLOTS_MAX; i++)
		remove_message(ids[i]);
}

/* Whatever is said about where a message is, it is found where it is. */
static void
test_false_hints(void **state)
{
	char first[QUEUE_ID_SIZE], second[QUEUE_ID_SIZE];
	struct queue *other = another_queue();
	struct queue_message m;

	(void)state;
	put_message(QUEUE_INCOMING, 100, 1, first);
	put_message(QUEUE_INCOMING, 200, 1, second);
	queue_slot_hint(other, first, 2);
	queue_slot_hint(other, second, 2);
	queue_slot_hint(other, second, 1);
	queue_slot_hint(other, second, SLOT_NUMBERS);
	queue_slot_hint(other, first, SLOT_NUMBERS + 1);
	queue_slot_hint(other, "../x", 1);
	open_message(other, QUEUE_INCOMING, first, &m);
	check_body(&m, 100);
	queue_message_done(&m);
	open_message(other, QUEUE_INCOMING, second, &m);
	check_body(&m, 200);
	queue_message_done(&m);
	queue_close(&other);
	remove_message(first);
	remove_message(second);
}

/* ---- after a crash ---- */

/* Between the new file and the freed slot of a move the process was killed. */
static void
test_recover_both_names(void **state)
{
	char moved[QUEUE_ID_SIZE], other[QUEUE_ID_SIZE], relative[64], *bytes;
	struct queue_message m;
	const char *why = "";

	(void)state;
	put_message(QUEUE_INCOMING, 1000, 1, moved);
	put_message(QUEUE_INCOMING, 1000, 1, other);
	open_message(queue, QUEUE_INCOMING, moved, &m);
	bytes = mem_alloc((size_t)m.journal_offset);
	assert_true(file_pread_all(m.fd, bytes, (size_t)m.journal_offset, 0));
	queue_path(QUEUE_DEFERRED, moved, relative, sizeof(relative));
	write_at(relative, bytes, (size_t)m.journal_offset, 0);
	queue_message_done(&m);
	mem_free(bytes);
	queue_slots_recover(queue);
	assert_int_equal(count_files(QUEUE_INCOMING), 1);
	assert_int_equal(count_files(QUEUE_DEFERRED), 1);
	remove_message(other);
	assert_int_equal(queue_remove(queue, moved, QUEUE_DEFERRED, &why), QUEUE_OK);
}

/* The same, and the move comes once more. */
static void
test_move_onto_itself(void **state)
{
	char id[QUEUE_ID_SIZE], relative[64], *bytes;
	struct queue_message m;
	const char *why = "";

	(void)state;
	for (int whole = 0; whole < 2; whole++) {
		put_message(QUEUE_INCOMING, 1000, 1, id);
		open_message(queue, QUEUE_INCOMING, id, &m);
		bytes = mem_zero((size_t)m.journal_offset, 1);
		if (whole)
			assert_true(file_pread_all(m.fd, bytes, (size_t)m.journal_offset, 0));
		queue_path(QUEUE_DEFERRED, id, relative, sizeof(relative));
		write_at(relative, bytes, (size_t)m.journal_offset, 0);
		queue_message_done(&m);
		mem_free(bytes);
		assert_int_equal(
		    queue_move(queue, id, QUEUE_INCOMING, QUEUE_DEFERRED, &why), QUEUE_OK);
		open_message(queue, QUEUE_DEFERRED, id, &m);
		check_body(&m, 1000);
		queue_message_done(&m);
		assert_int_equal(count_files(QUEUE_INCOMING), 0);
		assert_int_equal(queue_remove(queue, id, QUEUE_DEFERRED, &why), QUEUE_OK);
	}
}

static void
test_recover_damaged_preamble(void **state)
{
	char id[QUEUE_ID_SIZE];

	(void)state;
	put_message(QUEUE_INCOMING, 1000, 1, id);
	write_at("slots/0", "X", 1, 20);
	assert_int_equal(count_files(QUEUE_INCOMING), 0);
	queue_slots_recover(queue);
	assert_int_equal(files_in("corrupt"), 1);
	put_message(QUEUE_INCOMING, 1000, 1, id);
	assert_int_equal(slot_file_size("0"), SLOT_SIZE);
	remove_message(id);
}

/* Bytes of a stranger look like a message, at every place but the only one that counts. */
static void
test_no_message_inside_a_body(void **state)
{
	char id[QUEUE_ID_SIZE], forged[600];
	struct buf body = BUF_INIT(SLOT_SIZE);
	struct queue_writer *w;
	struct queue_message m;
	const char *why = "";

	(void)state;
	put_message(QUEUE_INCOMING, 10, 1, id);
	open_message(queue, QUEUE_INCOMING, id, &m);
	assert_true(m.journal_offset < 512);
	memset(forged, 0, sizeof(forged));
	assert_true(file_pread_all(m.fd, forged, (size_t)m.journal_offset, 0));
	queue_message_done(&m);
	remove_message(id);
	for (size_t i = 0; i < (SLOT_SIZE - 7536) / 512; i++)
		buf_append(&body, forged, 512);
	w = queue_writer_new(queue, QUEUE_INCOMING);
	assert_int_equal(write_message(w, body.data, body.len, 1, &why), QUEUE_OK);
	assert_int_equal(count_files(QUEUE_INCOMING), 1);
	remove_message(queue_writer_id(w));
	queue_writer_free(&w);
	assert_int_equal(count_files(QUEUE_INCOMING), 0);
	queue_slots_recover(queue);
	assert_int_equal(count_all_files(), 0);
	buf_done(&body);
}

/* ---- many at a time ---- */

/* One sync for all that fit; the large, the held and the faulty are left alone. */
static void
test_commit_small(void **state)
{
	static char text[SLOT_SIZE - 5536];
	struct queue_writer *w[4];
	uint64_t size = 0;
	const char *why = "";

	(void)state;
	for (int i = 0; i < 4; i++) {
		w[i] = queue_writer_new(queue, i == 2 ? QUEUE_HOLD : QUEUE_INCOMING);
		queue_writer_header(w[i], VIEW(HEADER));
		add_envelope(
		    w[i], i == 1 ? 200 : 1); /* one whose envelope makes it too large */
		if (i == 1)
			queue_writer_body(w[i], (struct view){ text, sizeof(text) }, &why);
	}
	syncs = 0;
	queue_writer_commit_small(w, 4);
	assert_int_equal(syncs, 1);
	assert_true(queue_writer_is_finished(w[0]) && queue_writer_is_finished(w[3]));
	assert_false(queue_writer_is_finished(w[1]) || queue_writer_is_finished(w[2]));
	assert_int_equal(count_all_files(), 2);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(queue_writer_commit(w[i], &size, &why), QUEUE_OK);
		assert_int_equal(size, strlen(HEADER) + 2 + (i == 1 ? sizeof(text) : 0));
		assert_true((queue_writer_slot(w[i]) > 0) == (i == 0 || i == 3));
		queue_writer_free(&w[i]);
	}
	assert_int_equal(count_all_files(), 4);
	assert_int_equal(files_in("incoming"), 1);
	assert_int_equal(files_in("hold"), 1);
}

/* All of them are refused, and none is left. */
static void
test_commit_small_fails(void **state)
{
	struct queue_writer *w[3];
	const char *why = "";

	(void)state;
	for (int i = 0; i < 3; i++) {
		w[i] = queue_writer_new(queue, QUEUE_INCOMING);
		queue_writer_header(w[i], VIEW(HEADER));
		if (i < 2)
			add_envelope(w[i], 1);
	}
	fail_with = ENOSPC;
	queue_writer_commit_small(w, 3);
	fail_with = 0;
	for (int i = 0; i < 3; i++) {
		assert_true(queue_writer_is_finished(w[i]));
		assert_int_equal(queue_writer_commit(w[i], NULL, &why),
		    i < 2 ? QUEUE_NO_SPACE : QUEUE_ERROR);
		queue_writer_free(&w[i]);
	}
	assert_int_equal(count_all_files(), 0);
}

static void *
commit_thread(void *arg)
{
	intptr_t failures = 0;

	(void)arg;
	for (int i = 0; i < EACH; i++) {
		struct queue_writer *w = queue_writer_new(queue, QUEUE_INCOMING);
		const char *why = NULL;

		failures += write_message(w, NULL, 0, 1, &why) != QUEUE_OK;
		if (i % 2)
			failures += queue_remove(queue, queue_writer_id(w), QUEUE_INCOMING,
					&why) != QUEUE_OK;
		queue_writer_free(&w);
	}
	return (void *)failures;
}

static void
test_threads(void **state)
{
	pthread_t threads[THREADS];
	void *failures;

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, commit_thread, NULL), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &failures);
		assert_null(failures);
	}
	assert_int_equal(count_files(QUEUE_INCOMING), THREADS * (EACH / 2 + 1));
	assert_int_equal(files_in("incoming"), 0);
	assert_true(syncs < THREADS * EACH);
	print_message("%d commits, %u syncs\n", THREADS * EACH, syncs);
}

#define SLOT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SLOT_TEST(test_small_message_makes_no_file),
		SLOT_TEST(test_large_and_held_get_files),
		SLOT_TEST(test_copy_shows_one_message),
		SLOT_TEST(test_open_now),
		SLOT_TEST(test_scan_lists_both_kinds),
		SLOT_TEST(test_journal_makes_a_file),
		SLOT_TEST(test_move_makes_a_file),
		SLOT_TEST(test_files_are_claimed),
		SLOT_TEST(test_unfinished_is_busy),
		SLOT_TEST(test_half_written_is_left_alone),
		SLOT_TEST(test_failed_sync),
		SLOT_TEST(test_unlocking_is_interrupted),
		SLOT_TEST(test_removal_is_cut_short),
		SLOT_TEST(test_move_is_cut_short),
		SLOT_TEST(test_no_free_slot),
		SLOT_TEST(test_false_hints),
		SLOT_TEST(test_recover_both_names),
		SLOT_TEST(test_move_onto_itself),
		SLOT_TEST(test_recover_damaged_preamble),
		SLOT_TEST(test_no_message_inside_a_body),
		SLOT_TEST(test_commit_small),
		SLOT_TEST(test_commit_small_fails),
		SLOT_TEST(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
