/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A buffered byte stream over a descriptor, for tasks. Buffers are allocated when bytes arrive
 * and given back when the stream waits idle, so an idle session costs none. The layer below can
 * be replaced (TLS): a replacement drops everything that was buffered from before.
 *
 * A write goes into the output buffer; it reaches the peer at stream_flush, when the buffer is
 * full, or when a read is about to wait. A peer that does not read stops the writer, never
 * grows the buffer.
 */
#ifndef TASK_STREAM_H
#define TASK_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/view.h"
#include "task/task.h"

#define STREAM_INPUT_SIZE  16384
#define STREAM_OUTPUT_SIZE 16384

enum stream_result {
	STREAM_OK,
	STREAM_EOF, /* the peer closed, nothing is left */
	STREAM_TIMEOUT,
	STREAM_CANCELLED,
	STREAM_ERROR,    /* errno in stream_errno */
	STREAM_TOO_LONG, /* a line without end within the limit: what was read stays unread */
};

struct stream;

/* What lies below: by default recv/send on the descriptor. Each may wait only through task. */
struct stream_layer {
	ssize_t (*read)(struct stream *s, void *p, size_t n);        /* as read(2), EAGAIN */
	ssize_t (*write)(struct stream *s, const void *p, size_t n); /* as write(2), EAGAIN */
	void (*close)(struct stream *s);                             /* frees layer_data */
};

/*
 * For a layer that is about to return EAGAIN from read but must first write, or the other way
 * round: what the stream waits for this once.
 */
void stream_layer_wants(struct stream *s, enum task_wait what);

/*
 * Takes the descriptor and makes it non-blocking. It may be a socket, pipe or terminal; SIGPIPE
 * is ignored by the process if it may be a pipe.
 */
struct stream *stream_new(int fd);
struct stream *stream_new_nonblocking(int fd); /* the same for one that is so already */
void stream_free(struct stream **s);           /* closes; unsent output is dropped */
int stream_fd(const struct stream *s);
int stream_errno(const struct stream *s);

/* Replaces the layer (the old one is closed); buffered input and output are discarded. */
void stream_set_layer(struct stream *s, const struct stream_layer *layer, void *layer_data);
void *stream_layer_data(const struct stream *s);

/*
 * One line without its end, which is LF, with or without CR before it (*ended_with_crlf says
 * which; may be NULL). The view is valid until the next call on the stream. At most max bytes,
 * no more than STREAM_INPUT_SIZE - 2, else STREAM_TOO_LONG. STREAM_EOF may leave bytes without
 * a line end unread.
 */
enum stream_result stream_read_line(struct stream *s, size_t max, struct view *line,
    bool *ended_with_crlf, nanoseconds deadline);

/* Whatever is there, at least one byte and at most max; valid until the next call. */
enum stream_result stream_read_some(
    struct stream *s, size_t max, struct view *bytes, nanoseconds deadline);

/* Exactly n bytes into p. */
enum stream_result stream_read_exact(struct stream *s, void *p, size_t n, nanoseconds deadline);

/*
 * Gives back the last n bytes of what the last read_line or read_some returned, and the line
 * end behind them.
 */
void stream_unread(struct stream *s, size_t n);

/* Bytes that can be read without waiting for the peer. */
size_t stream_buffered(const struct stream *s);

/* Are there any, or more in the kernel? As of the last read or wait, whichever came later. */
bool stream_has_input(const struct stream *s);

/*
 * For a stream that is kept while nothing is expected: nothing has come, and the peer has not
 * closed, as far as the loop has seen. What happened since its last turn may be missed.
 */
bool stream_is_quiet(const struct stream *s);

/* Waits until there is input (STREAM_OK), the peer closed, or the deadline. Flushes first. */
enum stream_result stream_wait_input(struct stream *s, nanoseconds deadline);

enum stream_result stream_write(struct stream *s, struct view bytes, nanoseconds deadline);
enum stream_result stream_printf(struct stream *s, nanoseconds deadline, const char *format,
    ...) __attribute__((format(printf, 3, 4)));
enum stream_result stream_flush(struct stream *s, nanoseconds deadline);
size_t stream_unsent(const struct stream *s);

/* For limits on minimum rates: bytes received and sent since the start, above the layer. */
unsigned long long stream_bytes_in(const struct stream *s);
unsigned long long stream_bytes_out(const struct stream *s);

const char *stream_result_text(enum stream_result r);

#endif
