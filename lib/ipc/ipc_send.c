/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending. Small frames gather in the buffer; a large raw frame goes out from where it lies,
 * together with what was gathered before it. A message with descriptors leaves at once and by
 * itself: it begins with the first byte of its sendmsg, which is how the receiver knows whose
 * descriptors they are.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "ipc/ipc_private.h"

#define DIRECT_MIN 4096 /* a raw frame of this size is not copied */

union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(IPC_FDS_MAX * sizeof(int))];
};

static void
attach(struct msghdr *message, union control *control, const int *fds, size_t count)
{
	memset(control, 0, sizeof(*control));
	message->msg_control = control->bytes;
	message->msg_controllen = CMSG_SPACE(count * sizeof(int));
	control->header.cmsg_level = SOL_SOCKET;
	control->header.cmsg_type = SCM_RIGHTS;
	control->header.cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(&control->header), fds, count * sizeof(int));
}

/* Steps over n bytes that went out. */
static void
advance(struct msghdr *message, size_t n)
{
	while (n > 0) {
		struct iovec *v = message->msg_iov;
		size_t part = n < v->iov_len ? n : v->iov_len;

		v->iov_base = (char *)v->iov_base + part;
		v->iov_len -= part;
		n -= part;
		if (v->iov_len == 0) {
			message->msg_iov++;
			message->msg_iovlen--;
		}
	}
}

/* Sends all of it. *sent counts the bytes that went out, also on failure. */
static enum ipc_result
send_parts(struct ipc *c, struct msghdr *message, size_t *sent, nanoseconds deadline)
{
	enum ipc_result result = IPC_OK;

	*sent = 0;
	c->writing = true;
	while (message->msg_iovlen > 0 && result == IPC_OK) {
		ssize_t n = sendmsg(c->fd, message, MSG_NOSIGNAL);

		if (n >= 0) {
			*sent += (size_t)n;
			advance(message, (size_t)n);
			message->msg_control = NULL; /* went with the first byte */
			message->msg_controllen = 0;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			result = ipc_wait(c, TASK_WRITE, deadline);
		} else if (errno != EINTR) {
			result = ipc_fail(c, errno);
		}
	}
	c->writing = false;
	return result;
}

static void
out_consume(struct ipc *c, size_t n)
{
	c->out_start += n;
	if (c->out_start == c->out.len) {
		buf_done(&c->out);
		c->out_start = 0;
	}
}

static struct iovec
out_pending(const struct ipc *c)
{
	if (c->out.len == 0)
		return (struct iovec){ 0 };
	return (struct iovec){ c->out.data + c->out_start, c->out.len - c->out_start };
}

static enum ipc_result
usable(struct ipc *c)
{
	return c->broken ? IPC_ERROR : IPC_OK;
}

enum ipc_result
ipc_flush(struct ipc *c, nanoseconds deadline)
{
	struct iovec part;
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	enum ipc_result result = usable(c);
	size_t sent;

	if (result != IPC_OK || c->out.len == 0)
		return result;
	part = out_pending(c);
	result = send_parts(c, &message, &sent, deadline);
	out_consume(c, sent);
	return result;
}

enum ipc_result
ipc_flush_idle(struct ipc *c, nanoseconds deadline)
{
	return c->writing ? IPC_OK : ipc_flush(c, deadline);
}

/* What is in the buffer is one message and the descriptors are its own. */
static enum ipc_result
send_with_fds(struct ipc *c, const int *fds, size_t count, nanoseconds deadline)
{
	struct iovec part = out_pending(c);
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	union control control;
	enum ipc_result result;
	size_t sent;

	attach(&message, &control, fds, count);
	result = send_parts(c, &message, &sent, deadline);
	if (sent == 0 && result != IPC_OK) {
		/* Later it would go without them. */
		out_consume(c, part.iov_len);
		return result;
	}
	out_consume(c, sent);
	return result;
}

static size_t
collect_fds(const struct ipc_message *m, const void *value, int fds[IPC_FDS_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < m->field_count; i++) {
		int fd;

		if (m->fields[i].type != IPC_FD)
			continue;
		memcpy(&fd, (const char *)value + m->fields[i].offset, sizeof(fd));
		if (fd >= 0) {
			assert(count < IPC_FDS_MAX);
			fds[count++] = fd;
		}
	}
	return count;
}

/* Makes room: sends what is there when it is enough. */
static enum ipc_result
flush_if_full(struct ipc *c, nanoseconds deadline)
{
	return c->out.len >= IPC_BUFFER_SIZE ? ipc_flush(c, deadline) : usable(c);
}

enum ipc_result
ipc_send(struct ipc *c, const struct ipc_message *m, const void *value, nanoseconds deadline)
{
	int fds[IPC_FDS_MAX];
	size_t fd_count = collect_fds(m, value, fds);
	enum ipc_result result =
	    fd_count > 0 ? ipc_flush(c, deadline) : flush_if_full(c, deadline);
	size_t start = c->out.len;
	char header[IPC_HEADER_SIZE] = { 0 };

	if (result != IPC_OK)
		return result;
	buf_append(&c->out, header, sizeof(header));
	if (!ipc_encode(m, value, &c->out)) {
		buf_truncate(&c->out, start);
		return ipc_refuse(c, "message over the limits");
	}
	ipc_frame_header(header, IPC_KIND_MESSAGE, c->out.len - start - sizeof(header));
	memcpy(c->out.data + start, header, sizeof(header));
	if (fd_count > 0)
		return send_with_fds(c, fds, fd_count, deadline);
	return flush_if_full(c, deadline);
}

/* What was gathered, the header and the bytes in one call. */
static enum ipc_result
send_direct(
    struct ipc *c, char header[IPC_HEADER_SIZE], struct view bytes, nanoseconds deadline)
{
	struct iovec pending = out_pending(c);
	struct iovec parts[3] = { pending, { header, IPC_HEADER_SIZE },
		{ (void *)(uintptr_t)bytes.p, bytes.n } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 3 };
	size_t total = pending.iov_len + IPC_HEADER_SIZE + bytes.n;
	enum ipc_result result;
	size_t sent;

	if (pending.iov_len == 0) {
		message.msg_iov++;
		message.msg_iovlen--;
	}
	result = send_parts(c, &message, &sent, deadline);
	if (sent > pending.iov_len && sent < total)
		c->broken = true; /* nobody else has the rest of this frame */
	out_consume(c, sent < pending.iov_len ? sent : pending.iov_len);
	return result;
}

enum ipc_result
ipc_send_data(struct ipc *c, struct view bytes, nanoseconds deadline)
{
	char header[IPC_HEADER_SIZE];
	enum ipc_result result = usable(c);

	if (result != IPC_OK)
		return result;
	if (bytes.n == 0 || bytes.n > IPC_DATA_MAX)
		return ipc_refuse(c, "raw frame of a wrong length");
	ipc_frame_header(header, IPC_KIND_DATA, bytes.n);
	if (bytes.n >= DIRECT_MIN)
		return send_direct(c, header, bytes, deadline);
	result = flush_if_full(c, deadline);
	if (result != IPC_OK)
		return result;
	buf_append(&c->out, header, sizeof(header));
	buf_append_view(&c->out, bytes);
	return flush_if_full(c, deadline);
}
