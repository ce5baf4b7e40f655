/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing a message. Until the body outgrows a slot everything is in memory and there is no
 * file; what is small to its end goes into a slot (slots.h) where there is one. From the moment
 * the file exists until it is a durable message, its writer holds an exclusive lock on it: so
 * whoever finds the file can tell work in progress from what a writer that died left behind,
 * and nobody takes up a message that may yet be refused.
 *
 * The preamble makes it a message. It is written last, except when the whole file fits into one
 * page: one write to one page cannot be cut in two by a kill.
 *
 * Any failure ends the writer: the file is removed at once, and what failed is not tried again.
 * Above all not fsync, which after a failure may report success for pages that were lost.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/crc32c.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "queue/preamble.h"
#include "queue/queue_private.h"
#include "queue/record.h"
#include "queue/text_facts.h"

#define BODY_BUFFER  SLOT_SIZE
#define ONE_PAGE     4096
#define CREATE_TRIES 3
#define ID_DRIFT_MAX ((microseconds)86400 * 1000000)

struct queue_writer {
	struct queue *q;
	enum queue_place place;
	char id[QUEUE_ID_SIZE];
	microseconds arrival;
	unsigned flags;
	struct text_facts facts; /* of the body */
	struct buf body;         /* what is not in the file yet */
	uint64_t body_length;    /* all of it */
	uint32_t body_crc;
	struct buf header;
	struct buf envelope;
	bool has_sender;
	uint32_t recipient_count;
	int fd;                /* -1: no file */
	struct queue_dir *dir; /* where the file is, when it is one of its own */
	uint64_t slot;         /* otherwise; 0: none */
	uint64_t start;        /* of the message in the file */
	uint64_t written;      /* bytes of the body in the file */
	bool finished;         /* committed, or failed: */
	enum queue_result failure;
	char why[160];
};

struct queue_writer *
queue_writer_new(struct queue *q, enum queue_place place)
{
	struct queue_writer *w = NEW(struct queue_writer);

	w->q = q;
	w->fd = -1;
	w->arrival = clock_wall();
	queue_id_new(w->arrival, w->id);
	queue_writer_set_place(w, place);
	buf_init(&w->body, BODY_BUFFER);
	buf_init(&w->header, QUEUE_ENVELOPE_MAX);
	buf_init(&w->envelope, QUEUE_ENVELOPE_MAX);
	return w;
}

const char *
queue_writer_id(const struct queue_writer *w)
{
	return w->id;
}

bool
queue_writer_set_id(struct queue_writer *w, struct view id)
{
	microseconds arrival, difference;

	if (id.n >= QUEUE_ID_SIZE || !queue_id_time(id, &arrival))
		return false;
	difference = arrival - w->arrival;
	if (difference > ID_DRIFT_MAX || difference < -ID_DRIFT_MAX)
		return false;
	w->arrival = arrival;
	memcpy(w->id, id.p, id.n);
	w->id[id.n] = '\0';
	return true;
}

microseconds
queue_writer_arrival(const struct queue_writer *w)
{
	return w->arrival;
}

void
queue_writer_set_place(struct queue_writer *w, enum queue_place place)
{
	assert(place == QUEUE_INCOMING || place == QUEUE_HOLD);
	w->place = place;
}

void
queue_writer_add_flags(struct queue_writer *w, unsigned flags)
{
	w->flags |= flags;
}

uint64_t
queue_writer_body_size(const struct queue_writer *w)
{
	return w->body_length;
}

size_t
queue_writer_recipient_count(const struct queue_writer *w)
{
	return w->recipient_count;
}

/* ---- failure ---- */

/* Removes the file, or at least makes it worthless, before the lock goes with the descriptor.
 */
static void
discard_file(struct queue_writer *w)
{
	if (w->fd < 0)
		return;
	if (w->slot) {
		slot_pool_abandon(&w->q->slots, w->slot);
		w->fd = -1; /* the pool's */
		return;
	}
	if (unlinkat(w->dir->fd, w->id, 0) < 0 && errno != ENOENT) {
		log_warn("%s: cannot remove an unfinished queue file: %s", w->id,
		    strerrordesc_np(errno));
		if (ftruncate(w->fd, 0) < 0)
			log_warn(
			    "%s: cannot empty it either: %s", w->id, strerrordesc_np(errno));
	}
	file_close(&w->fd);
}

static bool
fail(struct queue_writer *w, const char *operation, int error)
{
	const char *text;

	w->failure = queue_system_error(error, &text);
	w->finished = true;
	snprintf(w->why, sizeof(w->why), "%s: %s", operation, text);
	discard_file(w);
	return false;
}

static enum queue_result
writer_result(struct queue_writer *w, const char **why)
{
	if (w->failure != QUEUE_OK)
		*why = w->why;
	return w->failure;
}

void
queue_writer_free(struct queue_writer **w)
{
	if (!*w)
		return;
	discard_file(*w);
	buf_done(&(*w)->body);
	buf_done(&(*w)->header);
	buf_done(&(*w)->envelope);
	mem_free(*w);
	*w = NULL;
}

/* ---- the file ---- */

