/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One message into one mailbox, with the rights of its owner. Everything here blocks on the
 * disk and runs in an offload thread; several at a time are fine.
 */
#ifndef LOCAL_DELIVER_FILE_H
#define LOCAL_DELIVER_FILE_H

#include <stdint.h>

#include "base/buf.h"
#include "local/job.h"
#include "proto/deliver.h"

#define DELIVER_REASON_MAX 1000

struct deliver_file {
	const struct mailbox_job *job;
	enum deliver_result result;
	const char *dsn; /* constant */
	struct buf reason;
};

void deliver_file_run(struct deliver_file *d);

/* Sets the outcome; returns false for the convenience of callers that stop there. */
bool deliver_fail(struct deliver_file *d, enum deliver_result result, const char *dsn,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The outcome of a failed system call: a full quota is final, everything else may pass. */
bool deliver_fail_errno(struct deliver_file *d, const char *what, const char *path, int error);

void maildir_deliver(struct deliver_file *d, int root_fd);
void mbox_deliver(struct deliver_file *d, int root_fd);

/*
 * Opens a path below root_fd without following any symbolic link and without leaving it. -1
 * with errno (ELOOP: a link was in the way).
 */
int open_beneath(int root_fd, const char *path, int flags, unsigned mode);

/*
 * Copies the message to fd in file form (LF line ends; quoted for an mbox), verifying the
 * body's checksum on the way. False: the outcome is set, and what was written is worthless.
 */
bool content_copy(struct deliver_file *d, int fd, bool quote_from);

/* The bytes that content_copy will read, for size limits. */
uint64_t content_size(const struct mailbox_job *job);

#endif
