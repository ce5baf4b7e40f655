/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a connection: made from a descriptor or by connecting, and ended. Sending is in
 * ipc_send.c, receiving in ipc_receive.c. A connection that waits idle holds no buffers.
 */
#include "ipc/ipc.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "ipc/ipc_private.h"

/* What may lie in the output buffer: enough that it was to be sent, and one message more. */
#define OUT_MAX (IPC_BUFFER_SIZE + 2 * IPC_HEADER_SIZE + IPC_MESSAGE_MAX)

struct ipc *
ipc_new(int fd)
{
	struct ipc *c = NEW(struct ipc);

	assert(fd >= 0);
	c->fd = fd;
	c->waits = task_fd_new(fd);
	c->why = "";
	buf_init(&c->out, OUT_MAX);
	(void)fd_set_nonblocking(fd);
	return c;
}

void
ipc_take_descriptors(struct ipc *c)
{
	c->takes_fds = true;
}

void
ipc_close_fds(int *fds, size_t *count)
{
	for (size_t i = 0; i < *count; i++) {
		if (fds[i] >= 0)
			(void)close(fds[i]);
	}
	*count = 0;
}

void
ipc_free(struct ipc **c)
{
	if (*c == NULL)
		return;
	ipc_close_fds((*c)->fds, &(*c)->fd_count);
	for (size_t i = 0; i < (*c)->batch_count; i++)
		ipc_close_fds((*c)->batches[i].fds, &(*c)->batches[i].count);
	buf_done(&(*c)->out);
	mem_free((*c)->in);
	task_fd_free(&(*c)->waits);
	file_close(&(*c)->fd);
	mem_free(*c);
	*c = NULL;
}

int
ipc_fd(const struct ipc *c)
{
	return c->fd;
}

const char *
ipc_why(const struct ipc *c)
{
	return c->why;
}

enum ipc_result
ipc_fail(struct ipc *c, int error)
{
	const char *text = strerrordesc_np(error);

	c->why = text != NULL ? text : "connection failed";
	c->broken = true;
	return IPC_ERROR;
}

enum ipc_result
ipc_refuse(struct ipc *c, const char *why)
{
	c->why = why;
	return IPC_PROTOCOL;
}

static enum ipc_result
result_of(struct ipc *c, enum task_result result)
{
	switch (result) {
	case TASK_OK:
		return IPC_OK;
	case TASK_TIMEOUT:
		c->why = "timeout";
		return IPC_TIMEOUT;
	case TASK_CANCELLED:
		break;
	}
	c->why = "cancelled";
	return IPC_CANCELLED;
}

enum ipc_result
ipc_check(struct ipc *c, nanoseconds deadline)
{
	return result_of(c, task_check(deadline));
}

enum ipc_result
ipc_wait(struct ipc *c, enum task_wait what, nanoseconds deadline)
{
	return result_of(c, task_fd_wait(c->waits, what, deadline));
}

bool
ipc_peer(const struct ipc *c, uid_t *uid, pid_t *pid)
{
	struct ucred who;
	socklen_t size = sizeof(who);

	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0)
		return false;
	*uid = who.uid;
	*pid = who.pid;
	return true;
}

/*
 * A UNIX socket whose listener has a full backlog answers EAGAIN at once, and nothing tells
 * when there is room again: we ask again after growing pauses.
 */
static bool
connect_patiently(int fd, const struct sockaddr_un *to, nanoseconds deadline)
{
	nanoseconds pause = MILLISECOND;

	while (connect(fd, (const struct sockaddr *)to, sizeof(*to)) != 0) {
		enum task_result result = task_check(deadline);

		if (errno != EAGAIN && errno != EINTR)
			return false;
		if (result == TASK_OK && errno == EAGAIN)
			result = task_sleep(pause);
		if (result != TASK_OK) {
			errno = result == TASK_TIMEOUT ? ETIMEDOUT : ECANCELED;
			return false;
		}
		if (pause < 50 * MILLISECOND)
			pause *= 2;
	}
	return true;
}

struct ipc *
ipc_connect(const char *path, nanoseconds deadline)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t length = strlen(path);
	int fd, error;

	if (length == 0 || length >= sizeof(to.sun_path)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	memcpy(to.sun_path, path, length);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return NULL;
	if (connect_patiently(fd, &to, deadline))
		return ipc_new(fd);
	error = errno;
	file_close(&fd);
	errno = error;
	return NULL;
}

/* Is there nothing left on our side? */
static bool
is_clean(const struct ipc *c)
{
	return !c->broken && !c->at_eof && c->in_end == c->in_start && c->batch_count == 0 &&
	    c->out.len == 0;
}

bool
ipc_is_stale(struct ipc *c)
{
	char byte;

	if (!is_clean(c))
		return true;
	if (recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0)
		return true;
	return errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR;
}

bool
ipc_seems_stale(struct ipc *c)
{
	if (is_clean(c) && c->drained && task_fd_is_quiet(c->waits))
		return false;
	if (ipc_is_stale(c))
		return true;
	c->drained = true;
	task_fd_watch(c->waits);
	return false;
}

bool
ipc_has_input(const struct ipc *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };

	return c->in_end > c->in_start || poll(&p, 1, 0) > 0;
}
