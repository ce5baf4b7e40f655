/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection to one endpoint. The address that was looked at before is the very one that is
 * connected to.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
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

struct session *
session_connect(struct delivery *d, const struct endpoint *e, struct problem **p)
{
	int on = 1, error;
	int fd = socket(e->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	error = fd < 0 ? errno : connect_wait(fd, e);
	if (error) {
		file_close(&fd);
		*p = connect_problem(d, e, error);
		return NULL;
	}
	if (e->address.ss_family != AF_UNIX)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return session_new(e, fd);
}
