/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls with which Postern works on files, in front of libc's own. Each is shown to
 * judge, which may let it fail; those that make a descriptor note where it points to. A short
 * read or write is made in earnest, with half the length.
 */
#include "fault_shim.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define CLOSED_AT_MOST 4096

/* Most calls: judged, made, and the end. */
#define CALL(kind, place, fd, call)                                                            \
	do {                                                                                   \
		enum verdict verdict_ = judge(kind, place, fd);                                \
                                                                                               \
		if (verdict_ == FAIL)                                                          \
			return -1;                                                             \
		return (__typeof__(call))finish(verdict_, (long)(call));                       \
	} while (0)

/* ---- opening ---- */

static int
opened(int fd, enum place place)
{
	remember(fd, place);
	return fd;
}

static mode_t
mode_of(int flags, va_list ap)
{
	return flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0;
}

static int
open_at(int dir, const char *name, int flags, mode_t mode)
{
	enum place place = place_at(dir, name);
	enum verdict verdict = judge(flags & O_CREAT ? KIND_CREATE : KIND_OPEN, place, -1);
	REAL(openat);

	if (verdict == FAIL)
		return -1;
	return opened((int)finish(verdict, real(dir, name, flags, mode)), place);
}

int
open(const char *name, int flags, ...)
{
	mode_t mode;
	va_list ap;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return open_at(AT_FDCWD, name, flags, mode);
}

int
openat(int dir, const char *name, int flags, ...)
{
	mode_t mode;
	va_list ap;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return open_at(dir, name, flags, mode);
}

/* openat2 has no function in libc. */
long
syscall(long number, ...)
{
	enum verdict verdict = GO_ON;
	enum place place = PLACE_ELSEWHERE;
	long a[6];
	va_list ap;
	REAL(syscall);

	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (number == SYS_openat2) {
		place = place_at((int)a[0], (const char *)a[1]);
		verdict = judge(KIND_OPEN, place, -1);
	}
	if (verdict == FAIL)
		return -1;
	a[0] = finish(verdict, real(number, a[0], a[1], a[2], a[3], a[4], a[5]));
	if (number == SYS_openat2)
		remember((int)a[0], place);
	return a[0];
}

DIR *
opendir(const char *name)
{
	enum place place = place_at(AT_FDCWD, name);
	DIR *d;
	REAL(opendir);

	if (judge(KIND_OPEN, place, -1) == FAIL)
		return NULL;
	d = real(name);
	if (d)
		remember(dirfd(d), place);
	return d;
}

struct dirent *
readdir(DIR *d)
{
	int fd = dirfd(d);
	REAL(readdir);

	return judge(KIND_READDIR, known_place(fd), fd) == FAIL ? NULL : real(d);
}

int
memfd_create(const char *name, unsigned flags)
{
	enum verdict verdict = judge(KIND_MEMFD, PLACE_MEMORY, -1);
	REAL(memfd_create);

	if (verdict == FAIL)
		return -1;
	return opened((int)finish(verdict, real(name, flags)), PLACE_MEMORY);
}

int
close(int fd)
{
	enum verdict verdict = judge(KIND_CLOSE, known_place(fd), fd);
	int error = errno, result;
	REAL(close);

	remember(fd, PLACE_ELSEWHERE);
	result = (int)finish(verdict, real(fd)); /* Linux closes it all the same */
	if (verdict != FAIL)
		return result;
	errno = error;
	return -1;
}

int
closedir(DIR *d)
{
	REAL(closedir);

	remember(dirfd(d), PLACE_ELSEWHERE);
	return real(d);
}

int
close_range(unsigned first, unsigned last, int flags)
{
	REAL(close_range);

	for (unsigned i = first;
	     !(flags & (int)CLOSE_RANGE_CLOEXEC) && i <= last && i < CLOSED_AT_MOST; i++)
		remember((int)i, PLACE_ELSEWHERE);
	return real(first, last, flags);
}

int
dup3(int from, int to, int flags)
{
	int fd;
	REAL(dup3);

	fd = real(from, to, flags);
	if (fd >= 0)
		remember(fd, known_place(from));
	return fd;
}

ssize_t
recvmsg(int s, struct msghdr *message, int flags)
{
	ssize_t n;
	REAL(recvmsg);

	n = real(s, message, flags);
	for (struct cmsghdr *c = n >= 0 ? CMSG_FIRSTHDR(message) : NULL; c;
	     c = CMSG_NXTHDR(message, c)) {
		const int *fds = (const int *)(const void *)CMSG_DATA(c);
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		for (size_t i = 0; c->cmsg_type == SCM_RIGHTS && i < count; i++)
			remember(fds[i], PLACE_MESSAGE);
	}
	return n;
}

/* ---- reading and writing ---- */

ssize_t
read(int fd, void *p, size_t n)
{
	enum verdict verdict = judge(KIND_READ, known_place(fd), fd);
	REAL(read);

	if (verdict == FAIL)
		return -1;
	return finish(verdict, real(fd, p, verdict == HALF ? (n + 1) / 2 : n));
}

ssize_t
pread(int fd, void *p, size_t n, off_t at)
{
	enum verdict verdict = judge(KIND_READ, known_place(fd), fd);
	REAL(pread);

	if (verdict == FAIL)
		return -1;
	return finish(verdict, real(fd, p, verdict == HALF ? (n + 1) / 2 : n, at));
}

ssize_t
write(int fd, const void *p, size_t n)
{
	enum verdict verdict = judge(KIND_WRITE, known_place(fd), fd);
	REAL(write);

	if (verdict == FAIL)
		return -1;
	return finish(verdict, real(fd, p, verdict == HALF ? (n + 1) / 2 : n));
}

