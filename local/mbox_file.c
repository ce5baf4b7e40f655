/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mbox delivery: lock, look at what was opened, append, sync; a write that fails is cut off
 * again so that the mailbox is as before. What is no private regular file of the recipient is
 * not written to.
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

#define WORDS ", \t\r\n"

struct mbox {
	struct deliver_file *d;
	int root_fd;
	char *path;
	char *lock_path; /* set while the dotlock is ours */
	int fd;
	bool use_dotlock, use_fcntl, use_flock;
};

static bool
locks_parse(struct mbox *m)
{
	struct view rest = m->d->job->locks, word;

	while (view_next_word(&rest, WORDS, &word)) {
		if (view_eq_nocase(word, VIEW("dotlock")))
			m->use_dotlock = true;
		else if (view_eq_nocase(word, VIEW("fcntl")))
			m->use_fcntl = true;
		else if (view_eq_nocase(word, VIEW("flock")))
			m->use_flock = true;
		else
			return deliver_fail(m->d, DELIVER_DEFERRED, "4.3.5",
			    "mailbox_delivery_lock: \"%.*s\" is not a lock method",
			    VIEW_ARG(word));
	}
	return true;
}

static void
lock_pause(const struct mbox *m)
{
	nanoseconds span = (nanoseconds)m->d->job->lock_delay;
	struct timespec t = { span / SECOND, span % SECOND };

	nanosleep(&t, NULL);
}

/* A lock left by a program that died is taken away when it has not been touched for long. */
static void
dotlock_expire(const struct mbox *m, const char *path)
{
	struct stat st;
	microseconds age;

	if (fstatat(m->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	age = clock_wall() - (microseconds)st.st_mtime * 1000000;
	if (age / 1000000 > (microseconds)(m->d->job->stale_time / SECOND))
		unlinkat(m->root_fd, path, 0);
}

static bool
dotlock_take(struct mbox *m)
{
	char *path = mem_printf("%s.lock", m->path);
	uint64_t tries = m->d->job->lock_attempts;
	int error = 0;

	for (uint64_t i = 0; i < (tries ? tries : 1); i++) {
		int fd = open_beneath(m->root_fd, path, O_WRONLY | O_CREAT | O_EXCL, 0600);

		if (fd >= 0) {
			close(fd);
			m->lock_path = path;
			return true;
		}
		error = errno;
		if (error != EEXIST)
			break;
		dotlock_expire(m, path);
		lock_pause(m);
	}
	mem_free(path);
	return deliver_fail(m->d, DELIVER_DEFERRED, "4.2.0",
	    "cannot update mailbox: unable to create lock file %s.lock: %s", m->path,
	    strerror(error));
}

static bool
lock_once(const struct mbox *m)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (m->use_fcntl && fcntl(m->fd, F_SETLK, &whole) < 0)
		return false;
	return !m->use_flock || flock(m->fd, LOCK_EX | LOCK_NB) == 0;
}

static bool
kernel_lock_take(struct mbox *m)
{
	uint64_t tries = m->d->job->lock_attempts;

	for (uint64_t i = 0; i < (tries ? tries : 1); i++) {
		if (lock_once(m))
			return true;
		if (errno != EAGAIN && errno != EACCES && errno != EWOULDBLOCK)
			break;
		lock_pause(m);
	}
	return deliver_fail(m->d, DELIVER_DEFERRED, "4.2.0",
	    "cannot update mailbox: unable to lock for exclusive access: %s", strerror(errno));
}

static int
file_open(const struct mbox *m)
{
	int fd =
	    open_beneath(m->root_fd, m->path, O_RDWR | O_APPEND | O_NONBLOCK | O_NOCTTY, 0);

	if (fd >= 0 || errno != ENOENT)
		return fd;
	return open_beneath(
	    m->root_fd, m->path, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NONBLOCK, 0600);
}

static bool
file_is_fit(struct mbox *m, struct stat *st)
{
	const char *fault = NULL;

	if (fstat(m->fd, st) < 0)
		return deliver_fail_errno(m->d, "stat", m->path, errno);
	if (!S_ISREG(st->st_mode))
		fault = "not a regular file";
	else if (st->st_nlink != 1)
		fault = "has more than one name, or none";
	else if (st->st_uid != geteuid())
		fault = "owned by another user";
	else if (st->st_mode & S_IWOTH)
		fault = "writable for everybody";
	if (fault)
		return deliver_fail(m->d, DELIVER_DEFERRED, "4.2.0",
		    "cannot update mailbox %s: %s", m->path, fault);
	return true;
}

static bool
size_is_within(struct mbox *m, const struct stat *st)
{
	uint64_t limit = m->d->job->size_limit;

	if (limit == 0 || (uint64_t)st->st_size + content_size(m->d->job) <= limit)
		return true;
	return deliver_fail(m->d, DELIVER_BOUNCED, "5.2.2",
	    "cannot update mailbox %s: it would exceed mailbox_size_limit", m->path);
}

static bool
append(struct mbox *m, const struct stat *before)
{
	if (!content_copy(m->d, m->fd, true)) {
		if (ftruncate(m->fd, before->st_size) < 0)
			deliver_fail_errno(m->d, "truncate", m->path, errno);
		return false;
	}
	if (fsync(m->fd) < 0) {
		int error = errno;

		if (ftruncate(m->fd, before->st_size) < 0)
			error = errno;
		return deliver_fail_errno(m->d, "sync", m->path, error);
	}
	return true;
}

static bool
mailbox_update(struct mbox *m)
{
	struct stat st;

	if (!locks_parse(m) || (m->use_dotlock && !dotlock_take(m)))
		return false;
	m->fd = file_open(m);
	if (m->fd < 0) {
		if (errno == ELOOP)
			return deliver_fail(m->d, DELIVER_DEFERRED, "4.2.0",
			    "cannot update mailbox %s: a symbolic link is in the way", m->path);
		return deliver_fail_errno(m->d, "open", m->path, errno);
	}
	/* What it is comes before locking it: a FIFO or a device is not even locked. */
	return file_is_fit(m, &st) && kernel_lock_take(m) && file_is_fit(m, &st) &&
	    size_is_within(m, &st) && append(m, &st);
}

void
mbox_deliver(struct deliver_file *d, int root_fd)
{
	struct mbox m = { .d = d, .root_fd = root_fd, .fd = -1 };

	m.path = mem_dup(d->job->path.p, d->job->path.n);
	if (mailbox_update(&m))
		deliver_fail(d, DELIVER_SENT, "2.0.0", "delivered to mailbox");
	file_close(&m.fd);
	if (m.lock_path)
		unlinkat(root_fd, m.lock_path, 0);
	mem_free(m.lock_path);
	mem_free(m.path);
}
