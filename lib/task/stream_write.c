/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The output side of a stream: small writes gather in the buffer, large ones go past it. The
 * buffer is given back as soon as it is empty.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "task/stream_private.h"

#define BUSY_MAX 8

/* Sends all n bytes; *sent counts those that went out, also on failure. */
static enum stream_result
send_all(struct stream *s, const char *p, size_t n, size_t *sent, nanoseconds deadline)
{
	unsigned busy = 0;

	*sent = 0;
	while (*sent < n) {
		ssize_t rc = s->layer->write(s, p + *sent, n - *sent);
		enum stream_result result = STREAM_OK;

		if (rc > 0) {
			*sent += (size_t)rc;
			s->bytes_out += (size_t)rc;
			if (++busy % BUSY_MAX == 0)
				task_yield();
			continue;
		}
		if (rc < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			result = stream_wait(s, TASK_WRITE, deadline);
		else if (rc == 0 || errno != EINTR) {
			s->error = rc == 0 ? EIO : errno;
			result = STREAM_ERROR;
		}
		if (result != STREAM_OK)
			return result;
	}
	return STREAM_OK;
}

enum stream_result
stream_flush(struct stream *s, nanoseconds deadline)
{
	enum stream_result result;
	size_t sent;

	if (s->out.start == s->out.end)
		return STREAM_OK;
	result =
	    send_all(s, s->out.data + s->out.start, s->out.end - s->out.start, &sent, deadline);
	s->out.start += sent;
	if (s->out.start == s->out.end)
		stream_side_release(&s->out);
	return result;
}

size_t
stream_unsent(const struct stream *s)
{
	return s->out.end - s->out.start;
}

/* As much of the bytes as fits behind what is in the buffer. */
static size_t
append(struct stream *s, const char *p, size_t n)
{
	size_t room;

	if (s->out.data == NULL)
		s->out.data = stream_buffer_take();
	room = STREAM_OUTPUT_SIZE - s->out.end;
	if (n > room)
		n = room;
	memcpy(s->out.data + s->out.end, p, n);
	s->out.end += n;
	return n;
}

enum stream_result
stream_write(struct stream *s, struct view bytes, nanoseconds deadline)
{
	enum stream_result result = STREAM_OK;

	while (bytes.n > 0 && result == STREAM_OK) {
		size_t done;

		if (s->out.end == 0 && bytes.n >= STREAM_OUTPUT_SIZE) {
			result = send_all(s, bytes.p, bytes.n, &done, deadline);
		} else {
			done = append(s, bytes.p, bytes.n);
			if (s->out.end == STREAM_OUTPUT_SIZE)
				result = stream_flush(s, deadline);
		}
		bytes.p += done;
		bytes.n -= done;
	}
	return result;
}

enum stream_result
stream_printf(struct stream *s, nanoseconds deadline, const char *format, ...)
{
	enum stream_result result = STREAM_OK;
	va_list ap;
	size_t room;
	char *text;
	int n;

	if (s->out.data == NULL)
		s->out.data = stream_buffer_take();
	room = STREAM_OUTPUT_SIZE - s->out.end;
	va_start(ap, format);
	n = vsnprintf(s->out.data + s->out.end, room, format, ap);
	va_end(ap);
	if (n < 0) {
		s->error = errno;
		return STREAM_ERROR;
	}
	if ((size_t)n < room) {
		s->out.end += (size_t)n;
		return STREAM_OK;
	}
	text = mem_alloc((size_t)n + 1);
	va_start(ap, format);
	(void)vsnprintf(text, (size_t)n + 1, format, ap);
	va_end(ap);
	result = stream_write(s, (struct view){ text, (size_t)n }, deadline);
	mem_free(text);
	return result;
}
