/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maildir delivery: a complete file appears in new/ under a unique name, and is durable there
 * before anybody is told so.
 *
 * It takes two syncs, of the file before it gets its name and of the directory afterwards. On a
 * file system whose journal keeps the order of data and rename one is enough: the data is
 * written out, the file gets its name, and its sync makes all of it durable in one commit.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "local/deliver_file.h"

#define NAME_SIZE    256
#define HOST_SIZE    128
#define CREATE_TRIES 5
#define MICROS       1000000

static atomic_uint delivery_number;
static char host[HOST_SIZE];
static long process_id;
static pthread_once_t once = PTHREAD_ONCE_INIT;

struct names {
	char tmp[NAME_SIZE];
	char final[NAME_SIZE];
	microseconds when;
};

/* What is the same in all names: the process, and the host as it may stand there. */
static void
self_learn(void)
{
	char name[65] = "localhost";
	size_t n = 0;

	process_id = (long)getpid();
	gethostname(name, sizeof(name) - 1);
	for (const char *p = name; *p && n < HOST_SIZE - 5; p++) {
		if (*p == '/' || *p == ':')
			n += (size_t)snprintf(host + n, 5, "\\%03o", (unsigned)*p);
		else
			host[n++] = *p;
	}
	host[n] = '\0';
}

static int
tmp_create(int tmp_fd, struct names *n)
{
	for (int i = 0; i < CREATE_TRIES; i++) {
		int fd;

		n->when = clock_wall();
		snprintf(n->tmp, sizeof(n->tmp), "%lld.P%ldQ%u.%s",
		    (long long)(n->when / MICROS), process_id,
		    atomic_fetch_add(&delivery_number, 1), host);
		fd = openat(
		    tmp_fd, n->tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd >= 0 || errno != EEXIST)
			return fd;
	}
	return -1;
}

static void
final_name(struct names *n, const struct stat *st)
{
	snprintf(n->final, sizeof(n->final), "%lld.V%llxI%llxM%lld.%s",
	    (long long)(n->when / MICROS), (unsigned long long)st->st_dev,
	    (unsigned long long)st->st_ino, (long long)(n->when % MICROS), host);
}

/*
 * The name changes its directory and never replaces another. Where a file system cannot do that
 * in one call it is a second link, and where the network lost the answer what counts is whether
 * the file is there.
 */
static bool
file_move(const struct maildir_dirs *dirs, const struct names *n, const struct stat *st)
{
	struct stat now;
	int error;

	if (renameat2(dirs->tmp_fd, n->tmp, dirs->new_fd, n->final, RENAME_NOREPLACE) == 0)
		return true;
	error = errno;
	if (error == EINVAL || error == ENOSYS) {
		error = 0;
		if (linkat(dirs->tmp_fd, n->tmp, dirs->new_fd, n->final, 0) < 0)
			error = errno;
	}
	if (error && fstatat(dirs->new_fd, n->final, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
	    now.st_dev == st->st_dev && now.st_ino == st->st_ino)
		error = 0;
	unlinkat(dirs->tmp_fd, n->tmp, 0);
	errno = error;
	return error == 0;
}

/* All on its way before it gets its name, or all on disk. */
static int
file_write_out(int fd, bool keeps_order)
{
	return keeps_order ? sync_file_range(fd, 0, 0,
				 SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
				     SYNC_FILE_RANGE_WAIT_AFTER)
			   : fsync(fd);
}

static bool
file_fill(struct deliver_file *d, int fd, bool keeps_order, struct stat *st)
{
	uint64_t limit = d->mailbox->place.size_limit;

	if (!content_copy(d, fd, false, limit ? limit : UINT64_MAX))
		return false;
	if (file_write_out(fd, keeps_order) < 0)
		return deliver_fail_errno(d, "sync maildir file", errno);
	if (fstat(fd, st) < 0)
		return deliver_fail_errno(d, "stat maildir file", errno);
	return true;
}

/* It has its name. 0 or errno. */
static int
file_settle(struct maildir_dirs *dirs, int fd)
{
	if (!dirs->keeps_order)
		return group_sync_wait(&dirs->sync);
	return fsync(fd) < 0 ? errno : 0;
}

/* Leaves fd to the caller. */
static bool
file_deliver(struct deliver_file *d, struct maildir_dirs *dirs, int fd, struct names *n)
{
	struct stat st;
	int error;

	if (!file_fill(d, fd, dirs->keeps_order, &st)) {
		unlinkat(dirs->tmp_fd, n->tmp, 0);
		return false;
	}
	final_name(n, &st);
	if (!file_move(dirs, n, &st))
		return deliver_fail_errno(d, "rename maildir file", errno);
	error = file_settle(dirs, fd);
	if (error) {
		unlinkat(dirs->new_fd, n->final, 0);
		return deliver_fail_errno(d, "sync maildir", error);
	}
	return deliver_end(d, DELIVER_SENT, "2.0.0", "delivered to maildir");
}

/* Directories that were kept may have been removed since: then once more with fresh ones. */
static struct maildir_dirs *
file_create(struct deliver_file *d, struct names *n, int *fd)
{
	struct mailbox *m = d->mailbox;
	int error = 0;

	for (int i = 0; i < 2; i++) {
		struct maildir_dirs *dirs = maildir_dirs_take(&m->dirs, &m->place, i > 0);

		if (!dirs) {
			deliver_fail_errno(d, "open maildir directories", errno);
			return NULL;
		}
		*fd = tmp_create(dirs->tmp_fd, n);
		if (*fd >= 0)
			return dirs;
		error = errno;
		maildir_dirs_give(&m->dirs, dirs);
		if (error != ENOENT && error != ESTALE)
			break;
	}
	deliver_fail_errno(d, "create maildir file", error);
	return NULL;
}

void
maildir_deliver(struct deliver_file *d)
{
	struct maildir_dirs *dirs;
	struct names n;
	int fd = -1;

	pthread_once(&once, self_learn);
	dirs = file_create(d, &n, &fd);
	if (!dirs)
		return;
	file_deliver(d, dirs, fd, &n);
	close(fd);
	maildir_dirs_give(&d->mailbox->dirs, dirs);
}
