/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The syslog socket. It is made once and never closed, because another thread may be sending:
 * when the reader was restarted, the same socket is connected anew. Inside a chroot that cannot
 * work unless the jail has the socket too, and lines are then lost and counted by log.c.
 */
#include "base/log_syslog.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/file.h"
#include "base/log.h"

#define WAIT_MILLISECONDS 20

static const char *socket_path = "/dev/log";
static atomic_int socket_fd = -1;

void
log_set_syslog_path(const char *path)
{
	socket_path = path;
}

static bool
connect_to_reader(int fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t n = strlen(socket_path);

	if (n >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return false;
	}
	memcpy(address.sun_path, socket_path, n);
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

/* A socket that could not be connected is kept: the send will try again. */
void
log_syslog_connect(void)
{
	int none = -1;
	int fd;

	if (atomic_load(&socket_fd) >= 0)
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	connect_to_reader(fd);
	if (!atomic_compare_exchange_strong(&socket_fd, &none, fd))
		file_close(&fd);
}

int
log_syslog_descriptor(void)
{
	return atomic_load(&socket_fd);
}

bool
log_syslog_send(struct view line, bool may_wait)
{
	bool may_connect = true;
	int fd;

	log_syslog_connect();
	fd = atomic_load(&socket_fd);
	if (fd < 0)
		return false;
	for (;;) {
		if (send(fd, line.p, line.n, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return true;
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN || errno == ENOBUFS) {
			struct pollfd writable = { .fd = fd, .events = POLLOUT };

			if (!may_wait)
				return false;
			may_wait = false;
			poll(&writable, 1, WAIT_MILLISECONDS);
			continue;
		}
		if (!may_connect || !connect_to_reader(fd))
			return false;
		may_connect = false;
	}
}
