/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receiving. Bytes are read into one buffer and frames are used where they lie there. A frame
 * larger than the usual buffer is read alone and to its exact end, so a stream of large raw
 * frames is never moved: each begins at the front of the buffer.
 *
 * Which frame do descriptors belong to? The sender begins a frame with descriptors with its own
 * sendmsg, and the kernel ends a recvmsg behind the piece that carried some: so they belong to
 * the last frame that begins within the bytes of that recvmsg. Descriptors that came in the
 * middle of a frame belong to none and are closed.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/mem.h"
#include "ipc/ipc_private.h"

#define BUSY_MAX 8

static void
take_batch(struct ipc *c, size_t index)
{
	c->batch_count--;
	for (size_t i = index; i < c->batch_count; i++)
		c->batches[i] = c->batches[i + 1];
}

/* Sorts out the descriptors when the frame [in_offset, in_offset + total) is taken. */
static void
assign_fds(struct ipc *c, size_t total)
{
	uint64_t start = c->in_offset;

	for (size_t i = 0; i < c->batch_count;) {
		struct ipc_batch *b = &c->batches[i];

		if (b->end > start + total) {
			i++; /* of a later frame */
			continue;
		}
		if (b->start <= start && start < b->end) {
			memcpy(c->fds, b->fds, sizeof(c->fds));
			c->fd_count = b->count;
		} else {
			ipc_close_fds(b->fds, &b->count);
		}
		take_batch(c, i);
	}
}

/* The descriptors of one recvmsg that brought the last n bytes. */
static enum ipc_result
keep_fds(struct ipc *c, struct msghdr *message, size_t n)
{
	struct ipc_batch b = { .end = c->in_offset + (c->in_end - c->in_start) };
	struct cmsghdr *h;

	b.start = b.end - n;
	for (h = CMSG_FIRSTHDR(message); h != NULL; h = CMSG_NXTHDR(message, h)) {
		size_t count;

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(b.fds + b.count, CMSG_DATA(h), count * sizeof(int));
		b.count += count;
	}
	if ((message->msg_flags & MSG_CTRUNC) || (b.count > 0 && c->batch_count == 2)) {
		ipc_close_fds(b.fds, &b.count);
		return ipc_refuse(
		    c, c->takes_fds ? "too many descriptors" : "descriptors are not expected");
	}
	if (b.count > 0)
		c->batches[c->batch_count++] = b;
	return IPC_OK;
}

static void
in_release(struct ipc *c)
{
	mem_free(c->in);
	c->in = NULL;
	c->in_cap = c->in_start = c->in_end = 0;
}

/* Room for a frame of total bytes (0: not known yet). Returns how much to read. */
static size_t
make_room(struct ipc *c, size_t total)
{
	size_t have = c->in_end - c->in_start;
	size_t cap = total > IPC_BUFFER_SIZE ? total : IPC_BUFFER_SIZE;

	if (c->in_start > 0 && (have == 0 || c->in_start + cap > c->in_cap)) {
		memmove(c->in, c->in + c->in_start, have);
		c->in_start = 0;
		c->in_end = have;
	}
	if (c->in_cap < cap) {
		c->in = mem_resize(c->in, cap, 1);
		c->in_cap = cap;
	}
	return (total > IPC_BUFFER_SIZE ? c->in_start + total : c->in_cap) - c->in_end;
}

static enum ipc_result
wait_for_input(struct ipc *c, nanoseconds deadline)
{
	enum ipc_result result = ipc_flush_idle(c, deadline);

	if (result != IPC_OK)
		return result;
	if (c->in_start == c->in_end)
		in_release(c);
	c->drained = false;
	return ipc_wait(c, TASK_READ, deadline);
}

/* One recvmsg. IPC_OK with *got == 0: nothing is there now. */
static enum ipc_result
read_once(struct ipc *c, size_t total, size_t *got)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(IPC_FDS_MAX * sizeof(int))];
	} control;
	size_t room = make_room(c, total);
	struct iovec part = { c->in + c->in_end, room };
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = c->takes_fds ? control.bytes : NULL,
		.msg_controllen = c->takes_fds ? sizeof(control) : 0 };
	ssize_t n;

	*got = 0;
	do
		n = recvmsg(c->fd, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? IPC_OK : ipc_fail(c, errno);
	if (n == 0) {
		c->at_eof = true;
		return IPC_EOF;
	}
	*got = (size_t)n;
	c->in_end += (size_t)n;
	c->drained = (size_t)n < room && message.msg_controllen == 0;
	return keep_fds(c, &message, (size_t)n);
}

/* At least one more byte, or the reason why not. */
static enum ipc_result
fill(struct ipc *c, size_t total, nanoseconds deadline)
{
	enum ipc_result result;
	size_t got = 0;

	if (c->at_eof)
		result = IPC_EOF;
	else if (c->drained)
		result = wait_for_input(c, deadline);
	else
		result = ipc_check(c, deadline);
	while (result == IPC_OK) {
		result = read_once(c, total, &got);
		if (result != IPC_OK || got > 0)
			break;
		result = wait_for_input(c, deadline);
	}
	if (result == IPC_EOF) {
		c->why = "connection closed";
		if (c->in_end > c->in_start)
			return ipc_refuse(c, "connection closed within a frame");
	}
	return result;
}

enum ipc_result
ipc_receive(struct ipc *c, struct ipc_frame *frame, nanoseconds deadline)
{
	*frame = (struct ipc_frame){ 0 };
	ipc_close_fds(c->fds, &c->fd_count);
	if (++c->busy >= BUSY_MAX) {
		c->busy = 0;
		task_yield();
	}
	for (;;) {
		struct view in = c->in == NULL
		    ? VIEW_NONE
		    : (struct view){ c->in + c->in_start, c->in_end - c->in_start };
		enum ipc_result result;
		size_t total;

		switch (ipc_frame_take(in, frame, &total, &c->why)) {
		case IPC_TAKEN:
			assign_fds(c, total);
			c->in_start += total;
			c->in_offset += total;
			return IPC_OK;
		case IPC_TAKE_REFUSED:
			return IPC_PROTOCOL;
		case IPC_TAKE_MORE:
			break;
		}
		result = fill(c, total, deadline);
		if (result != IPC_OK)
			return result;
	}
}

bool
ipc_frame_is(const struct ipc_frame *frame, const struct ipc_message *m)
{
	return frame->message.n > 0 && view_eq(frame->message, view_of(m->name));
}

bool
ipc_frame_decode(
    struct ipc *c, const struct ipc_frame *frame, const struct ipc_message *m, void *value)
{
	return ipc_decode(m, frame->payload, c->fds, c->fd_count, value, &c->why);
}

enum ipc_result
ipc_expect(struct ipc *c, const struct ipc_message *m, void *value, nanoseconds deadline)
{
	struct ipc_frame frame;
	enum ipc_result result = ipc_receive(c, &frame, deadline);

	if (result != IPC_OK)
		return result;
	return ipc_frame_decode(c, &frame, m, value) ? IPC_OK : IPC_PROTOCOL;
}
