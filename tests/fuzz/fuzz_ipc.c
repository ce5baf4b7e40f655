/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one of our processes hears from another: the input as the payload of a message, as a run
 * of frames, and as what arrives on a connection. What is accepted must survive encoding and
 * decoding, and the connection must see the same frames as the pure function.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "ipc/ipc_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SOCKET_MAX (64 * 1024) /* fits into the kernel's buffer */

struct sample {
	struct view text;
	uint64_t number;
	int64_t offset;
	bool flag;
	int file;
	struct view more;
	int second;
};

static const struct ipc_field rows[] = {
	IPC_REQUIRED(IPC_VIEW, sample, text),
	IPC_REQUIRED(IPC_U64, sample, number),
	IPC_OPTIONAL(IPC_I64, sample, offset),
	IPC_OPTIONAL(IPC_BOOL, sample, flag),
	IPC_OPTIONAL(IPC_FD, sample, file),
	IPC_OPTIONAL(IPC_VIEW, sample, more),
	IPC_OPTIONAL(IPC_FD, sample, second),
};
static IPC_MESSAGE(message, "test/1.sample", sample, rows);

static void
check_same(const struct sample *a, const struct sample *b)
{
	assert(view_eq(a->text, b->text) && view_eq(a->more, b->more));
	assert(a->number == b->number && a->offset == b->offset && a->flag == b->flag);
	assert((a->file >= 0) == (b->file >= 0) && (a->second >= 0) == (b->second >= 0));
}

static void
decode(struct view payload)
{
	int fds[2] = { 1000, 1001 };
	struct buf again = BUF_INIT(2 * IPC_MESSAGE_MAX);
	struct sample a, b;
	const char *why = NULL;

	if (!ipc_decode(&message, payload, fds, 2, &a, &why)) {
		assert(why != NULL && fds[0] == 1000 && fds[1] == 1001);
		assert(a.file == -1 && a.second == -1 && a.text.n == 0);
		return;
	}
	fds[0] = 1000;
	fds[1] = 1001;
	assert(ipc_encode(&message, &a, &again));
	assert(ipc_decode(&message, buf_view(&again), fds, 2, &b, &why));
	check_same(&a, &b);
	buf_done(&again);
}

static size_t
take_frames(struct view in)
{
	struct ipc_frame frame;
	const char *why = NULL;
	size_t count = 0;
	size_t total;

	while (ipc_frame_take(in, &frame, &total, &why) == IPC_TAKEN) {
		assert(total > IPC_HEADER_SIZE && total <= in.n);
		assert((frame.message.n > 0) != (frame.data.n > 0));
		if (frame.message.n > 0)
			decode(frame.payload);
		in = view_sub(in, total, in.n);
		count++;
	}
	return count;
}

static size_t
receive_frames(struct view in)
{
	struct ipc_frame frame;
	size_t count = 0;
	struct ipc *c;
	int fds[2];

	assert(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	assert(file_write_all(fds[1], in.p, in.n));
	file_close(&fds[1]);
	c = ipc_new(fds[0]);
	ipc_take_descriptors(c);
	while (ipc_receive(c, &frame, DEADLINE_NEVER) == IPC_OK) {
		struct sample value;

		if (ipc_frame_is(&frame, &message) &&
		    ipc_frame_decode(c, &frame, &message, &value))
			assert(value.file == -1);
		count++;
	}
	ipc_free(&c);
	return count;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* An exact copy, so that a read beyond the end is found. */
	char *copy = mem_dup(data, size);
	struct view in = { copy, size };
	size_t count;

	decode(in);
	count = take_frames(in);
	if (size <= SOCKET_MAX)
		assert(receive_frames(in) == count);
	mem_free(copy);
	return 0;
}
