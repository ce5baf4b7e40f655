/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading goes through a buffer that holds one frame at most, and frames have the limits of the
 * socket, so a file costs the same memory whatever it says.
 */
#include "proto/maildrop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cursor.h"
#include "base/file.h"
#include "base/random.h"

#define MAGIC       "PosternM"
#define MAGIC_SIZE  8
#define VERSION     1
#define START_SIZE  (MAGIC_SIZE + 4)
#define HEADER_SIZE 5 /* length and kind */
#define READ_SIZE   65536

#define KIND_MESSAGE 'm'
#define KIND_DATA    'd'

void
maildrop_name_new(char out[MAILDROP_NAME_LENGTH + 1])
{
	unsigned char bytes[MAILDROP_NAME_LENGTH / 2];

	random_bytes(bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

bool
maildrop_name_is_valid(struct view name)
{
	if (name.n != MAILDROP_NAME_LENGTH)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		if (!char_is_digit(name.p[i]) && !(name.p[i] >= 'a' && name.p[i] <= 'f'))
			return false;
	}
	return true;
}

void
maildrop_begin(struct buf *out)
{
	buf_append_str(out, MAGIC);
	buf_append_u32(out, VERSION);
}

static void
frame_add(struct buf *out, char kind, struct view payload)
{
	buf_append_u32(out, (uint32_t)payload.n + 1);
	buf_append_char(out, kind);
	buf_append_view(out, payload);
}

void
maildrop_message(struct buf *out, const struct ipc_message *m, const void *value)
{
	struct buf payload = BUF_INIT(IPC_MESSAGE_MAX);

	if (ipc_encode(m, value, &payload))
		frame_add(out, KIND_MESSAGE, buf_view(&payload));
	else
		out->overflow = true;
	buf_done(&payload);
}

void
maildrop_data(struct buf *out, struct view bytes)
{
	while (bytes.n && !out->overflow) {
		struct view piece = view_sub(bytes, 0, IPC_DATA_MAX);

		frame_add(out, KIND_DATA, piece);
		bytes = view_sub(bytes, piece.n, bytes.n);
	}
}

bool
maildrop_is_ready(const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_nlink == 1 &&
	    (st->st_mode & 07777) == MAILDROP_MODE_READY;
}

int
maildrop_open(int directory, const char *name, struct stat *st)
{
	int fd =
	    openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	int error = 0;

	if (fd < 0)
		return -1;
	if (fstat(fd, st) < 0)
		error = errno;
	else if (!maildrop_is_ready(st))
		error = ESTALE;
	if (error) {
		file_close(&fd);
		errno = error;
	}
	return fd;
}

void
maildrop_reader_init(struct maildrop_reader *r, int fd)
{
	*r = (struct maildrop_reader){ .fd = fd };
	buf_init(&r->in, IPC_MESSAGE_MAX + HEADER_SIZE + READ_SIZE);
}

void
maildrop_reader_done(struct maildrop_reader *r)
{
	buf_done(&r->in);
}

/* Reads until the buffer holds n bytes. MAILDROP_FRAME: it does. */
static enum maildrop_result
fill(struct maildrop_reader *r, size_t n)
{
	while (r->in.len < n) {
		char *room = buf_reserve(&r->in, READ_SIZE);
		ssize_t got;

		if (!room)
			return MAILDROP_WRONG;
		got = read(r->fd, room, READ_SIZE);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return MAILDROP_ERROR;
		if (got == 0)
			return r->in.len ? MAILDROP_WRONG : MAILDROP_EOF;
		buf_commit(&r->in, (size_t)got);
	}
	return MAILDROP_FRAME;
}

static enum maildrop_result
start(struct maildrop_reader *r)
{
	enum maildrop_result result = fill(r, START_SIZE);
	struct cursor c;

	if (result != MAILDROP_FRAME)
		return result == MAILDROP_EOF ? MAILDROP_WRONG : result;
	c = cursor_of(buf_view(&r->in));
	if (!view_eq(cursor_take_n(&c, MAGIC_SIZE), VIEW(MAGIC)) || cursor_u32(&c) != VERSION)
		return MAILDROP_WRONG;
	r->used = START_SIZE;
	r->started = true;
	return MAILDROP_FRAME;
}

enum maildrop_result
maildrop_next(struct maildrop_reader *r, struct ipc_frame *frame)
{
	enum maildrop_result result;
	struct view payload;
	struct cursor c;
	uint32_t length;
	char kind;

	*frame = (struct ipc_frame){ 0 };
	if (!r->started && (result = start(r)) != MAILDROP_FRAME)
		return result;
	buf_consume(&r->in, r->used);
	r->used = 0;
	if ((result = fill(r, HEADER_SIZE)) != MAILDROP_FRAME)
		return result;
	c = cursor_of(buf_view(&r->in));
	length = cursor_u32(&c);
	kind = cursor_take(&c);
	if (length < 2 || length - 1 > (kind == KIND_DATA ? IPC_DATA_MAX : IPC_MESSAGE_MAX) ||
	    (kind != KIND_DATA && kind != KIND_MESSAGE))
		return MAILDROP_WRONG;
	if ((result = fill(r, HEADER_SIZE + length - 1)) != MAILDROP_FRAME)
		return result;
	payload = view_sub(buf_view(&r->in), HEADER_SIZE, length - 1);
	r->used = HEADER_SIZE + length - 1;
	if (kind == KIND_DATA) {
		frame->data = payload;
		return MAILDROP_FRAME;
	}
	frame->payload = payload;
	frame->message = ipc_message_name(payload);
	return frame->message.n ? MAILDROP_FRAME : MAILDROP_WRONG;
}
