/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams: their life, the layer below, and the memory of their buffers. Buffers come from a
 * short list of free ones, because a busy session gives its buffer back at each wait and takes
 * one a moment later; what the list does not hold is freed. With AddressSanitizer there is no
 * list, so that a view that is used too long is found.
 */
#include <assert.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "task/sanitizer.h"
#include "task/stream_private.h"

#define FREE_MAX 64

_Static_assert(STREAM_INPUT_SIZE == STREAM_OUTPUT_SIZE, "one kind of buffer for both sides");

static struct {
	char *buffers[FREE_MAX];
	unsigned count;
	unsigned max;
} free_list = {
#ifdef TASK_ASAN
	.max = 0,
#else
	.max = FREE_MAX,
#endif
};

char *
stream_buffer_take(void)
{
	if (free_list.count > 0)
		return free_list.buffers[--free_list.count];
	return mem_alloc(STREAM_INPUT_SIZE);
}

void
stream_buffer_give(char **data)
{
	if (*data == NULL)
		return;
	if (free_list.count < free_list.max)
		free_list.buffers[free_list.count++] = *data;
	else
		mem_free(*data);
	*data = NULL;
}

void
stream_side_release(struct stream_side *side)
{
	side->start = side->end = 0;
	stream_buffer_give(&side->data);
}

static ssize_t
plain_read(struct stream *s, void *p, size_t n)
{
	ssize_t got;

	if (!s->not_socket) {
		got = recv(s->fd, p, n, 0);
		if (got >= 0 || errno != ENOTSOCK)
			return got;
		s->not_socket = true;
	}
	return read(s->fd, p, n);
}

static ssize_t
plain_write(struct stream *s, const void *p, size_t n)
{
	ssize_t sent;

	if (!s->not_socket) {
		sent = send(s->fd, p, n, MSG_NOSIGNAL);
		if (sent >= 0 || errno != ENOTSOCK)
			return sent;
		s->not_socket = true;
	}
	return write(s->fd, p, n);
}

const struct stream_layer stream_plain_layer = { plain_read, plain_write, NULL };

struct stream *
stream_new_nonblocking(int fd)
{
	struct stream *s = NEW(struct stream);

	assert(fd >= 0);
	s->fd = fd;
	s->waits = task_fd_new(fd);
	s->layer = &stream_plain_layer;
	s->drained = true; /* who has just connected has rarely sent anything */
	return s;
}

struct stream *
stream_new(int fd)
{
	(void)fd_set_nonblocking(fd);
	return stream_new_nonblocking(fd);
}

void
stream_free(struct stream **s)
{
	if (*s == NULL)
		return;
	if ((*s)->layer->close != NULL)
		(*s)->layer->close(*s);
	stream_side_release(&(*s)->in);
	stream_side_release(&(*s)->out);
	task_fd_free(&(*s)->waits);
	file_close(&(*s)->fd);
	mem_free(*s);
	*s = NULL;
}

void
stream_set_layer(struct stream *s, const struct stream_layer *layer, void *layer_data)
{
	if (s->layer->close != NULL)
		s->layer->close(s);
	stream_side_release(&s->in);
	stream_side_release(&s->out);
	s->last_start = s->last_end = 0;
	s->drained = s->at_eof = false;
	s->layer = layer;
	s->layer_data = layer_data;
}

void
stream_layer_wants(struct stream *s, enum task_wait what)
{
	s->wants = (unsigned char)what;
}

enum stream_result
stream_result_of(enum task_result result)
{
	switch (result) {
	case TASK_OK:
		return STREAM_OK;
	case TASK_TIMEOUT:
		return STREAM_TIMEOUT;
	case TASK_CANCELLED:
		break;
	}
	return STREAM_CANCELLED;
}

enum stream_result
stream_wait(struct stream *s, enum task_wait what, nanoseconds deadline)
{
	if (s->wants != 0)
		what = (enum task_wait)s->wants;
	s->wants = 0;
	return stream_result_of(task_fd_wait(s->waits, what, deadline));
}

void *
stream_layer_data(const struct stream *s)
{
	return s->layer_data;
}

int
stream_fd(const struct stream *s)
{
	return s->fd;
}

int
stream_errno(const struct stream *s)
{
	return s->error;
}

unsigned long long
stream_bytes_in(const struct stream *s)
{
	return s->bytes_in;
}

unsigned long long
stream_bytes_out(const struct stream *s)
{
	return s->bytes_out;
}

const char *
stream_result_text(enum stream_result r)
{
	static const char *const texts[] = {
		[STREAM_OK] = "ok",
		[STREAM_EOF] = "lost connection",
		[STREAM_TIMEOUT] = "timeout",
		[STREAM_CANCELLED] = "cancelled",
		[STREAM_ERROR] = "connection error",
		[STREAM_TOO_LONG] = "line too long",
	};

	return (size_t)r < ARRAY_LEN(texts) ? texts[r] : "unknown result";
}
