/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directories of the queue and what happens to whole messages in them: move, remove, find.
 *
 * All names are relative to descriptors opened once, so that a process which can no longer see
 * the path of the queue still works on it, and a message is always one file under one name:
 * nothing here looks inside, except to make sure that what it removes as incomplete still is.
 *
 * Deferred mail is spread over 16 directories by a checksum of the id.
 */
#include "queue/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/file.h"
#include "base/mem.h"
#include "queue/preamble.h"
#include "queue/queue_private.h"

#define MICROSECONDS 1000000
#define SLOTS_NAME   "slots"
#define INDEX_NAME   "index"

static const struct {
	const char *name;
	size_t first; /* index into queue.dirs */
	size_t count;
} places[QUEUE_PLACES] = {
	[QUEUE_INCOMING] = { "incoming", 0, 1 },
	[QUEUE_HOLD] = { "hold", 1, 1 },
	[QUEUE_CORRUPT] = { "corrupt", 2, 1 },
	[QUEUE_DEFERRED] = { "deferred", 3, QUEUE_FAN_OUT },
};

static const char hex_digits[] = "0123456789abcdef";

static size_t
fan_out_index(const char *id)
{
	return crc32c(0, id, strlen(id)) % QUEUE_FAN_OUT;
}

/* The directory's name below the queue: "incoming", "deferred/7". */
static void
dir_name(enum queue_place place, size_t index, char *out, size_t size)
{
	if (places[place].count == 1)
		snprintf(out, size, "%s", places[place].name);
	else
		snprintf(out, size, "%s/%c", places[place].name, hex_digits[index]);
}

struct queue_dir *
queue_dir_at(struct queue *q, enum queue_place place, size_t index)
{
	return index < places[place].count ? &q->dirs[places[place].first + index] : NULL;
}

struct queue_dir *
queue_dir_of(struct queue *q, enum queue_place place, const char *id)
{
	if (!queue_id_is_valid(view_of(id)))
		return NULL;
	return queue_dir_at(q, place, places[place].count == 1 ? 0 : fan_out_index(id));
}

const char *
queue_place_name(enum queue_place place)
{
	return places[place].name;
}

bool
queue_place_parse(struct view name, enum queue_place *out)
{
	for (size_t i = 0; i < QUEUE_PLACES; i++) {
		if (view_eq(name, view_of(places[i].name))) {
			*out = (enum queue_place)i;
			return true;
		}
	}
	return false;
}

void
queue_path(enum queue_place place, const char *id, char *out, size_t size)
{
	char dir[16];

	dir_name(place, fan_out_index(id), dir, sizeof(dir));
	snprintf(out, size, "%s/%s", dir, id);
}

const char *
queue_result_text(enum queue_result r)
{
	switch (r) {
	case QUEUE_OK:
		return "ok";
	case QUEUE_GONE:
		return "no such message";
	case QUEUE_INCOMPLETE:
		return "incomplete message file";
	case QUEUE_BUSY:
		return "message still being written";
	case QUEUE_DAMAGED:
		return "damaged message file";
	case QUEUE_NO_SPACE:
		return "insufficient system storage";
	case QUEUE_ERROR:
		break;
	}
	return "queue file error";
}

enum queue_result
queue_system_error(int error, const char **why)
{
	*why = strerrordesc_np(error);
	if (!*why)
		*why = "unknown error";
	return error == ENOSPC || error == EDQUOT || error == EFBIG ? QUEUE_NO_SPACE
								    : QUEUE_ERROR;
}

enum queue_result
queue_lookup_error(int error, const char **why)
{
	enum queue_result r = queue_system_error(error, why);

	return error == ENOENT ? QUEUE_GONE : r;
}

/* ---- opening ---- */

/* The text lives in the thread: these run at start-up and end in a line of log. */
static const char *
name_error(const char *name, int error)
{
	static _Thread_local char text[512];

	snprintf(text, sizeof(text), "%s: %s", name, strerrordesc_np(error));
	return text;
}

