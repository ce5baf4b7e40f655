/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading and writing whole extents: short transfers and interrupted calls are repeated here,
 * so that no caller forgets one of them.
 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define READ_SIZE ((size_t)16384)

bool
file_write_all(int fd, const void *p, size_t n)
{
	const char *from = p;

	while (n) {
		ssize_t done = write(fd, from, n);

		if (done < 0) {
			if (errno == EINTR)
				continue;
			return false;
		}
		from += done;
		n -= (size_t)done;
	}
	return true;
}

bool
file_pwrite_all(int fd, const void *p, size_t n, off_t at)
{
	const char *from = p;

	while (n) {
		ssize_t done = pwrite(fd, from, n, at);

		if (done < 0) {
			if (errno == EINTR)
				continue;
			return false;
		}
		from += done;
		at += done;
		n -= (size_t)done;
	}
	return true;
}

bool
file_pread_all(int fd, void *p, size_t n, off_t at)
{
	char *to = p;

	while (n) {
		ssize_t done = pread(fd, to, n, at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done == 0)
			errno = 0;
		if (done <= 0)
			return false;
		to += done;
		at += done;
		n -= (size_t)done;
	}
	return true;
}

/* One read into what room is left; with no room left, end of file is all that may come. */
static ssize_t
read_some(int fd, struct buf *out)
{
	size_t room = out->max > out->len ? out->max - out->len : 0;
	ssize_t n;
	char extra;

	if (room == 0) {
		n = read(fd, &extra, 1);
		if (n > 0) {
			errno = EFBIG;
			return -1;
		}
		return n;
	}
	if (room > READ_SIZE)
		room = READ_SIZE;
	n = read(fd, buf_reserve(out, room), room);
	if (n > 0)
		buf_commit(out, (size_t)n);
	return n;
}

static bool
read_to_end(int fd, struct buf *out)
{
	for (;;) {
		ssize_t n = read_some(fd, out);

		if (n == 0)
			return true;
		if (n < 0 && errno != EINTR)
			return false;
	}
}

bool
file_read_at(int dir_fd, const char *path, struct buf *out)
{
	size_t before = out->len;
	int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return false;
	if (!read_to_end(fd, out)) {
		int error = errno;

		buf_truncate(out, before);
		file_close(&fd);
		errno = error;
		return false;
	}
	file_close(&fd);
	return true;
}

/* Linux closes the descriptor even when it reports EINTR, so there is no second try. */
void
file_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

bool
fd_set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	int on = 1;

	/* Not by F_SETFL, which jailed processes do not have. */
	return flags >= 0 && (flags & O_NONBLOCK || ioctl(fd, FIONBIO, &on) == 0);
}

bool
fd_set_cloexec(int fd, bool on)
{
	return fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0) == 0;
}
