/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a power cut may leave behind. Each operation is recorded as the changes it makes to the
 * disk and the syncs between them. For every point at which the power may fail, and every
 * subset of the changes that no sync had covered by then, the disk is rebuilt from nothing in a
 * model and read by the real reader.
 *
 * The model is pessimistic: writes and directory entries reach the disk in any order, alone,
 * and a write perhaps by half; only a sync of the file covers its bytes, only a sync of the
 * directory its entries. It trusts the file system in one thing: a rename is one change.
 */
#include "intercept.h"

#include <sys/mman.h>

enum { CHANGES_MAX = 64, FILES_MAX = 8 };

enum change_kind { CREATE, WRITE, SYNC_FILE, SYNC_DIR, RENAME, REMOVE, ACKNOWLEDGE };

struct change {
	enum change_kind kind;
	ino_t file, dir, to_dir;
	off_t at;
	char *data;
	size_t n;
};

static struct change changes[CHANGES_MAX];
static size_t change_count;

/* ---- recording ---- */

static ino_t
inode_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

static ino_t
inode_at(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_ino : 0;
}

static struct change *
record(enum change_kind kind)
{
	struct change *c = &changes[change_count++];

	assert_true(change_count <= CHANGES_MAX);
	*c = (struct change){ .kind = kind };
	return c;
}

/* The name is still there before the call and gone after it. */
static bool
call_before(struct call *call, long *result)
{
	struct change *c;

	(void)result;
	if (call->kind != CALL_RENAME && call->kind != CALL_UNLINK)
		return false;
	c = record(call->kind == CALL_RENAME ? RENAME : REMOVE);
	c->file = inode_at(call->fd, call->name);
	c->dir = inode_of(call->fd);
	if (call->kind == CALL_RENAME)
		c->to_dir = inode_of(call->to_fd);
	return false;
}

static void
call_after(const struct call *call, long result)
{
	struct change *c;
	struct stat st;

	switch (call->kind) {
	case CALL_OPENAT:
		c = record(CREATE);
		c->file = inode_of((int)result);
		c->dir = inode_of(call->fd);
		break;
	case CALL_PWRITE:
		c = record(WRITE);
		c->file = inode_of(call->fd);
		c->at = call->at;
		c->n = (size_t)result;
		c->data = mem_dup(call->data, c->n);
		break;
	case CALL_FSYNC:
		assert_int_equal(fstat(call->fd, &st), 0);
		c = record(S_ISDIR(st.st_mode) ? SYNC_DIR : SYNC_FILE);
		c->file = c->dir = st.st_ino;
		break;
	default:
		break;
	}
}

static void
forget_changes(void)
{
	for (size_t i = 0; i < change_count; i++)
		mem_free(changes[i].data);
	change_count = 0;
}

/* ---- the model of the disk ---- */

struct model_file {
	ino_t inode;
	char *data;
	size_t n;
	ino_t dir; /* 0: no name */
};

/* What of a change has reached the disk; entries of directories know only the outer two. */
enum part { NOTHING, FIRST_HALF, LAST_HALF, ALL };

struct model {
	struct model_file files[FILES_MAX];
	size_t count;
};

static struct model_file *
model_file(struct model *m, ino_t inode)
{
	for (size_t i = 0; i < m->count; i++) {
		if (m->files[i].inode == inode)
			return &m->files[i];
	}
	assert_true(m->count < FILES_MAX);
	m->files[m->count] = (struct model_file){ .inode = inode };
	return &m->files[m->count++];
}

static void
model_write(struct model_file *f, off_t at, const char *data, size_t n)
{
	size_t end = (size_t)at + n;

	if (end > f->n) {
		f->data = mem_resize(f->data, end, 1);
		memset(f->data + f->n, 0, end - f->n);
		f->n = end;
	}
	memcpy(f->data + at, data, n);
}

static void
model_apply(struct model *m, const struct change *c, enum part part)
{
	struct model_file *f = model_file(m, c->file);
	size_t from = part == LAST_HALF ? c->n / 2 : 0;
	size_t to = part == FIRST_HALF ? c->n / 2 : c->n;

	switch (c->kind) {
	case CREATE:
		f->dir = c->dir;
		break;
	case WRITE:
		model_write(f, c->at + (off_t)from, c->data + from, to - from);
		break;
	case RENAME:
		f->dir = c->to_dir;
		break;
	case REMOVE:
		f->dir = 0;
		break;
	default:
		break;
	}
}

static void
model_done(struct model *m)
{
	for (size_t i = 0; i < m->count; i++)
		mem_free(m->files[i].data);
	m->count = 0;
}