static bool
open_dirs(struct queue *q, enum queue_place place, const char **why)
{
	struct queue_dir *dir;
	char name[16];

	for (size_t i = 0; (dir = queue_dir_at(q, place, i)); i++) {
		dir_name(place, i, name, sizeof(name));
		dir->fd = openat(q->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (dir->fd < 0) {
			*why = name_error(name, errno);
			return false;
		}
		group_sync_init(&dir->sync, GROUP_SYNC_DIRECTORY, dir->fd);
	}
	return true;
}

static bool
open_slots(struct queue *q, const char **why)
{
	int fd = openat(q->fd, SLOTS_NAME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0) {
		*why = name_error(SLOTS_NAME, errno);
		return false;
	}
	slots_init(&q->slots, fd);
	return true;
}

struct queue *
queue_open(const char *directory, bool sync, const char **why)
{
	struct queue *q = NEW(struct queue);
	bool ok = true;

	q->sync = sync;
	q->slots.dir_fd = -1;
	for (size_t i = 0; i < QUEUE_DIRS; i++)
		q->dirs[i].fd = -1;
	q->fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (q->fd < 0) {
		*why = name_error(directory, errno);
		ok = false;
	}
	for (size_t place = 0; ok && place < QUEUE_PLACES; place++)
		ok = open_dirs(q, (enum queue_place)place, why);
	ok = ok && open_slots(q, why);
	if (!ok)
		queue_close(&q);
	return q;
}

void
queue_close(struct queue **q)
{
	if (!*q)
		return;
	for (size_t i = 0; i < QUEUE_DIRS; i++) {
		if ((*q)->dirs[i].fd < 0)
			continue;
		group_sync_done(&(*q)->dirs[i].sync);
		file_close(&(*q)->dirs[i].fd);
	}
	if ((*q)->slots.dir_fd >= 0)
		slots_done(&(*q)->slots);
	file_close(&(*q)->fd);
	mem_free(*q);
	*q = NULL;
}

/* Makes it, or finds it there; its entry is on disk afterwards. */
static bool
create_dir(int parent_fd, const char *name, const char **why)
{
	if (mkdirat(parent_fd, name, 0700) < 0) {
		if (errno == EEXIST)
			return true;
	} else if (fsync(parent_fd) == 0) {
		return true;
	}
	*why = name_error(name, errno);
	return false;
}

static bool
create_fan_out(int queue_fd, const char *name, const char **why)
{
	int fd = openat(queue_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char digit[2] = "";
	bool ok = true;

	if (fd < 0) {
		*why = name_error(name, errno);
		return false;
	}
	for (size_t i = 0; ok && i < QUEUE_FAN_OUT; i++) {
		digit[0] = hex_digits[i];
		ok = create_dir(fd, digit, why);
	}
	file_close(&fd);
	return ok;
}

bool
queue_create(const char *directory, const char **why)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = true;

	if (fd < 0) {
		*why = name_error(directory, errno);
		return false;
	}
	for (size_t i = 0; ok && i < QUEUE_PLACES; i++) {
		ok = create_dir(fd, places[i].name, why);
		if (ok && places[i].count > 1)
			ok = create_fan_out(fd, places[i].name, why);
	}
	ok = ok && create_dir(fd, SLOTS_NAME, why);
	ok = ok && create_dir(fd, INDEX_NAME, why);
	file_close(&fd);
	return ok;
}

bool
queue_free_space(struct queue *q, unsigned long long *bytes)
{
	struct statvfs v;

	if (fstatvfs(q->fd, &v) < 0)
		return false;
	*bytes = (unsigned long long)v.f_bavail * v.f_frsize;
	return true;
}

/* ---- moves ---- */

int
queue_dir_sync(struct queue *q, struct queue_dir *dir)
{
	return q->sync ? group_sync_wait(&dir->sync) : 0;
}

/* renameat2 knows no RENAME_NOREPLACE on some file systems: then two names for a moment. */
static int
rename_no_replace(int from_fd, int to_fd, const char *name)
{
	if (renameat2(from_fd, name, to_fd, name, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return errno;
	if (linkat(from_fd, name, to_fd, name, 0) < 0)
		return errno;
	return unlinkat(from_fd, name, 0) < 0 ? errno : 0;
}

uint64_t
queue_slot_of(struct queue *q, enum queue_place place, const char *id)
{
	uint64_t slot;
	struct stat st;

	if (place != QUEUE_INCOMING)
		return 0;
	slot = slot_learned(&q->slots, id);
	/* Damaged: we were cut short when we freed it. */
	if (slot && (slot_holds(&q->slots, slot, id) || slot_is_damaged(&q->slots, slot)))
		return slot;
	if (fstatat(queue_dir_of(q, place, id)->fd, id, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	return slot_search(&q->slots, id);
}

void
queue_slot_hint(struct queue *q, const char *id, uint64_t slot)
{
	slot_learn(&q->slots, slot, id);
}

/*
 * The target's name is taken by a whole message: the same one, for ids are unique. It was
 * handed in again when nobody answered, or a move by two names was cut short. The one there may
 * have been under way for longer, so it stays. 0 or errno.
 */
static int
give_way(struct queue *q, struct queue_dir *source, enum queue_place to, const char *id)
{
	struct queue_message m;
	const char *why;

	if (queue_file_open(q, to, id, false, &m, &why) != QUEUE_OK)
		return EEXIST;
	queue_message_done(&m);
	return unlinkat(source->fd, id, 0) < 0 ? errno : 0;
}

/* *durable: it was in a slot, and has been committed to a file. */
static enum queue_result
rename_message(struct queue *q, const char *id, enum queue_place from, enum queue_place to,
    bool *durable, const char **why)
{
	struct queue_dir *source = queue_dir_of(q, from, id);
	struct queue_dir *target = queue_dir_of(q, to, id);
	uint64_t slot;
	int error;

	if (!source)
		return queue_lookup_error(ENOENT, why);
	slot = queue_slot_of(q, from, id);
	*durable = slot != 0;
	if (slot)
		return slot_move(q, slot, id, to, why);
	error = rename_no_replace(source->fd, target->fd, id);
	/* A move out of a slot that was cut short may have left something. */
	if (error == EEXIST && queue_remove_incomplete(q, id, to, why) == QUEUE_OK)
		error = rename_no_replace(source->fd, target->fd, id);
	else if (error == EEXIST && to != QUEUE_CORRUPT)
		error = give_way(q, source, to, id);
	return error ? queue_lookup_error(error, why) : QUEUE_OK;
}

enum queue_result
queue_rename(struct queue *q, const char *id, enum queue_place from, enum queue_place to,
    const char **why)
{
	bool durable;

	return rename_message(q, id, from, to, &durable, why);
}

enum queue_result
queue_sync(struct queue *q, enum queue_place place, const char **why)
{
	struct queue_dir *dir;
	int error = 0;

	for (size_t i = 0; !error && (dir = queue_dir_at(q, place, i)) != NULL; i++)
		error = queue_dir_sync(q, dir);
	return error ? queue_system_error(error, why) : QUEUE_OK;
}

enum queue_result
queue_move(struct queue *q, const char *id, enum queue_place from, enum queue_place to,
    const char **why)
{
	bool durable = false;
	enum queue_result r = rename_message(q, id, from, to, &durable, why);
	int error;

	if (r != QUEUE_OK || durable)
		return r;
	/* The new name first: in between, a crash may leave both, but never none. */
	error = queue_dir_sync(q, queue_dir_of(q, to, id));
	if (!error)
		error = queue_dir_sync(q, queue_dir_of(q, from, id));
	return error ? queue_system_error(error, why) : QUEUE_OK;
}

enum queue_result
queue_remove(struct queue *q, const char *id, enum queue_place from, const char **why)
{
	struct queue_dir *dir = queue_dir_of(q, from, id);
	uint64_t slot;

	if (!dir)
		return queue_lookup_error(ENOENT, why);
	slot = queue_slot_of(q, from, id);
	if (slot)
		return slot_release(&q->slots, slot, why);
	if (unlinkat(dir->fd, id, 0) < 0)
		return queue_lookup_error(errno, why);
	return QUEUE_OK;
}

/* Only what a writer never finished may go this way. */
static bool
is_incomplete(int fd)
{
	char first[QUEUE_PREAMBLE_SIZE];
	struct preamble p;
	const char *why;
	struct stat st;
	size_t n;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	n = st.st_size < (off_t)sizeof(first) ? (size_t)st.st_size : sizeof(first);
	if (!file_pread_all(fd, first, n, 0))
		return false;
	return preamble_decode((struct view){ first, n }, &p, &why) == PREAMBLE_ABSENT;
}

enum queue_result
queue_remove_incomplete(
    struct queue *q, const char *id, enum queue_place place, const char **why)
{
	struct queue_dir *dir = queue_dir_of(q, place, id);
	enum queue_result r = QUEUE_ERROR;
	int fd;

	if (!dir)
		return queue_lookup_error(ENOENT, why);
	fd = openat(dir->fd, id, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return queue_lookup_error(errno, why);
	/* A writer that comes for the lock now waits, and then sees that its file is gone. */
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		queue_system_error(errno, why);
		if (errno == EWOULDBLOCK)
			r = QUEUE_BUSY;
	} else if (is_incomplete(fd)) {
		/* The file alone: the message may still be in the slot that it was to leave. */
		r = unlinkat(dir->fd, id, 0) == 0 ? QUEUE_OK : queue_lookup_error(errno, why);
	} else {
		*why = "not an incomplete message file";
	}
	file_close(&fd);
	return r;
}

bool
queue_find(struct queue *q, const char *id, enum queue_place *place)
{
	struct stat st;

	if (!queue_id_is_valid(view_of(id)))
		return false;
	for (size_t i = 0; i < QUEUE_PLACES; i++) {
		struct queue_dir *dir = queue_dir_of(q, (enum queue_place)i, id);

		if (fstatat(dir->fd, id, &st, AT_SYMLINK_NOFOLLOW) == 0) {
			*place = (enum queue_place)i;
			return true;
		}
	}
	*place = QUEUE_INCOMING;
	return slot_search(&q->slots, id) != 0;
}

bool
queue_is_at(struct queue *q, const char *id, enum queue_place place)
{
	struct queue_dir *dir = queue_dir_of(q, place, id);
	struct stat st;

	return dir && fstatat(dir->fd, id, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

enum queue_result
queue_set_due(struct queue *q, const char *id, microseconds due, const char **why)
{
	struct queue_dir *dir = queue_dir_of(q, QUEUE_DEFERRED, id);
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };

	if (!dir)
		return queue_lookup_error(ENOENT, why);
	times[1].tv_sec = due / MICROSECONDS;
	times[1].tv_nsec = due % MICROSECONDS * 1000;
	if (utimensat(dir->fd, id, times, AT_SYMLINK_NOFOLLOW) < 0)
		return queue_lookup_error(errno, why);
	return QUEUE_OK;
}
