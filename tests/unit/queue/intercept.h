/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls with which lib/queue changes the disk, defined here instead of in libc: the
 * linker takes a program's own definition first. Each call is shown to the including test,
 * which may replace its result, and once more after it succeeded. Only what the thread under
 * test does between intercept_on and intercept_off is seen.
 */
#ifndef TESTS_INTERCEPT_H
#define TESTS_INTERCEPT_H

#include "queue_fixture.h"

#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/uio.h>

enum call_kind {
	CALL_OPENAT, /* only those that create */
	CALL_FLOCK,
	CALL_FSTAT,
	CALL_PWRITE, /* and pwritev */
	CALL_FSYNC,  /* and fdatasync */
	CALL_RENAME,
	CALL_UNLINK,
	CALL_TRUNCATE,
	CALL_TIMES,
	CALL_CLOSE,
	CALL_KINDS
};

struct call {
	enum call_kind kind;
	int fd;           /* the file, or the directory */
	int to_fd;        /* rename */
	const char *name; /* openat, rename, unlink */
	off_t at;
	char *data; /* pwrite: all of the vector in one piece */
	size_t n;
};

static _Thread_local bool intercepting;

/* The test's own: true replaces the call by *result and errno. */
static bool call_before(struct call *c, long *result);
static void call_after(const struct call *c, long result);

static inline void
intercept_on(void)
{
	intercepting = true;
}

static inline void
intercept_off(void)
{
	intercepting = false;
}

/* Runs a call by its number; the test's functions see no calls of their own. */
static long
run(struct call *c, long number, long a, long b, long d, long e, long f)
{
	bool on = intercepting;
	long result;

	intercepting = false;
	if (!on || !call_before(c, &result)) {
		result = syscall(number, a, b, d, e, f);
		if (on && result >= 0)
			call_after(c, result);
	}
	intercepting = on;
	return result;
}

int
openat(int dir, const char *name, int flags, ...)
{
	struct call c = { CALL_OPENAT, .fd = dir, .name = name };
	mode_t mode = 0;
	va_list ap;

	va_start(ap, flags);
	if (flags & O_CREAT)
		mode = va_arg(ap, mode_t);
	va_end(ap);
	if (!(flags & O_CREAT))
		return (int)syscall(SYS_openat, dir, name, flags, mode);
	return (int)run(&c, SYS_openat, dir, (long)name, flags, (long)mode, 0);
}

int
flock(int fd, int operation)
{
	struct call c = { CALL_FLOCK, .fd = fd };

	return (int)run(&c, SYS_flock, fd, operation, 0, 0, 0);
}

int
fstat(int fd, struct stat *st)
{
	struct call c = { CALL_FSTAT, .fd = fd };

	return (int)run(&c, SYS_fstat, fd, (long)st, 0, 0, 0);
}

ssize_t
pwrite(int fd, const void *p, size_t n, off_t at)
{
	struct call c = { CALL_PWRITE, .fd = fd, .at = at, .data = (char *)p, .n = n };

	return run(&c, SYS_pwrite64, fd, (long)p, (long)n, at, 0);
}

ssize_t
pwritev(int fd, const struct iovec *v, int count, off_t at)
{
	struct call c = { CALL_PWRITE, .fd = fd, .at = at };
	ssize_t result;

	for (int i = 0; i < count; i++)
		c.n += v[i].iov_len;
	c.data = mem_alloc(c.n);
	c.n = 0;
	for (int i = 0; i < count; i++) {
		memcpy(c.data + c.n, v[i].iov_base, v[i].iov_len);
		c.n += v[i].iov_len;
	}
	result = run(&c, SYS_pwritev, fd, (long)v, count, at, 0);
	mem_free(c.data);
	return result;
}

int
fsync(int fd)
{
	struct call c = { CALL_FSYNC, .fd = fd };

	return (int)run(&c, SYS_fsync, fd, 0, 0, 0, 0);
}

int
fdatasync(int fd)
{
	struct call c = { CALL_FSYNC, .fd = fd };

	return (int)run(&c, SYS_fdatasync, fd, 0, 0, 0, 0);
}

int
renameat2(int from, const char *name, int to, const char *new_name, unsigned flags)
{
	struct call c = { CALL_RENAME, .fd = from, .to_fd = to, .name = name };

	return (int)run(&c, SYS_renameat2, from, (long)name, to, (long)new_name, flags);
}

int
unlinkat(int dir, const char *name, int flags)
{
	struct call c = { CALL_UNLINK, .fd = dir, .name = name };

	return (int)run(&c, SYS_unlinkat, dir, (long)name, flags, 0, 0);
}

int
ftruncate(int fd, off_t length)
{
	struct call c = { CALL_TRUNCATE, .fd = fd };

	return (int)run(&c, SYS_ftruncate, fd, length, 0, 0, 0);
}

int
futimens(int fd, const struct timespec times[2])
{
	struct call c = { CALL_TIMES, .fd = fd };

	return (int)run(&c, SYS_utimensat, fd, 0, (long)times, 0, 0);
}

int
close(int fd)
{
	struct call c = { CALL_CLOSE, .fd = fd };

	return (int)run(&c, SYS_close, fd, 0, 0, 0, 0);
}

#endif