/* Whether a sync among changes[from .. end-1] covers the change. */
static bool
is_covered(const struct change *c, size_t from, size_t end)
{
	for (size_t i = from; i < end; i++) {
		const struct change *s = &changes[i];

		if (c->kind == WRITE && s->kind == SYNC_FILE && s->file == c->file)
			return true;
		if (c->kind != WRITE && s->kind == SYNC_DIR &&
		    (s->dir == c->dir || (c->to_dir && s->dir == c->to_dir)))
			return true;
	}
	return false;
}

/* ---- what is found after the crash ---- */

struct found {
	unsigned complete[QUEUE_PLACES];
	unsigned total; /* complete ones */
	unsigned incomplete, damaged;
	bool first_delivered;
};

static enum queue_place
place_of(ino_t dir)
{
	struct queue_dir *d;

	for (int place = 0; place < QUEUE_PLACES; place++) {
		for (size_t i = 0; (d = queue_dir_at(queue, (enum queue_place)place, i)); i++) {
			if (inode_of(d->fd) == dir)
				return (enum queue_place)place;
		}
	}
	fail_msg("a file in no place");
	return QUEUE_PLACES;
}

static char wanted_id[QUEUE_ID_SIZE];
static size_t wanted_body;
static unsigned wanted_recipients;

static void
look_at_file(const struct model_file *f, struct found *found)
{
	int fd = memfd_create("after", MFD_CLOEXEC);
	struct queue_message m;
	const char *why = NULL;
	enum queue_result r;

	assert_true(fd >= 0);
	assert_true(file_pwrite_all(fd, f->data, f->n, 0));
	r = queue_message_from_fd(fd, wanted_id, &m, &why);
	if (r == QUEUE_OK && queue_message_check_body(&m, &why) != QUEUE_OK) {
		/* The body's reader finds out, and nothing is delivered. */
		queue_message_done(&m);
		r = QUEUE_DAMAGED;
	}
	switch (r) {
	case QUEUE_OK:
		assert_int_equal(m.recipient_count, wanted_recipients);
		assert_int_equal(m.body_length, wanted_body);
		found->complete[place_of(f->dir)]++;
		found->total++;
		found->first_delivered = m.status[0].state == QUEUE_RCPT_DELIVERED;
		queue_message_done(&m);
		break;
	case QUEUE_INCOMPLETE:
		found->incomplete++;
		break;
	default:
		assert_int_equal(r, QUEUE_DAMAGED);
		found->damaged++;
	}
}

typedef void check_fn(const struct found *found, bool acknowledged);

static void (*look_at)(const struct model_file *f, struct found *found) = look_at_file;

/* One outcome: what happened to each change that was not covered. */
static void
crash_once(const struct model_file *base, size_t end, uint64_t choice, check_fn *check)
{
	struct found found = { 0 };
	struct model m = { 0 };
	bool acknowledged = false;

	if (base) {
		struct model_file *f = model_file(&m, base->inode);

		f->dir = base->dir;
		model_write(f, 0, base->data, base->n);
	}
	for (size_t i = 0; i < end; i++) {
		const struct change *c = &changes[i];
		enum part part = ALL;

		if (c->kind == ACKNOWLEDGE)
			acknowledged = true;
		if (c->kind == SYNC_FILE || c->kind == SYNC_DIR || c->kind == ACKNOWLEDGE)
			continue;
		if (!is_covered(c, i + 1, end)) {
			part = c->kind == WRITE ? choice % 4 : choice % 2 ? ALL : NOTHING;
			choice /= c->kind == WRITE ? 4 : 2;
		}
		if (part != NOTHING)
			model_apply(&m, c, part);
	}
	for (size_t i = 0; i < m.count; i++) {
		if (m.files[i].dir)
			look_at(&m.files[i], &found);
	}
	check(&found, acknowledged);
	model_done(&m);
}

static void
crash_everywhere(const struct model_file *base, check_fn *check)
{
	unsigned outcomes = 0;

	for (size_t end = 0; end <= change_count; end++) {
		uint64_t choices = 1;

		for (size_t i = 0; i < end; i++) {
			if (changes[i].kind == ACKNOWLEDGE || changes[i].kind == SYNC_FILE ||
			    changes[i].kind == SYNC_DIR)
				continue;
			if (!is_covered(&changes[i], i + 1, end))
				choices *= changes[i].kind == WRITE ? 4 : 2;
		}
		assert_true(choices <= 20000);
		for (uint64_t choice = 0; choice < choices; choice++, outcomes++)
			crash_once(base, end, choice, check);
	}
	print_message("%u changes and syncs, %u outcomes\n", (unsigned)change_count, outcomes);
	forget_changes();
}

/* ---- commit ---- */

static enum queue_place wanted_place;

