/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A submission as a file: what sendmail leaves in maildrop/ when pickup cannot be reached, and
 * pickup submits later. The file is
 *
 *   "PosternM", u32 version 1, then the frames of submit/1 as on the socket (u32 length, u8
 *   kind, payload): begin, recipient..., data..., end. What stands behind the end is not read.
 *
 * docs/queue.md tells the life of these files, their names, modes and owners. Whoever wrote the
 * file may be anybody and may still change it: the reader trusts none of it.
 */
#ifndef PROTO_MAILDROP_H
#define PROTO_MAILDROP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/view.h"
#include "ipc/ipc.h"

#define MAILDROP_NAME_LENGTH  32 /* lower-case hexadecimal digits: 128 random bits */
#define MAILDROP_SHOWN_LENGTH 16 /* of them may be shown; who knows all can read the file */
#define MAILDROP_MODE_PARTIAL 0600
#define MAILDROP_MODE_READY   0604 /* whole; no program gives this mode by accident */

/* A new name, NUL-terminated. */
void maildrop_name_new(char out[MAILDROP_NAME_LENGTH + 1]);
bool maildrop_name_is_valid(struct view name);

/* Writing: each appends to out, whose overflow says that it did not fit. */
void maildrop_begin(struct buf *out);
void maildrop_message(struct buf *out, const struct ipc_message *m, const void *value);
void maildrop_data(struct buf *out, struct view bytes);

/*
 * Opens a file of maildrop/ for reading if it is one that sendmail has finished, judged by what
 * fstat says of the descriptor: *st, whose owner is the sender. -1: errno, ESTALE when it is
 * something else. Links are not followed.
 */
int maildrop_open(int directory, const char *name, struct stat *st);
bool maildrop_is_ready(const struct stat *st);

struct maildrop_reader {
	int fd; /* the caller's */
	struct buf in;
	size_t used; /* bytes of the frame that was handed out */
	bool started;
};

enum maildrop_result {
	MAILDROP_FRAME,
	MAILDROP_EOF,   /* between two frames */
	MAILDROP_WRONG, /* not such a file, or cut short */
	MAILDROP_ERROR, /* cannot be read: errno */
};

void maildrop_reader_init(struct maildrop_reader *r, int fd);
void maildrop_reader_done(struct maildrop_reader *r);

/*
 * The next frame; its views are valid until the next call. Decode with ipc_decode, without
 * descriptors. Blocks on the disk.
 */
enum maildrop_result maildrop_next(struct maildrop_reader *r, struct ipc_frame *frame);

#endif
