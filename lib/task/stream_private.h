/* SPDX-License-Identifier: Apache-2.0 */
/* Private to lib/task: the inside of a stream, for stream.c, stream_read.c and stream_write.c.
 */
#ifndef TASK_STREAM_PRIVATE_H
#define TASK_STREAM_PRIVATE_H

#include "task/stream.h"
#include "task/task.h"

/* A run of bytes [start, end) in a buffer that exists only while it is needed. */
struct stream_side {
	char *data; /* NULL: none */
	size_t start;
	size_t end;
};

struct stream {
	int fd;
	struct task_fd *waits;
	int error;
	const struct stream_layer *layer;
	void *layer_data;
	struct stream_side in;
	struct stream_side out;
	size_t last_start; /* what the last read returned, in in.data */
	size_t last_end;
	unsigned char busy_reads; /* since the last wait */
	unsigned long read_turn;  /* of the loop, at the last read */
	bool drained; /* the last read took all that the kernel had, or there was none */
	bool not_socket;
	bool at_eof;
	unsigned char wants; /* of stream_layer_wants, 0 none */
	unsigned long long bytes_in;
	unsigned long long bytes_out;
};

extern const struct stream_layer stream_plain_layer;

/* One size serves both sides, so that one list of free buffers does. */
char *stream_buffer_take(void);
void stream_buffer_give(char **data);

/* Empties; the memory goes back. */
void stream_side_release(struct stream_side *side);

/* After EAGAIN. */
enum stream_result stream_wait(struct stream *s, enum task_wait what, nanoseconds deadline);
enum stream_result stream_result_of(enum task_result result);

#endif
