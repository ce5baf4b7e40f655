/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection to one endpoint. The address that was looked at before is the very one that is
 * connected to.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "smtp/client.h"
#include "task/task.h"

/* 0, or an errno. */
static int
connect_wait(int fd, const struct endpoint *e)
{
	nanoseconds limit = client.options.connect_timeout;
	nanoseconds deadline = limit ? clock_deadline(limit) : DEADLINE_NEVER;
	socklen_t size = sizeof(int);
	int error = 0;

	if (connect(fd, (const struct sockaddr *)&e->address, e->length) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return errno;
	switch (task_wait_fd(fd, TASK_WRITE, deadline)) {
	case TASK_TIMEOUT:
		return ETIMEDOUT;
	case TASK_CANCELLED:
		return ECANCELED;
	case TASK_OK:
		break;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		return errno;
	return error;
}

static struct problem *
connect_problem(struct delivery *d, const struct endpoint *e, int error)
{
	char address[ENDPOINT_TEXT_SIZE];
	struct problem *p;

	endpoint_text(e, address);
	if (e->address.ss_family == AF_UNIX)
		p = problem_new(d, NULL, "4.4.1", "connect to %s[%s]: %s", e->host, address,
		    strerror(error));
	else
		p = problem_new(d, NULL, "4.4.1", "connect to %s[%s]:%u: %s", e->host, address,
		    endpoint_port(e), strerror(error));
	p->is_site = true;
	return p;
}

/* Mail leaves from this address, or does not leave when the administrator wants it so. */
static struct problem *
bind_source(struct delivery *d, const struct endpoint *e, int fd)
{
	bool is_v4 = e->address.ss_family == AF_INET;
	const char *text = is_v4 ? client.options.bind_address : client.options.bind_address6;
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	int result, on = 1;

	if (e->address.ss_family == AF_UNIX || !*text)
		return NULL;
	if (inet_pton(is_v4 ? AF_INET : AF_INET6, text,
		is_v4 ? (void *)&v4.sin_addr : (void *)&v6.sin6_addr) != 1) {
		errno = EINVAL;
		result = -1;
	} else {
		/* The port is chosen when the other side is known: there are more of them. */
		(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
		result = is_v4 ? bind(fd, (struct sockaddr *)&v4, sizeof(v4))
			       : bind(fd, (struct sockaddr *)&v6, sizeof(v6));
	}
	if (result == 0)
		return NULL;
	log_warn(
	    "cannot use %s as the address of outgoing connections: %s", text, strerror(errno));
	if (!client.options.bind_address_enforce)
		return NULL;
	return problem_new(
	    d, NULL, "4.4.0", "server local configuration error: cannot bind to %s", text);
}

struct session *
session_connect(struct delivery *d, const struct endpoint *e, struct problem **p)
{
	int on = 1, error;
	int fd = socket(e->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	error = fd < 0 ? errno : 0;
	*p = error ? NULL : bind_source(d, e, fd);
	if (!*p && !error)
		error = connect_wait(fd, e);
	if (error)
		*p = connect_problem(d, e, error);
	if (*p) {
		file_close(&fd);
		return NULL;
	}
	if (e->address.ss_family != AF_UNIX)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return session_new(e, fd);
}
