/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Acts on sockets. A service that one may not call is reached by its path all the same, because
 * the kernel has nothing to say there: the refusal is that it closes the connection, which is
 * ECONNRESET here. "done" means that it listens on.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/number.h"
#include "hostile.h"

#define GLANCE_MS   300   /* for a service that goes on listening */
#define PATIENCE_MS 20000 /* for one that must close */

static int
socket_of(int family, int type, int protocol)
{
	int fd = socket(family, type | SOCK_CLOEXEC, protocol);

	if (fd >= 0)
		close(fd);
	return fd;
}

static int
inet_stream(const char *unused)
{
	(void)unused;
	return socket_of(AF_INET, SOCK_STREAM, 0);
}

static int
inet_datagram(const char *unused)
{
	(void)unused;
	return socket_of(AF_INET, SOCK_DGRAM, 0);
}

static int
inet6_stream(const char *unused)
{
	(void)unused;
	return socket_of(AF_INET6, SOCK_STREAM, 0);
}

static int
netlink_socket(const char *unused)
{
	(void)unused;
	return socket_of(AF_NETLINK, SOCK_RAW, 0);
}

static int
packet_socket(const char *unused)
{
	(void)unused;
	return socket_of(AF_PACKET, SOCK_RAW, 0);
}

static int
connected(const char *path, long patience_ms)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct timeval patience = { patience_ms / 1000, patience_ms % 1000 * 1000 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Whether the other side closes. */
static int
heard(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, 0);
	bool open = n > 0 || (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK));

	close(fd);
	errno = ECONNRESET;
	return open ? 0 : -1;
}

static int
call_for(const char *path, long patience_ms)
{
	int fd = connected(path, patience_ms);

	if (fd < 0)
		return -1;
	(void)send(fd, "", 1, MSG_NOSIGNAL); /* the first byte of a frame */
	return heard(fd);
}

static int
call(const char *path)
{
	return call_for(path, GLANCE_MS);
}

static int
call_to_end(const char *path)
{
	return call_for(path, PATIENCE_MS);
}

/* Descriptors that nobody asked for, with the first byte of a frame. */
static int
pass_descriptors(const char *path)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(8 * sizeof(int))];
	} control = { 0 };
	char zero = 0;
	struct iovec part = { &zero, 1 };
	struct msghdr m = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	int fd = connected(path, PATIENCE_MS);

	if (fd < 0)
		return -1;
	control.align.cmsg_level = SOL_SOCKET;
	control.align.cmsg_type = SCM_RIGHTS;
	control.align.cmsg_len = CMSG_LEN(8 * sizeof(int));
	for (size_t i = 0; i < 8; i++)
		memcpy(CMSG_DATA(&control.align) + i * sizeof(int), &fd, sizeof(fd));
	if (sendmsg(fd, &m, MSG_NOSIGNAL) < 0) {
		close(fd);
		return -1;
	}
	return heard(fd);
}

static int
listen_here(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int result;

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	result = fd < 0 ? -1 : bind(fd, (struct sockaddr *)&at, sizeof(at));
	if (fd >= 0)
		close(fd);
	return result;
}

/* A name without a path belongs to no directory that could be guarded. */
static int
listen_abstract(const char *unused)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX, .sun_path = "\0hostile" };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int result = fd < 0 ? -1 : bind(fd, (struct sockaddr *)&at, sizeof(at));

	(void)unused;
	if (fd >= 0)
		close(fd);
	return result;
}

const struct act hostile_socket_acts[] = {
	{ "inet", inet_stream },
	{ "inet-datagram", inet_datagram },
	{ "inet6", inet6_stream },
	{ "netlink", netlink_socket },
	{ "packet", packet_socket },
	{ "call", call },
	{ "call-to-end", call_to_end },
	{ "pass-descriptors", pass_descriptors },
	{ "listen", listen_here },
	{ "listen-abstract", listen_abstract },
	{ NULL, NULL },
};

void
hostile_reconnect(int fd, const char *port, bool with_fast_open)
{
	struct sockaddr nobody = { .sa_family = AF_UNSPEC };
	struct sockaddr_in to = { .sin_family = AF_INET };
	uint64_t number = 0;
	int result;

	(void)number_parse(view_of(port), 65535, &number);
	to.sin_port = htons((uint16_t)number);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	result = connect(fd, &nobody, sizeof(nobody));
	log_info("hostile: disconnect: %s", result < 0 ? strerrorname_np(errno) : "done");
	if (with_fast_open)
		result =
		    (int)sendto(fd, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&to, sizeof(to));
	else
		result = connect(fd, (struct sockaddr *)&to, sizeof(to));
	if (result < 0 && errno == EINPROGRESS)
		result = 0;
	log_info("hostile: %s: %s", with_fast_open ? "fastopen" : "reconnect",
	    result < 0 ? strerrorname_np(errno) : "done");
}