ssize_t
pwrite(int fd, const void *p, size_t n, off_t at)
{
	enum verdict verdict = judge(KIND_WRITE, known_place(fd), fd);
	REAL(pwrite);

	if (verdict == FAIL)
		return -1;
	return finish(verdict, real(fd, p, verdict == HALF ? (n + 1) / 2 : n, at));
}

/* The first half of the vector, to the byte. */
static ssize_t
write_half(int fd, const struct iovec *v, int count, off_t at)
{
	size_t left = 0;
	ssize_t done = 0;
	REAL(pwrite);

	for (int i = 0; i < count; i++)
		left += v[i].iov_len;
	left = (left + 1) / 2;
	for (int i = 0; i < count && left; i++) {
		size_t n = v[i].iov_len < left ? v[i].iov_len : left;
		ssize_t written = n ? real(fd, v[i].iov_base, n, at + done) : 0;

		if (written < 0)
			return done ? done : written;
		done += written;
		left -= (size_t)written;
	}
	return done;
}

ssize_t
pwritev(int fd, const struct iovec *v, int count, off_t at)
{
	enum verdict verdict = judge(KIND_WRITE, known_place(fd), fd);
	REAL(pwritev);

	if (verdict == FAIL)
		return -1;
	return finish(
	    verdict, verdict == HALF ? write_half(fd, v, count, at) : real(fd, v, count, at));
}

int
fsync(int fd)
{
	REAL(fsync);

	CALL(KIND_SYNC, known_place(fd), fd, real(fd));
}

int
fdatasync(int fd)
{
	REAL(fdatasync);

	CALL(KIND_SYNC, known_place(fd), fd, real(fd));
}

int
sync_file_range(int fd, off64_t at, off64_t n, unsigned flags)
{
	REAL(sync_file_range);

	CALL(KIND_SYNC, known_place(fd), fd, real(fd, at, n, flags));
}

int
fallocate(int fd, int mode, off_t at, off_t n)
{
	REAL(fallocate);

	CALL(KIND_ALLOCATE, known_place(fd), fd, real(fd, mode, at, n));
}

int
posix_fallocate(int fd, off_t at, off_t n)
{
	enum verdict verdict = judge(KIND_ALLOCATE, known_place(fd), fd);
	REAL(posix_fallocate);

	if (verdict == FAIL)
		return errno;
	return (int)finish(verdict, real(fd, at, n));
}

int
ftruncate(int fd, off_t n)
{
	REAL(ftruncate);

	CALL(KIND_TRUNCATE, known_place(fd), fd, real(fd, n));
}

/* ---- locks ---- */

int
flock(int fd, int operation)
{
	REAL(flock);

	CALL(KIND_LOCK, known_place(fd), fd, real(fd, operation));
}

int
fcntl(int fd, int command, ...)
{
	enum verdict verdict = GO_ON;
	void *argument;
	va_list ap;
	int result;
	REAL(fcntl);

	va_start(ap, command);
	argument = va_arg(ap, void *);
	va_end(ap);
	if (command == F_OFD_SETLK || command == F_OFD_SETLKW || command == F_OFD_GETLK ||
	    command == F_SETLK || command == F_SETLKW)
		verdict = judge(KIND_LOCK, known_place(fd), fd);
	if (verdict == FAIL)
		return -1;
	result = (int)finish(verdict, real(fd, command, argument));
	if (command == F_DUPFD || command == F_DUPFD_CLOEXEC)
		remember(result, known_place(fd));
	return result;
}

/* ---- names ---- */

int
rename(const char *from, const char *to)
{
	REAL(rename);

	CALL(KIND_RENAME, place_at(AT_FDCWD, to), -1, real(from, to));
}

int
renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	REAL(renameat);

	CALL(KIND_RENAME, place_at(to_dir, to), -1, real(from_dir, from, to_dir, to));
}

int
renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	REAL(renameat2);

	CALL(KIND_RENAME, place_at(to_dir, to), -1, real(from_dir, from, to_dir, to, flags));
}

int
linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	REAL(linkat);

	CALL(KIND_LINK, place_at(to_dir, to), -1, real(from_dir, from, to_dir, to, flags));
}

int
unlink(const char *name)
{
	REAL(unlink);

	CALL(KIND_UNLINK, place_at(AT_FDCWD, name), -1, real(name));
}

int
unlinkat(int dir, const char *name, int flags)
{
	REAL(unlinkat);

	CALL(KIND_UNLINK, place_at(dir, name), -1, real(dir, name, flags));
}

int
mkdirat(int dir, const char *name, mode_t mode)
{
	REAL(mkdirat);

	CALL(KIND_MKDIR, place_at(dir, name), -1, real(dir, name, mode));
}

/* ---- facts ---- */

int
fstat(int fd, struct stat *st)
{
	REAL(fstat);

	CALL(KIND_STAT, known_place(fd), fd, real(fd, st));
}

int
fstatat(int dir, const char *name, struct stat *st, int flags)
{
	REAL(fstatat);

	CALL(KIND_STAT, place_at(dir, name), -1, real(dir, name, st, flags));
}

int
futimens(int fd, const struct timespec times[2])
{
	REAL(futimens);

	CALL(KIND_TIMES, known_place(fd), fd, real(fd, times));
}

int
utimensat(int dir, const char *name, const struct timespec times[2], int flags)
{
	REAL(utimensat);

	CALL(KIND_TIMES, place_at(dir, name), -1, real(dir, name, times, flags));
}

int
fchmod(int fd, mode_t mode)
{
	REAL(fchmod);

	CALL(KIND_CHMOD, known_place(fd), fd, real(fd, mode));
}