static void
check_commit(const struct found *f, bool acknowledged)
{
	assert_true(f->total + f->incomplete + f->damaged <= 1);
	/* After the 250 it is there, whole; and it is never anywhere else. */
	if (acknowledged)
		assert_int_equal(f->complete[wanted_place], 1);
	assert_int_equal(f->total, f->complete[wanted_place]);
}

static void
record_commit(size_t n, enum queue_place place)
{
	struct queue_writer *w = queue_writer_new(queue, QUEUE_INCOMING);
	char *body = make_body(n);
	const char *why = NULL;

	snprintf(wanted_id, sizeof(wanted_id), "%s", queue_writer_id(w));
	wanted_body = n;
	wanted_recipients = 3;
	wanted_place = place;
	intercept_on();
	queue_writer_body(w, (struct view){ body, n }, &why);
	queue_writer_set_place(w, place);
	assert_int_equal(write_message(w, NULL, 0, 3, &why), QUEUE_OK);
	record(ACKNOWLEDGE);
	intercept_off();
	queue_writer_free(&w);
	mem_free(body);
	crash_everywhere(NULL, check_commit);
	assert_int_equal(queue_remove(queue, wanted_id, place, &why), QUEUE_OK);
}

static void
test_commit(void **state)
{
	(void)state;
	record_commit(0, QUEUE_INCOMING);
	record_commit(1000, QUEUE_HOLD);
	record_commit(20000, QUEUE_INCOMING);
	record_commit(200000, QUEUE_INCOMING);
	record_commit(200000, QUEUE_HOLD);
}

/* ---- afterwards ---- */

/* A message that is on disk before the operation begins. */
static void
make_base(struct model_file *base)
{
	struct queue_message m;
	const char *why = NULL;

	put_message(QUEUE_INCOMING, 500, 2, wanted_id);
	wanted_body = 500;
	wanted_recipients = 2;
	assert_int_equal(
	    queue_message_open(queue, QUEUE_INCOMING, wanted_id, false, &m, &why), QUEUE_OK);
	base->inode = inode_of(m.fd);
	base->n = (size_t)m.journal_offset;
	base->data = mem_alloc(base->n);
	assert_true(file_pread_all(m.fd, base->data, base->n, 0));
	base->dir = inode_of(queue_dir_at(queue, QUEUE_INCOMING, 0)->fd);
	queue_message_done(&m);
}

static void
check_move(const struct found *f, bool acknowledged)
{
	assert_int_equal(f->total, 1);
	assert_int_equal(f->complete[QUEUE_INCOMING] + f->complete[QUEUE_DEFERRED], 1);
	if (acknowledged)
		assert_int_equal(f->complete[QUEUE_DEFERRED], 1);
}

static void
test_move(void **state)
{
	struct model_file base;
	const char *why = NULL;

	(void)state;
	make_base(&base);
	intercept_on();
	assert_int_equal(
	    queue_move(queue, wanted_id, QUEUE_INCOMING, QUEUE_DEFERRED, &why), QUEUE_OK);
	record(ACKNOWLEDGE);
	intercept_off();
	crash_everywhere(&base, check_move);
	assert_int_equal(queue_remove(queue, wanted_id, QUEUE_DEFERRED, &why), QUEUE_OK);
	mem_free(base.data);
}

/* Durable outcomes stay; without one the message may be as before; it is never hurt. */
static void
check_journal(const struct found *f, bool acknowledged)
{
	assert_int_equal(f->total, 1);
	if (acknowledged)
		assert_true(f->first_delivered);
}

static void
test_journal(void **state)
{
	const struct queue_journal_entry e[] = {
		{ 0, QUEUE_RCPT_DELIVERED, 1, VIEW("2.0.0"), VIEW("sent") },
		{ 1, QUEUE_RCPT_PENDING, 1, VIEW("4.0.0"), VIEW("later") },
	};
	struct model_file base;
	struct queue_message m;
	const char *why = NULL;

	(void)state;
	make_base(&base);
	assert_int_equal(
	    queue_message_open(queue, QUEUE_INCOMING, wanted_id, true, &m, &why), QUEUE_OK);
	intercept_on();
	queue_journal_append(queue, &m, &e[1], 1, false, &why);
	queue_journal_append(queue, &m, &e[0], 1, true, &why);
	record(ACKNOWLEDGE);
	queue_journal_append(queue, &m, &e[1], 1, false, &why);
	queue_journal_attempt(queue, &m, 1000000, &why);
	intercept_off();
	queue_message_done(&m);
	crash_everywhere(&base, check_journal);
	queue_remove(queue, wanted_id, QUEUE_INCOMING, &why);
	mem_free(base.data);
}

