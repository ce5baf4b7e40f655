/* SPDX-License-Identifier: Apache-2.0 */
/* Private to lib/ipc: frames as bytes, and the inside of a connection. */
#ifndef IPC_IPC_PRIVATE_H
#define IPC_IPC_PRIVATE_H

#include "ipc/ipc.h"
#include "task/task.h"

#define IPC_HEADER_SIZE 5 /* length and kind */
#define IPC_BUFFER_SIZE (16 * 1024)
#define IPC_FDS_MAX     8 /* descriptors of one message */

enum ipc_kind { IPC_KIND_MESSAGE = 'm', IPC_KIND_DATA = 'd' };

/*
 * Looks for a whole frame at the front of in. *total is its length once the header is there,
 * else 0. Pure; *why is a constant.
 */
enum ipc_taken { IPC_TAKEN, IPC_TAKE_MORE, IPC_TAKE_REFUSED };
enum ipc_taken ipc_frame_take(
    struct view in, struct ipc_frame *frame, size_t *total, const char **why);

/* The header of a frame with n bytes of payload. */
void ipc_frame_header(char header[IPC_HEADER_SIZE], enum ipc_kind kind, size_t n);

/* Descriptors that came with the bytes [start, end) of the connection. */
struct ipc_batch {
	uint64_t start;
	uint64_t end;
	int fds[IPC_FDS_MAX];
	size_t count;
};

struct ipc {
	int fd;
	struct task_fd *waits;
	const char *why;
	bool broken;  /* half a frame went out */
	bool writing; /* a writer is in the middle of it, perhaps waiting */
	bool drained; /* the last read took all there was, or would have found nothing */
	bool at_eof;
	bool takes_fds;
	unsigned char busy; /* receives since the others had a turn */

	struct buf out;
	size_t out_start;

	char *in;
	size_t in_cap;
	size_t in_start;
	size_t in_end;
	uint64_t in_offset; /* how many bytes of the connection came before in_start */

	struct ipc_batch batches[2];
	size_t batch_count;
	int fds[IPC_FDS_MAX]; /* of the last frame */
	size_t fd_count;
};

enum ipc_result ipc_fail(struct ipc *c, int error);
enum ipc_result ipc_refuse(struct ipc *c, const char *why);
/* Whether a wait would fail at once, and a wait. */
enum ipc_result ipc_check(struct ipc *c, nanoseconds deadline);
enum ipc_result ipc_wait(struct ipc *c, enum task_wait what, nanoseconds deadline);

/* ipc_flush, but leaves alone what another task is about to send. */
enum ipc_result ipc_flush_idle(struct ipc *c, nanoseconds deadline);

/* Closes the descriptors that nobody took. */
void ipc_close_fds(int *fds, size_t *count);

#endif
