/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maildir delivery: a complete, synced file appears in new/ under a unique name. The sync of
 * new/ is shared by all deliveries to that Maildir that end at about the same time.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/list.h"
#include "base/mem.h"
#include "local/deliver_file.h"
#include "queue/dir_sync.h"

#define NAME_SIZE    256
#define CREATE_TRIES 5
#define MICROS       1000000

/* A new/ directory in use, so that its syncs can be shared. */
struct shared_sync {
	struct list link;
	dev_t dev;
	ino_t ino;
	int fd;
	unsigned users;
	struct dir_sync sync;
};

static struct list shared = { &shared, &shared };
static pthread_mutex_t shared_mutex = PTHREAD_MUTEX_INITIALIZER;
static atomic_uint delivery_number;

static struct shared_sync *
shared_find(const struct stat *st)
{
	list_for_each (l, &shared) {
		struct shared_sync *s = LIST_ITEM(l, struct shared_sync, link);

		if (s->dev == st->st_dev && s->ino == st->st_ino)
			return s;
	}
	return NULL;
}

static struct shared_sync *
shared_new(int dir_fd, const struct stat *st)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct shared_sync *s;

	if (fd < 0)
		return NULL;
	s = NEW(struct shared_sync);
	s->dev = st->st_dev;
	s->ino = st->st_ino;
	s->fd = fd;
	dir_sync_init(&s->sync, fd);
	list_append(&shared, &s->link);
	return s;
}

/* Makes what was renamed into the directory durable; 0 or errno. */
static int
directory_sync(int dir_fd)
{
	struct shared_sync *s;
	struct stat st;
	int error;

	if (fstat(dir_fd, &st) < 0)
		return errno;
	pthread_mutex_lock(&shared_mutex);
	s = shared_find(&st);
	if (!s)
		s = shared_new(dir_fd, &st);
	error = s ? 0 : errno;
	if (s)
		s->users++;
	pthread_mutex_unlock(&shared_mutex);
	if (!s)
		return error;

	error = dir_sync_wait(&s->sync);

	pthread_mutex_lock(&shared_mutex);
	if (--s->users == 0) {
		list_remove(&s->link);
		dir_sync_done(&s->sync);
		close(s->fd);
		mem_free(s);
	}
	pthread_mutex_unlock(&shared_mutex);
	return error;
}

static int
part_open(int maildir_fd, const char *part)
{
	return open_beneath(maildir_fd, part, O_RDONLY | O_DIRECTORY, 0);
}

/* Makes one directory and steps into it; the descriptor given is closed. */
static int
directory_step(int fd, const char *name)
{
	int next, error;

	if (mkdirat(fd, name, 0700) < 0 && errno != EEXIST)
		next = -1;
	else
		next = open_beneath(fd, name, O_RDONLY | O_DIRECTORY, 0);
	error = errno;
	close(fd);
	errno = error;
	return next;
}

static bool
parts_create(int maildir_fd)
{
	static const char *const parts[] = { "tmp", "new", "cur" };

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (mkdirat(maildir_fd, parts[i], 0700) < 0 && errno != EEXIST)
			return false;
	fsync(maildir_fd);
	return true;
}