static void
check_remove(const struct found *f, bool acknowledged)
{
	(void)acknowledged; /* a removal may be undone: delivered twice */
	assert_true(f->total <= 1);
	assert_int_equal(f->damaged + f->incomplete, 0);
}

static void
test_remove(void **state)
{
	struct model_file base;
	const char *why = NULL;

	(void)state;
	make_base(&base);
	intercept_on();
	assert_int_equal(queue_remove(queue, wanted_id, QUEUE_INCOMING, &why), QUEUE_OK);
	record(ACKNOWLEDGE);
	intercept_off();
	crash_everywhere(&base, check_remove);
	mem_free(base.data);
}

/* ---- slots ---- */

static char older_id[QUEUE_ID_SIZE]; /* was in the slot before, and is delivered */

enum { OLDER_BODY = 9000, OLDER_RECIPIENTS = 1, NEWER_RECIPIENTS = 3 };

/* Through a queue of its own, whose only file is the slot as the crash left it. */
static void
look_at_slot(const struct model_file *f, struct found *found)
{
	char id[QUEUE_ID_SIZE], path[96];
	struct queue_message m;
	struct queue_scan *scan;
	const char *why = NULL;
	microseconds due;
	struct queue *after;
	int fd;

	snprintf(path, sizeof(path), "%s/slots/63", fixture_dir);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(file_pwrite_all(fd, f->data, f->n, 0));
	close(fd);
	after = queue_open(fixture_dir, true, &why);
	scan = queue_scan_new(after, QUEUE_INCOMING);
	while (queue_scan_next(scan, id, &due, &why)) {
		bool is_older = strcmp(id, older_id) == 0;

		if (!is_older)
			assert_string_equal(id, wanted_id);
		if (queue_message_open(after, QUEUE_INCOMING, id, false, &m, &why) !=
		    QUEUE_OK) {
			found->damaged++;
			continue;
		}
		if (queue_message_check_body(&m, &why) == QUEUE_OK) {
			assert_int_equal(m.body_length, is_older ? OLDER_BODY : wanted_body);
			assert_int_equal(
			    m.recipient_count, is_older ? OLDER_RECIPIENTS : NEWER_RECIPIENTS);
			found->complete[QUEUE_INCOMING] += !is_older;
		} else {
			found->damaged++;
		}
		queue_message_done(&m);
	}
	queue_scan_free(&scan);
	queue_close(&after);
	unlink(path);
}

static void
check_slot(const struct found *f, bool acknowledged)
{
	assert_true(f->complete[QUEUE_INCOMING] + f->damaged <= 1);
	if (acknowledged)
		assert_int_equal(f->complete[QUEUE_INCOMING], 1);
}

/* A message is delivered, and the next one takes its slot: nothing in between was synced. */
static void
record_slot(size_t n)
{
	struct queue_writer *w = queue_writer_new(queue, QUEUE_INCOMING);
	char *body = make_body(n);
	struct model_file base = { 0 };
	const char *why = NULL;
	struct stat st;
	int fd;

	put_message(QUEUE_INCOMING, OLDER_BODY, OLDER_RECIPIENTS, older_id);
	fd = slot_pool_fd(&queue->slots);
	assert_int_equal(fstat(fd, &st), 0);
	base.inode = st.st_ino;
	base.n = (size_t)st.st_size;
	base.data = mem_alloc(base.n);
	assert_true(file_pread_all(fd, base.data, base.n, 0));
	base.dir = inode_of(queue->slots.dir_fd);
	snprintf(wanted_id, sizeof(wanted_id), "%s", queue_writer_id(w));
	wanted_body = n;
	intercept_on();
	assert_int_equal(queue_remove(queue, older_id, QUEUE_INCOMING, &why), QUEUE_OK);
	queue_writer_body(w, (struct view){ body, n }, &why);
	assert_int_equal(write_message(w, NULL, 0, NEWER_RECIPIENTS, &why), QUEUE_OK);
	record(ACKNOWLEDGE);
	intercept_off();
	assert_true(queue_writer_slot(w) > 0);
	queue_writer_free(&w);
	assert_int_equal(queue_remove(queue, wanted_id, QUEUE_INCOMING, &why), QUEUE_OK);
	look_at = look_at_slot;
	crash_everywhere(&base, check_slot);
	look_at = look_at_file;
	mem_free(base.data);
	mem_free(body);
}

static void
test_slot(void **state)
{
	const char *why = NULL;

	(void)state;
	assert_true(queue_slots_claim(queue, &why));
	record_slot(0);
	record_slot(1000);
	record_slot(9000);
	record_slot(30000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commit), cmocka_unit_test(test_move),
		cmocka_unit_test(test_journal), cmocka_unit_test(test_remove),
		cmocka_unit_test(test_slot), /* from here on the queue has slots */
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