static int
retry_openat(int dir_fd, const char *name, int flags)
{
	int fd;

	do
		fd = openat(dir_fd, name, flags, 0600);
	while (fd < 0 && errno == EINTR);
	return fd;
}

static int
retry_flock(int fd, int operation)
{
	int r;

	do
		r = flock(fd, operation);
	while (r < 0 && errno == EINTR);
	return r;
}

/*
 * Makes the file and takes its lock. Somebody who looks for leftovers may find it between the
 * two and remove it: then it is made again.
 */
static bool
create_file(struct queue_writer *w)
{
	const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	struct stat st;

	w->dir = queue_dir_of(w->q, w->place, w->id);
	for (int i = 0; i < CREATE_TRIES; i++) {
		w->fd = retry_openat(w->dir->fd, w->id, flags);
		if (w->fd < 0)
			return fail(w, "create", errno);
		if (retry_flock(w->fd, LOCK_EX) < 0)
			return fail(w, "lock", errno);
		if (fstat(w->fd, &st) < 0)
			return fail(w, "stat", errno);
		if (st.st_nlink)
			return true;
		file_close(&w->fd);
	}
	return fail(w, "create", ENOENT);
}

/* Drops the first n bytes from the vector. */
static void
vector_advance(struct iovec **v, int *count, size_t n)
{
	while (*count && n >= (*v)->iov_len) {
		n -= (*v)->iov_len;
		(*v)++;
		(*count)--;
	}
	if (*count) {
		(*v)->iov_base = (char *)(*v)->iov_base + n;
		(*v)->iov_len -= n;
	}
}

static bool
write_vector(struct queue_writer *w, struct iovec *v, int count, uint64_t at)
{
	vector_advance(&v, &count, 0);
	while (count) {
		ssize_t n = pwritev(w->fd, v, count, (off_t)(w->start + at));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(w, "write", errno);
		if (n == 0)
			return fail(w, "write", EIO);
		at += (uint64_t)n;
		vector_advance(&v, &count, (size_t)n);
	}
	return true;
}

static struct iovec
iovec_of(struct view v)
{
	return (struct iovec){ (void *)v.p, v.n };
}

/* ---- the body ---- */

bool
queue_writer_would_write(const struct queue_writer *w, size_t n)
{
	return n > BODY_BUFFER - w->body.len;
}

static bool
spill(struct queue_writer *w, struct view bytes)
{
	struct iovec v[2] = { iovec_of(buf_view(&w->body)), iovec_of(bytes) };
	size_t total = w->body.len + bytes.n;

	if (w->fd < 0 && !create_file(w))
		return false;
	if (!write_vector(w, v, 2, QUEUE_PREAMBLE_SIZE + w->written))
		return false;
	w->written += total;
	buf_clear(&w->body);
	return true;
}

enum queue_result
queue_writer_body(struct queue_writer *w, struct view bytes, const char **why)
{
	if (w->finished)
		return writer_result(w, why);
	text_facts_add(&w->facts, bytes);
	w->body_crc = crc32c(w->body_crc, bytes.p, bytes.n);
	w->body_length += bytes.n;
	if (queue_writer_would_write(w, bytes.n))
		spill(w, bytes);
	else
		buf_append_view(&w->body, bytes);
	return writer_result(w, why);
}

/* ---- header and envelope ---- */

void
queue_writer_header(struct queue_writer *w, struct view block)
{
	struct text_facts facts = { 0 };

	buf_clear(&w->header);
	buf_append_view(&w->header, block);
	text_facts_add(&facts, block);
	if (facts.has_8bit)
		w->flags |= QUEUE_FLAG_8BIT_HEADER;
	if (facts.has_dot_line)
		w->flags |= QUEUE_FLAG_DOT_LINES;
	if (facts.has_long_line)
		w->flags |= QUEUE_FLAG_LONG_LINES;
}

void
queue_writer_sender(struct queue_writer *w, struct view address)
{
	assert(!w->has_sender);
	record_append_sender(&w->envelope, address);
	w->has_sender = true;
}

void
queue_writer_attribute(struct queue_writer *w, struct view name, struct view value)
{
	record_append_attribute(&w->envelope, name, value);
}

void
queue_writer_recipient(struct queue_writer *w, const struct queue_recipient *r)
{
	record_append_recipient(&w->envelope, r);
	w->recipient_count++;
}

/* ---- commit ---- */

static void
flags_from_body(struct queue_writer *w)
{
	if (w->facts.has_8bit)
		w->flags |= QUEUE_FLAG_8BIT;
	if (w->facts.has_dot_line)
		w->flags |= QUEUE_FLAG_DOT_LINES;
	if (w->facts.has_long_line)
		w->flags |= QUEUE_FLAG_LONG_LINES;
	if (w->body_length && !w->facts.ends_in_crlf)
		w->flags |= QUEUE_FLAG_NO_FINAL_CRLF;
}

