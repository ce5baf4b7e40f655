/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening walks the path without following a link, and looks at who owns what is found. A later
 * delivery only asks whether the path still leads to the very directory that was opened; when
 * its owner has put another one there, that one is opened from the start.
 */
#include "local/maildir_dirs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/view.h"
#include "local/rename_order.h"

int
open_beneath(int root_fd, const char *path, int flags, unsigned mode)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC | O_NOFOLLOW),
		.mode = flags & O_CREAT ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd;

	do
		fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
	while (fd < 0 && errno == EINTR);
	return (int)fd;
}

void
maildir_cache_init(struct maildir_cache *c, const struct place *p)
{
	struct stat st;

	pthread_mutex_init(&c->mutex, NULL);
	c->current = NULL;
	c->new_path = mem_printf("%s/new", p->name);
	c->keeps_order =
	    stat(p->root, &st) == 0 && rename_keeps_order(st.st_dev) ? st.st_dev : 0;
}

static void
dirs_close(struct maildir_dirs *d)
{
	group_sync_done(&d->sync);
	file_close(&d->tmp_fd);
	file_close(&d->new_fd);
	mem_free(d);
}

void
maildir_cache_done(struct maildir_cache *c)
{
	if (c->current)
		dirs_close(c->current);
	c->current = NULL;
	mem_free(c->new_path);
	pthread_mutex_destroy(&c->mutex);
}

/* Opens a directory of ours; one that is missing is made, and its name synced. Closes fd. */
static int
directory_step(int fd, const char *name)
{
	int next = open_beneath(fd, name, O_RDONLY | O_DIRECTORY, 0);

	if (next < 0 && errno == ENOENT) {
		if (mkdirat(fd, name, 0700) == 0 || errno == EEXIST) {
			next = open_beneath(fd, name, O_RDONLY | O_DIRECTORY, 0);
			if (next >= 0 && fsync(fd) < 0)
				file_close(&next);
		}
	}
	return next;
}

/* Nobody else owns or changes what stands in this directory. */
static bool
is_private(int fd, const struct place *p, struct stat *st)
{
	if (fstat(fd, st) < 0)
		return false;
	if ((p->strict_owner && st->st_uid != geteuid()) || (st->st_mode & S_IWOTH)) {
		errno = EACCES;
		return false;
	}
	return true;
}

/* The Maildir itself, with the directories above it. */
static int
maildir_open(const struct place *p)
{
	struct view rest = view_of(p->path), name;
	int fd = open(p->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int whole = fd >= 0 ? open_beneath(fd, p->path, O_RDONLY | O_DIRECTORY, 0) : -1;
	int root;

	if (fd < 0 || whole >= 0 || errno != ENOENT) {
		file_close(&fd);
		return whole;
	}
	root = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* one that can be synced */
	if (root >= 0) {
		close(fd);
		fd = root;
	}
	while (fd >= 0 && view_next_word(&rest, "/", &name)) {
		char *text = mem_dup(name.p, name.n);
		int next = directory_step(fd, text);
		int error = errno;

		mem_free(text);
		close(fd);
		errno = error;
		fd = next;
	}
	return fd;
}

static int
part_open(int maildir_fd, const char *part, const struct place *p, struct stat *st)
{
	int fd = directory_step(maildir_fd, part);

	if (fd >= 0 && !is_private(fd, p, st)) {
		int error = errno;

		file_close(&fd);
		errno = error;
	}
	return fd;
}

static struct maildir_dirs *
dirs_open(const struct place *p)
{
	int fd = maildir_open(p), tmp_fd = -1, new_fd = -1, cur_fd = -1, error;
	struct maildir_dirs *d;
	struct stat st;

	if (fd >= 0 && is_private(fd, p, &st)) {
		cur_fd = part_open(fd, "cur", p, &st);
		tmp_fd = cur_fd >= 0 ? part_open(fd, "tmp", p, &st) : -1;
		new_fd = tmp_fd >= 0 ? part_open(fd, "new", p, &st) : -1;
	}
	error = errno;
	file_close(&fd);
	file_close(&cur_fd);
	if (new_fd < 0) {
		file_close(&tmp_fd);
		errno = error;
		return NULL;
	}
	d = NEW(struct maildir_dirs);
	d->tmp_fd = tmp_fd;
	d->new_fd = new_fd;
	d->device = st.st_dev;
	d->inode = st.st_ino;
	group_sync_init(&d->sync, GROUP_SYNC_DIRECTORY, new_fd);
	return d;
}

/* Takes the kept directories out of use; called with the mutex held. */
static void
current_drop(struct maildir_cache *c)
{
	struct maildir_dirs *d = c->current;

	c->current = NULL;
	if (d && --d->users == 0)
		dirs_close(d);
}

struct maildir_dirs *
maildir_dirs_take(struct maildir_cache *c, const struct place *p, bool fresh)
{
	struct maildir_dirs *d = NULL;
	struct stat st;

	if (stat(c->new_path, &st) < 0)
		fresh = true;
	pthread_mutex_lock(&c->mutex);
	if (fresh || !c->current || c->current->device != st.st_dev ||
	    c->current->inode != st.st_ino) {
		current_drop(c);
		c->current = dirs_open(p);
		if (c->current)
			c->current->users = 1; /* the cache */
		if (c->current)
			c->current->keeps_order = c->current->device == c->keeps_order;
	}
	d = c->current;
	if (d)
		d->users++;
	pthread_mutex_unlock(&c->mutex);
	return d;
}

void
maildir_dirs_give(struct maildir_cache *c, struct maildir_dirs *d)
{
	pthread_mutex_lock(&c->mutex);
	if (--d->users == 0)
		dirs_close(d);
	pthread_mutex_unlock(&c->mutex);
}