/* Makes the Maildir's own directory and those above it. */
static int
maildir_create(int root_fd, struct view path)
{
	struct view name;
	int fd = openat(root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	while (fd >= 0 && view_next_word(&path, "/", &name)) {
		char *text = mem_dup(name.p, name.n);

		fd = directory_step(fd, text);
		mem_free(text);
	}
	return fd;
}

/* The host's name as it may stand in a file name. */
static void
host_print(char out[NAME_SIZE / 2])
{
	char name[65] = "localhost";
	size_t n = 0;

	gethostname(name, sizeof(name) - 1);
	for (const char *p = name; *p && n < NAME_SIZE / 2 - 5; p++) {
		if (*p == '/' || *p == ':')
			n += (size_t)snprintf(out + n, 5, "\\%03o", (unsigned)*p);
		else
			out[n++] = *p;
	}
	out[n] = '\0';
}

struct names {
	char host[NAME_SIZE / 2];
	char tmp[NAME_SIZE];
	char final[NAME_SIZE];
	microseconds when;
};

static int
tmp_create(int tmp_fd, struct names *n)
{
	for (int i = 0; i < CREATE_TRIES; i++) {
		int fd;

		n->when = clock_wall();
		snprintf(n->tmp, sizeof(n->tmp), "%lld.P%ldQ%u.%s",
		    (long long)(n->when / MICROS), (long)getpid(),
		    atomic_fetch_add(&delivery_number, 1), n->host);
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
	    (unsigned long long)st->st_ino, (long long)(n->when % MICROS), n->host);
}

static bool
file_fill(struct deliver_file *d, int fd, struct names *n)
{
	struct stat st;

	if (!content_copy(d, fd, false))
		return false;
	if (fsync(fd) < 0)
		return deliver_fail_errno(d, "sync", "maildir file", errno);
	if (fstat(fd, &st) < 0)
		return deliver_fail_errno(d, "stat", "maildir file", errno);
	final_name(n, &st);
	return true;
}

static void
file_deliver(struct deliver_file *d, int tmp_fd, int new_fd)
{
	struct names n;
	int fd, error;

	host_print(n.host);
	fd = tmp_create(tmp_fd, &n);
	if (fd < 0) {
		deliver_fail_errno(d, "create maildir file", n.tmp, errno);
		return;
	}
	if (!file_fill(d, fd, &n)) {
		unlinkat(tmp_fd, n.tmp, 0);
		close(fd);
		return;
	}
	close(fd);
	if (renameat2(tmp_fd, n.tmp, new_fd, n.final, RENAME_NOREPLACE) < 0) {
		error = errno;
		unlinkat(tmp_fd, n.tmp, 0);
		deliver_fail_errno(d, "rename maildir file", n.tmp, error);
		return;
	}
	error = directory_sync(new_fd);
	if (error) {
		unlinkat(new_fd, n.final, 0);
		deliver_fail_errno(d, "sync maildir", "new", error);
		return;
	}
	deliver_fail(d, DELIVER_SENT, "2.0.0", "delivered to maildir");
}

/* False with errno when tmp or new cannot be opened. */
static bool
parts_open(int maildir_fd, int *tmp_fd, int *new_fd)
{
	*tmp_fd = part_open(maildir_fd, "tmp");
	if (*tmp_fd < 0)
		return false;
	*new_fd = part_open(maildir_fd, "new");
	return *new_fd >= 0;
}

static void
parts_deliver(struct deliver_file *d, int maildir_fd, const char *path)
{
	int tmp_fd = -1, new_fd = -1;
	bool open = parts_open(maildir_fd, &tmp_fd, &new_fd);

	/* Another delivery may be making them at this moment. */
	if (!open && errno == ENOENT && parts_create(maildir_fd)) {
		file_close(&tmp_fd);
		open = parts_open(maildir_fd, &tmp_fd, &new_fd);
	}
	if (open)
		file_deliver(d, tmp_fd, new_fd);
	else
		deliver_fail_errno(d, "open maildir", path, errno);
	file_close(&tmp_fd);
	file_close(&new_fd);
}

void
maildir_deliver(struct deliver_file *d, int root_fd)
{
	char *path = mem_dup(d->job->path.p, d->job->path.n);
	int fd;

	if (d->job->size_limit && content_size(d->job) > d->job->size_limit) {
		deliver_fail(d, DELIVER_BOUNCED, "5.2.2",
		    "cannot update mailbox %s: the message is larger than mailbox_size_limit",
		    path);
		mem_free(path);
		return;
	}
	fd = open_beneath(root_fd, path, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0 && errno == ENOENT)
		fd = maildir_create(root_fd, d->job->path);
	if (fd < 0)
		deliver_fail_errno(d, "open maildir", path, errno);
	else
		parts_deliver(d, fd, path);
	file_close(&fd);
	mem_free(path);
}