static void
make_preamble(struct queue_writer *w, unsigned char out[QUEUE_PREAMBLE_SIZE])
{
	struct preamble p = {
		.flags = w->flags,
		.arrival = w->arrival,
		.body_length = w->body_length,
		.header_length = w->header.len,
		.envelope_length = w->envelope.len,
		.body_crc = w->body_crc,
		.header_crc = crc32c(0, w->header.data, w->header.len),
		.envelope_crc = crc32c(0, w->envelope.data, w->envelope.len),
		.recipient_count = w->recipient_count,
		.size = w->header.len + 2 + w->body_length,
	};

	memcpy(p.id, w->id, sizeof(p.id));
	preamble_encode(&p, out);
}

/* A large message that was told late to go elsewhere: while it is still worthless. */
static bool
relocate(struct queue_writer *w)
{
	struct queue_dir *target = queue_dir_of(w->q, w->place, w->id);
	int error;

	if (target == w->dir)
		return true;
	if (renameat2(w->dir->fd, w->id, target->fd, w->id, 0) < 0)
		return fail(w, "rename", errno);
	w->dir = target;
	/* Otherwise a crash could find it complete, and in the old place. */
	error = queue_dir_sync(w->q, target);
	return error ? fail(w, "directory sync", error) : true;
}

static size_t
total_size(const struct queue_writer *w)
{
	return QUEUE_PREAMBLE_SIZE + w->body.len + w->header.len + w->envelope.len;
}

/* A place for all of a small message: a slot if there is one, or a file. */
static bool
find_place(struct queue_writer *w)
{
	struct slots *slots = &w->q->slots;

	if (!w->slot && queue_writer_is_small(w))
		w->slot = slot_pool_take(slots);
	if (!w->slot)
		return create_file(w);
	w->fd = slot_pool_fd(slots);
	w->start = (uint64_t)slot_offset(w->slot);
	return true;
}

static bool
write_all(struct queue_writer *w)
{
	unsigned char preamble[QUEUE_PREAMBLE_SIZE];
	struct iovec first = { preamble, sizeof(preamble) };
	struct iovec v[4] = { first, iovec_of(buf_view(&w->body)),
		iovec_of(buf_view(&w->header)), iovec_of(buf_view(&w->envelope)) };

	make_preamble(w, preamble);
	if (w->fd < 0) {
		if (!find_place(w))
			return false;
		if (total_size(w) <= ONE_PAGE)
			return write_vector(w, v, 4, 0);
	} else if (!relocate(w)) {
		return false;
	}
	return write_vector(w, v + 1, 3, QUEUE_PREAMBLE_SIZE + w->written) &&
	    write_vector(w, &first, 1, 0);
}

static bool
make_durable(struct queue_writer *w)
{
	int error;

	if (w->slot) {
		error = w->q->sync ? slot_pool_sync(&w->q->slots) : 0;
		return error ? fail(w, "fdatasync", error) : true;
	}
	if (w->q->sync && fsync(w->fd) < 0)
		return fail(w, "fsync", errno);
	error = queue_dir_sync(w->q, w->dir);
	return error ? fail(w, "directory sync", error) : true;
}

/* All is on disk: closing has nothing left to lose. It gives the lock up. */
static void
let_go(struct queue_writer *w)
{
	w->finished = true;
	if (w->slot) {
		slot_pool_commit(&w->q->slots, w->slot);
		w->fd = -1; /* the pool's */
	}
	file_close(&w->fd);
}

static bool
check_envelope(struct queue_writer *w)
{
	if (!w->has_sender)
		return fail(w, "envelope without a sender", EINVAL);
	if (w->header.overflow || w->envelope.overflow)
		return fail(w, "header or envelope", EFBIG);
	return true;
}

bool
queue_writer_is_small(const struct queue_writer *w)
{
	return !w->finished && w->fd < 0 && w->place == QUEUE_INCOMING &&
	    total_size(w) <= SLOT_SIZE;
}

/* Where there is a slot for it: all but the sync. False: not written, or failed. */
static bool
write_to_slot(struct queue_writer *w)
{
	if (!queue_writer_is_small(w) || !check_envelope(w))
		return false;
	flags_from_body(w);
	w->slot = slot_pool_take(&w->q->slots);
	return w->slot && write_all(w);
}

void
queue_writer_commit_small(struct queue_writer **writers, size_t count)
{
	struct queue *q = count ? writers[0]->q : NULL;
	size_t written = 0;
	int error = 0;

	for (size_t i = 0; i < count; i++)
		written += write_to_slot(writers[i]);
	if (written && q->sync)
		error = slot_pool_sync(&q->slots);
	for (size_t i = 0; i < count; i++) {
		struct queue_writer *w = writers[i];

		if (!w->slot || w->finished)
			continue;
		if (error)
			fail(w, "fdatasync", error);
		else
			let_go(w);
	}
}

bool
queue_writer_is_finished(const struct queue_writer *w)
{
	return w->finished;
}

uint64_t
queue_writer_slot(const struct queue_writer *w)
{
	return w->slot;
}

enum queue_result
queue_writer_commit(struct queue_writer *w, uint64_t *size, const char **why)
{
	if (!w->finished) {
		flags_from_body(w);
		if (check_envelope(w) && write_all(w) && make_durable(w))
			let_go(w);
	}
	if (size)
		*size = w->header.len + 2 + w->body_length;
	return writer_result(w, why);
}
