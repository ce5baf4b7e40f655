/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mbox delivery: lock, look at what was opened, append, sync; a write that fails is cut off
 * again so that the mailbox is as before. What is no private regular file of the recipient is
 * not written to.
 *
 * Kernel locks are those of the open file description: the classic ones belong to the process,
 * so that two threads would both have them, and the first to close would let go for both.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "local/deliver_file.h"

#define MICROS      1000000
#define OPEN_TRIES  5
#define BLANK_LINES "\n\n"

struct mbox {
	struct deliver_file *d;
	const struct place *place;
	int root_fd;
	int fd;
	char *lock_path; /* set while the dotlock is ours */
	bool is_new;
};

/* False when this was the last try. */
static bool
lock_pause(const struct mbox *m, unsigned tries_done)
{
	struct timespec t = { m->place->lock_delay / SECOND, m->place->lock_delay % SECOND };

	if (tries_done >= m->place->lock_attempts)
		return false;
	nanosleep(&t, NULL);
	return true;
}

/* A lock left by a program that died is taken away when it has not been touched for long. */
static void
dotlock_expire(const struct mbox *m, const char *path)
{
	struct stat st;
	microseconds age;

	if (fstatat(m->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return;
	age = clock_wall() - (microseconds)st.st_mtime * MICROS;
	if (age / MICROS > m->place->stale_time / SECOND)
		unlinkat(m->root_fd, path, 0);
}

static bool
dotlock_take(struct mbox *m)
{
	char *path = mem_printf("%s.lock", m->place->path);
	unsigned tries = 0;
	int error;

	do {
		int fd = open_beneath(m->root_fd, path, O_WRONLY | O_CREAT | O_EXCL, 0600);

		if (fd >= 0) {
			close(fd);
			m->lock_path = path;
			return true;
		}
		error = errno;
		if (error == EEXIST)
			dotlock_expire(m, path);
	} while (error == EEXIST && lock_pause(m, ++tries));
	mem_free(path);
	return deliver_fail(m->d, DELIVER_DEFERRED, "4.2.0",
	    "unable to create lock file %s.lock: %s", m->place->name, strerror(error));
}

static bool
lock_once(const struct mbox *m)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (m->place->use_fcntl && fcntl(m->fd, F_OFD_SETLK, &whole) < 0)
		return false;
	return !m->place->use_flock || flock(m->fd, LOCK_EX | LOCK_NB) == 0;
}

static bool
kernel_lock_take(struct mbox *m)
{
	unsigned tries = 0;
	int error;

	do {
		if (lock_once(m))
			return true;
		error = errno;
	} while ((error == EAGAIN || error == EACCES) && lock_pause(m, ++tries));
	return deliver_fail(m->d, DELIVER_DEFERRED, "4.2.0",
	    "unable to lock for exclusive access: %s", strerror(error));
}

/* The mailbox, or a new one; another program may make or remove it at any moment. */
static int
file_open(struct mbox *m)
{
	const char *path = m->place->path;
	const int flags = O_RDWR | O_APPEND | O_NONBLOCK | O_NOCTTY;

	for (int i = 0; i < OPEN_TRIES; i++) {
		int fd = open_beneath(m->root_fd, path, flags, 0);

		m->is_new = false;
		if (fd >= 0 || errno != ENOENT)
			return fd;
		fd = open_beneath(m->root_fd, path, flags | O_CREAT | O_EXCL, 0600);
		m->is_new = fd >= 0;
		if (fd >= 0 || errno != EEXIST)
			return fd;
	}
	return -1;
}

/*
 * The number of names is that of what the path leads to now: a link that was opened may have
 * been taken away since, and the file would look like one that never had another name. This is
 * care for the reader's own files; others are safe through the reader's rights and the owner.
 */
static bool
file_is_fit(struct mbox *m, struct stat *st)
{
	const char *fault = NULL;
	struct stat named;

	if (fstat(m->fd, st) < 0)
		return deliver_fail_errno(m->d, "stat", errno);
	if (fstatat(m->root_fd, m->place->path, &named, AT_SYMLINK_NOFOLLOW) < 0)
		return deliver_fail_errno(m->d, "destination went away", errno);
	if (!S_ISREG(st->st_mode))
		fault = "destination is not a regular file";
	else if (named.st_dev != st->st_dev || named.st_ino != st->st_ino)
		fault = "destination was swapped with another";
	else if (named.st_nlink != 1 || st->st_nlink != 1)
		fault = "destination has more than one name";
	else if (m->place->strict_owner && st->st_uid != geteuid())
		fault = "destination is not owned by recipient";
	else if (st->st_mode & S_IWOTH)
		fault = "destination is writable for everybody";
	return !fault || deliver_fail(m->d, DELIVER_DEFERRED, "4.2.0", "%s", fault);
}

/* A new mailbox is there after a crash only when its directory says so. */
static bool
directory_sync(const struct mbox *m)
{
	const char *path = m->place->path, *slash = strrchr(path, '/');
	char *above = slash ? mem_dup(path, (size_t)(slash - path)) : mem_strdup(".");
	int fd = open_beneath(m->root_fd, above, O_RDONLY | O_DIRECTORY, 0);
	bool ok = fd >= 0 && fsync(fd) == 0;

	/* A directory that may be written but not read cannot be synced by us. */
	if (fd < 0 && errno == EACCES)
		ok = true;
	if (!ok)
		deliver_fail_errno(m->d, "sync directory", errno);
	file_close(&fd);
	mem_free(above);
	return ok;
}

/* What a writer that died in the middle of a line left must not swallow the next From line. */
static bool
last_line_end(struct mbox *m, const struct stat *before)
{
	char last;

	if (before->st_size == 0)
		return true;
	if (!file_pread_all(m->fd, &last, 1, before->st_size - 1))
		return deliver_fail_errno(m->d, "read", errno);
	return last == '\n' || file_write_all(m->fd, BLANK_LINES, sizeof(BLANK_LINES) - 1) ||
	    deliver_fail_errno(m->d, "error writing message", errno);
}

static bool
append(struct mbox *m, const struct stat *before)
{
	uint64_t limit = m->place->size_limit, size = (uint64_t)before->st_size;
	uint64_t room = limit == 0 ? UINT64_MAX : size < limit ? limit - size : 0;
	bool ok = last_line_end(m, before) && content_copy(m->d, m->fd, true, room);

	if (ok && fsync(m->fd) < 0)
		ok = deliver_fail_errno(m->d, "sync", errno);
	if (ok && m->is_new)
		ok = directory_sync(m);
	if (!ok && ftruncate(m->fd, before->st_size) < 0)
		deliver_fail_errno(m->d, "truncate", errno);
	return ok;
}

static bool
mailbox_update(struct mbox *m)
{
	struct stat st;

	m->root_fd = open(m->place->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (m->root_fd < 0)
		return deliver_fail_errno(m->d, "open directory", errno);
	if (m->place->use_dotlock && !dotlock_take(m))
		return false;
	m->fd = file_open(m);
	if (m->fd < 0)
		return deliver_fail_errno(m->d, "cannot open file", errno);
	/* What it is comes before locking it: a FIFO or a device is not even locked. */
	return file_is_fit(m, &st) && kernel_lock_take(m) && file_is_fit(m, &st) &&
	    append(m, &st);
}

/* Waits for the other deliveries of this worker as long as for any other program's lock. */
static bool
turn_take(struct mbox *m)
{
	nanoseconds span = (nanoseconds)m->place->lock_attempts * m->place->lock_delay;
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += span / SECOND + 1;
	return pthread_mutex_clocklock(&m->d->mailbox->turn, CLOCK_MONOTONIC, &until) == 0 ||
	    deliver_fail(m->d, DELIVER_DEFERRED, "4.2.0",
		"unable to lock for exclusive access: other deliveries wait for it");
}

void
mbox_deliver(struct deliver_file *d)
{
	struct mbox m = { .d = d, .place = &d->mailbox->place, .root_fd = -1, .fd = -1 };

	if (!turn_take(&m))
		return;
	if (mailbox_update(&m))
		deliver_end(d, DELIVER_SENT, "2.0.0", "delivered to mailbox");
	file_close(&m.fd);
	if (m.lock_path)
		unlinkat(m.root_fd, m.lock_path, 0);
	file_close(&m.root_fd);
	mem_free(m.lock_path);
	pthread_mutex_unlock(&d->mailbox->turn);
}
