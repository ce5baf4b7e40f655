/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message that does not leave at once gets a file of its own: to be deferred or held, set
 * aside, or to have a journal. The file is complete and on disk before the slot is freed, so in
 * between a crash leaves both. They are told apart at the next start: the slot goes.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "queue/queue_private.h"
#include "queue/slots.h"

#define CREATE_TRIES 3

/* ---- a file of its own ---- */

/*
 * Made and locked, as a writer does it: somebody who clears up after dead writers may find it
 * between the two and remove it. -1 with errno.
 */
static int
file_create(struct queue_dir *dir, const char *name)
{
	const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	struct stat st;
	int fd, error;

	for (unsigned i = 0; i < CREATE_TRIES; i++) {
		fd = openat(dir->fd, name, flags, 0600);
		if (fd < 0)
			return -1;
		if (flock(fd, LOCK_EX) < 0 || fstat(fd, &st) < 0) {
			error = errno;
			unlinkat(dir->fd, name, 0);
			file_close(&fd);
			errno = error;
			return -1;
		}
		if (st.st_nlink)
			return fd;
		file_close(&fd);
	}
	errno = EAGAIN;
	return -1;
}

/* The preamble last. */
static bool
file_fill(int fd, struct view bytes)
{
	return file_pwrite_all(fd, bytes.p + QUEUE_PREAMBLE_SIZE, bytes.n - QUEUE_PREAMBLE_SIZE,
		   QUEUE_PREAMBLE_SIZE) &&
	    file_pwrite_all(fd, bytes.p, QUEUE_PREAMBLE_SIZE, 0);
}

/* 0 or errno. */
static int
file_make(struct queue *q, struct queue_dir *dir, const char *name, struct view bytes)
{
	int fd = file_create(dir, name);
	int error = 0;

	if (fd < 0)
		return errno;
	if (!file_fill(fd, bytes) || (q->sync && fsync(fd) < 0))
		error = errno;
	else
		error = queue_dir_sync(q, dir);
	if (error)
		unlinkat(dir->fd, name, 0);
	file_close(&fd);
	return error;
}

/* The name is taken. By the same message, from a move that a crash cut short? */
static enum queue_result
settle_existing(struct queue *q, enum queue_place to, const char *id, const char **why)
{
	struct queue_message m;
	enum queue_result r = queue_file_open(q, to, id, false, &m, why);

	if (r == QUEUE_OK)
		queue_message_done(&m);
	if (r == QUEUE_INCOMPLETE)
		r = queue_remove_incomplete(q, id, to, why) == QUEUE_OK ? QUEUE_GONE : r;
	return r;
}

enum queue_result
slot_move(struct queue *q, uint64_t slot, const char *id, enum queue_place to, const char **why)
{
	struct queue_dir *dir = queue_dir_of(q, to, id);
	enum queue_result r;
	struct buf bytes;
	int error;

	r = slot_read(&q->slots, slot, id, false, &bytes, why);
	/* We were here before, and cut short when we freed it. */
	if (r == QUEUE_DAMAGED && settle_existing(q, to, id, why) == QUEUE_OK)
		return slot_release(&q->slots, slot, why);
	if (r != QUEUE_OK)
		return r;
	error = file_make(q, dir, id, buf_view(&bytes));
	if (error == EEXIST) {
		r = settle_existing(q, to, id, why);
		error = r == QUEUE_GONE ? file_make(q, dir, id, buf_view(&bytes)) : 0;
		if (r == QUEUE_GONE)
			r = QUEUE_OK;
	}
	buf_done(&bytes);
	if (error)
		return queue_system_error(error, why);
	return r == QUEUE_OK ? slot_release(&q->slots, slot, why) : r;
}

/* ---- after a crash ---- */

static bool
has_own_file(struct queue *q, const char *id)
{
	static const enum queue_place places[] = { QUEUE_INCOMING, QUEUE_DEFERRED, QUEUE_HOLD };
	struct queue_message m;
	const char *why;

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		if (queue_file_open(q, places[i], id, false, &m, &why) != QUEUE_OK)
			continue;
		queue_message_done(&m);
		return true;
	}
	return false;
}

/* Bytes that are no message: kept for somebody to look at, under a name that is free. */
static void
set_aside(struct queue *q, uint64_t slot)
{
	int fd = slots_fd(&q->slots, slot_file_number(slot));
	char *bytes = mem_alloc(SLOT_SIZE);
	char id[QUEUE_ID_SIZE];
	const char *why = "";
	int error = EIO;

	queue_id_new(clock_wall(), id);
	if (file_pread_all(fd, bytes, SLOT_SIZE, slot_offset(slot)))
		error = file_make(q, queue_dir_of(q, QUEUE_CORRUPT, id), id,
		    (struct view){ bytes, SLOT_SIZE });
	if (!error && slot_release(&q->slots, slot, &why) == QUEUE_OK)
		log_warn("damaged place for a small message: moved to corrupt/%s", id);
	else
		log_warn("damaged place for a small message: %s",
		    error ? strerrordesc_np(error) : why);
	mem_free(bytes);
}

static void
recover_one(struct queue *q, uint64_t slot)
{
	struct preamble p;
	const char *why;

	switch (slot_peek(&q->slots, slot, &p)) {
	case PREAMBLE_ABSENT:
		return;
	case PREAMBLE_WRONG:
		if (slot_is_damaged(&q->slots, slot))
			set_aside(q, slot);
		return;
	case PREAMBLE_VALID:
		if (!slot_is_locked(&q->slots, slot) && has_own_file(q, p.id))
			slot_release(&q->slots, slot, &why);
	}
}

void
queue_slots_recover(struct queue *q)
{
	for (unsigned file = 0; file < SLOT_FILES_MAX; file++) {
		unsigned count = slots_count(&q->slots, file);

		for (unsigned i = 0; i < count; i++)
			recover_one(q, (uint64_t)file * SLOTS_MAX + i + 1);
	}
}
