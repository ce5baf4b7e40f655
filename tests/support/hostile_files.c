/* SPDX-License-Identifier: Apache-2.0 */
/* Acts on files: by path, and through the descriptors that the process has anyway. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostile.h"

#define DESCRIPTORS 4096

static int
opened(int fd)
{
	if (fd >= 0)
		close(fd);
	return fd;
}

static int
read_file(const char *path)
{
	return opened(open(path, O_RDONLY | O_CLOEXEC));
}

static int
write_file(const char *path)
{
	return opened(open(path, O_WRONLY | O_APPEND | O_CLOEXEC));
}

static int
create_file(const char *path)
{
	return opened(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
}

static int
list_directory(const char *path)
{
	return opened(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int
remove_file(const char *path)
{
	return unlink(path);
}

static int
rename_file(const char *path)
{
	return rename(path, "renamed");
}

static int
link_file(const char *path)
{
	return link(path, "linked");
}

static int
truncate_file(const char *path)
{
	return truncate(path, 0);
}

static int
change_mode(const char *path)
{
	return chmod(path, 0777);
}

static int
change_owner(const char *path)
{
	return chown(path, getuid(), getgid());
}

static int
make_directory(const char *path)
{
	return mkdir(path, 0700);
}

static int
make_socket_file(const char *path)
{
	return mknod(path, S_IFSOCK | 0600, 0);
}

/* Success for an attacker: a directory at hand, from which openat could go on. */
static int
directory_at_hand(const char *unused)
{
	struct stat st;

	(void)unused;
	for (int fd = 0; fd < DESCRIPTORS; fd++)
		if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
			return fd;
	errno = ENOENT;
	return -1;
}

static bool
is_writable_file(int fd)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY && fstat(fd, &st) == 0 &&
	    S_ISREG(st.st_mode);
}

/* A file that can be written elsewhere than at its end. */
static int
writable_at_hand(const char *unused)
{
	(void)unused;
	for (int fd = 0; fd < DESCRIPTORS; fd++)
		if (is_writable_file(fd) && !(fcntl(fd, F_GETFL) & O_APPEND))
			return fd;
	errno = ENOENT;
	return -1;
}

static int
log_at_hand(void)
{
	for (int fd = 0; fd < DESCRIPTORS; fd++)
		if (is_writable_file(fd) && fcntl(fd, F_GETFL) & O_APPEND)
			return fd;
	errno = ENOENT;
	return -1;
}

/* The log is open for appending: can its past be changed? */
static int
rewrite_log(const char *unused)
{
	int fd = log_at_hand();

	(void)unused;
	return fd < 0 || fcntl(fd, F_SETFL, 0) < 0 ? -1 : (int)pwrite(fd, "X", 1, 0);
}

static int
empty_log(const char *unused)
{
	int fd = log_at_hand();
	struct stat st;

	(void)unused;
	/* The right is what counts; the log is wanted afterwards. */
	return fd < 0 || fstat(fd, &st) < 0 ? -1 : ftruncate(fd, st.st_size);
}

const struct act hostile_file_acts[] = {
	{ "read", read_file },
	{ "write", write_file },
	{ "create", create_file },
	{ "list", list_directory },
	{ "remove", remove_file },
	{ "rename", rename_file },
	{ "link", link_file },
	{ "truncate", truncate_file },
	{ "mode", change_mode },
	{ "owner", change_owner },
	{ "directory", make_directory },
	{ "socket-file", make_socket_file },
	{ "directory-at-hand", directory_at_hand },
	{ "writable-at-hand", writable_at_hand },
	{ "rewrite-log", rewrite_log },
	{ "empty-log", empty_log },
	{ NULL, NULL },
};
