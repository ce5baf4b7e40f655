/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The input side of a stream. All reads go through stream_fill, which brings at least one more
 * byte into the buffer or says why not.
 *
 * A read that returned less than was asked for has emptied the kernel's buffer, so the next one
 * waits first instead of asking in vain, and while it waits with nothing in the buffer there is
 * no buffer. (A TLS layer may hold more than the kernel shows, so it is always asked first.) A
 * peer that always has more to send does not keep the loop: every BUSY_MAX reads the others get
 * a turn.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "task/loop.h"
#include "task/stream_private.h"

#define BUSY_MAX 8

static size_t
buffered(const struct stream *s)
{
	return s->in.end - s->in.start;
}

size_t
stream_buffered(const struct stream *s)
{
	return buffered(s);
}

/* Within one turn of the loop a read that took everything has answered the question. */
bool
stream_has_input(const struct stream *s)
{
	bool is_answered =
	    s->drained && task_loop.current != NULL && s->read_turn == task_loop.turn;
	int pending = 0;

	if (buffered(s) > 0 || is_answered)
		return buffered(s) > 0;
	return ioctl(s->fd, FIONREAD, &pending) == 0 && pending > 0;
}

bool
stream_is_quiet(const struct stream *s)
{
	if (buffered(s) > 0 || s->at_eof || s->error)
		return false;
	if (s->drained && task_fd_is_quiet(s->waits))
		return true;
	return !s->not_socket && s->layer == &stream_plain_layer &&
	    recv(s->fd, &(char){ 0 }, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
	    (errno == EAGAIN || errno == EWOULDBLOCK);
}

/* Room at the end of the input buffer. */
static void
make_room(struct stream *s)
{
	if (s->in.data == NULL)
		s->in.data = stream_buffer_take();
	if (s->in.start == s->in.end) {
		s->in.start = s->in.end = 0;
	} else if (s->in.end == STREAM_INPUT_SIZE) {
		memmove(s->in.data, s->in.data + s->in.start, buffered(s));
		s->in.end -= s->in.start;
		s->in.start = 0;
	}
	s->last_start = s->last_end = s->in.start;
	assert(s->in.end < STREAM_INPUT_SIZE);
}

static enum stream_result
wait_for_input(struct stream *s, nanoseconds deadline)
{
	enum stream_result result = stream_flush(s, deadline);

	if (result != STREAM_OK)
		return result;
	if (buffered(s) == 0)
		stream_side_release(&s->in);
	s->busy_reads = 0;
	s->drained = false;
	return stream_wait(s, TASK_READ, deadline);
}

/*
 * One read into p. STREAM_OK with *got == 0: nothing there now. A stream at its end stays
 * there.
 */
static enum stream_result
read_once(struct stream *s, char *p, size_t n, size_t *got)
{
	ssize_t rc;

	*got = 0;
	do
		rc = s->layer->read(s, p, n);
	while (rc < 0 && errno == EINTR);
	if (rc > 0) {
		*got = (size_t)rc;
		s->bytes_in += (size_t)rc;
		s->drained = (size_t)rc < n && s->layer == &stream_plain_layer;
		s->read_turn = task_loop.turn;
		s->busy_reads++;
		return STREAM_OK;
	}
	if (rc == 0) {
		s->at_eof = true;
		return STREAM_EOF;
	}
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return STREAM_OK;
	s->error = errno;
	return STREAM_ERROR;
}

/* Before a read: the deadline, the turn of the others, and whether to wait first. */
static enum stream_result
before_read(struct stream *s, nanoseconds deadline)
{
	if (s->at_eof)
		return STREAM_EOF;
	if (s->drained)
		return wait_for_input(s, deadline);
	if (s->busy_reads >= BUSY_MAX) {
		s->busy_reads = 0;
		task_yield();
	}
	return stream_result_of(task_check(deadline));
}

/* At least one more byte into the input buffer, or the reason why not. */
static enum stream_result
stream_fill(struct stream *s, nanoseconds deadline)
{
	enum stream_result result = before_read(s, deadline);
	size_t got;

	while (result == STREAM_OK) {
		make_room(s);
		result =
		    read_once(s, s->in.data + s->in.end, STREAM_INPUT_SIZE - s->in.end, &got);
		if (got > 0) {
			s->in.end += got;
			return STREAM_OK;
		}
		if (result == STREAM_OK)
			result = wait_for_input(s, deadline);
	}
	if (buffered(s) == 0)
		stream_side_release(&s->in);
	return result;
}

static struct view
take(struct stream *s, size_t n)
{
	struct view v = { s->in.data + s->in.start, n };

	s->last_start = s->in.start;
	s->in.start += n;
	s->last_end = s->in.start;
	return v;
}

static struct view
take_line(struct stream *s, size_t length, bool *ended_with_crlf)
{
	struct view line = take(s, length);
	bool crlf = length > 0 && line.p[length - 1] == '\r';

	if (crlf)
		line.n--;
	s->last_end = s->last_start + line.n;
	s->in.start++; /* the LF */
	if (ended_with_crlf != NULL)
		*ended_with_crlf = crlf;
	return line;
}

/* Are n bytes without LF more than a line of max bytes can begin with? */
static bool
is_too_long(const char *p, size_t n, size_t max)
{
	return n > max + 1 || (n == max + 1 && p[max] != '\r');
}

enum stream_result
stream_read_line(struct stream *s, size_t max, struct view *line, bool *ended_with_crlf,
    nanoseconds deadline)
{
	size_t scanned = 0;

	assert(max <= STREAM_INPUT_SIZE - 2);
	for (;;) {
		size_t n = buffered(s);

		if (n > scanned) {
			const char *p = s->in.data + s->in.start;
			const char *lf = memchr(p + scanned, '\n', n - scanned);

			if (is_too_long(p, lf != NULL ? (size_t)(lf - p) : n, max))
				return STREAM_TOO_LONG;
			if (lf != NULL) {
				*line = take_line(s, (size_t)(lf - p), ended_with_crlf);
				return STREAM_OK;
			}
			scanned = n;
		}
		enum stream_result result = stream_fill(s, deadline);

		if (result != STREAM_OK)
			return result;
	}
}

enum stream_result
stream_read_some(struct stream *s, size_t max, struct view *bytes, nanoseconds deadline)
{
	size_t n = buffered(s);

	assert(max > 0);
	if (n == 0) {
		enum stream_result result = stream_fill(s, deadline);

		if (result != STREAM_OK)
			return result;
		n = buffered(s);
	}
	*bytes = take(s, n < max ? n : max);
	return STREAM_OK;
}

enum stream_result
stream_read_exact(struct stream *s, void *p, size_t n, nanoseconds deadline)
{
	char *to = p;
	enum stream_result result = STREAM_OK;

	while (n > 0 && result == STREAM_OK) {
		size_t got = buffered(s);

		if (got > 0) {
			got = got < n ? got : n;
			memcpy(to, s->in.data + s->in.start, got);
			s->in.start += got;
		} else if (n < STREAM_INPUT_SIZE) {
			result = stream_fill(s, deadline);
		} else {
			/* Much: past the buffer. */
			result = before_read(s, deadline);
			if (result == STREAM_OK)
				result = read_once(s, to, n, &got);
			if (result == STREAM_OK && got == 0)
				result = wait_for_input(s, deadline);
		}
		to += got;
		n -= got;
	}
	s->last_start = s->last_end = s->in.start;
	return result;
}

void
stream_unread(struct stream *s, size_t n)
{
	if (n == 0)
		return;
	assert(n <= s->last_end - s->last_start);
	s->last_end -= n;
	s->in.start = s->last_end;
}

enum stream_result
stream_wait_input(struct stream *s, nanoseconds deadline)
{
	enum stream_result result = stream_flush(s, deadline);

	if (result != STREAM_OK || buffered(s) > 0)
		return result;
	return stream_fill(s, deadline);
}
