/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into programs under Valgrind: a kernel without the system calls that Valgrind does
 * not know or cannot live with. Landlock and seccomp are not there (the filter forbids calls
 * that Valgrind makes itself, the rules hide its files), and openat2 is done by walking the
 * path, which asks the same of a path at rest: no links, and nothing above the directory.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Numbers that old headers lack; the same on every machine. */
#define LANDLOCK_FIRST 444
#define LANDLOCK_LAST  446

#define ARGUMENTS 6

long syscall(long number, ...);

static bool
is_link(int fd, const char *name)
{
	struct stat st;

	return fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode);
}

/* One name of the path. */
static int
step(int fd, const char *name, int flags, mode_t mode)
{
	if (strcmp(name, "..") == 0) {
		errno = EXDEV;
		return -1;
	}
	if (is_link(fd, name)) {
		errno = ELOOP;
		return -1;
	}
	return openat(fd, name, flags | O_NOFOLLOW | O_CLOEXEC, mode);
}

static int
open_beneath(int root_fd, const char *path, const struct open_how *how)
{
	char copy[1024], *name = copy, *slash;
	int fd = dup(root_fd), next, error;

	if (path[0] == '/' || snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy)) {
		close(fd);
		errno = path[0] == '/' ? EXDEV : ENAMETOOLONG;
		return -1;
	}
	while (fd >= 0 && (slash = strchr(name, '/')) != NULL) {
		*slash = '\0';
		next = slash == name ? dup(fd) : step(fd, name, O_PATH | O_DIRECTORY, 0);
		error = errno;
		close(fd);
		errno = error;
		fd = next;
		name = slash + 1;
	}
	if (fd < 0)
		return -1;
	next = step(fd, *name ? name : ".", (int)how->flags, (mode_t)how->mode);
	error = errno;
	close(fd);
	errno = error;
	return next;
}

long
syscall(long number, ...)
{
	long (*call)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	long a[ARGUMENTS];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < ARGUMENTS; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_openat2)
		return open_beneath(
		    (int)a[0], (const char *)a[1], (const struct open_how *)a[2]);
	if (number == SYS_seccomp || (number >= LANDLOCK_FIRST && number <= LANDLOCK_LAST)) {
		errno = ENOSYS;
		return -1;
	}
	return call(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
