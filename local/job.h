/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailbox/1: the deciding process asks a worker, which runs as the recipient, to put one
 * message into one mailbox.
 *
 *   decider: job        worker: result        (then the next job on the same channel)
 */
#ifndef LOCAL_JOB_H
#define LOCAL_JOB_H

#include "ipc/ipc.h"

struct mailbox_job {
	int message; /* descriptor of the queue file, read-only */
	uint64_t header_offset, header_length;
	uint64_t body_offset, body_length;
	uint64_t body_crc;
	struct view prefix; /* lines before the header, LF line ends */
	struct view root;   /* absolute: the home or the spool directory */
	struct view path;   /* below it */
	bool is_maildir;
	struct view locks; /* mailbox_delivery_lock, for mbox */
	uint64_t lock_attempts;
	uint64_t lock_delay;  /* nanoseconds */
	uint64_t stale_time;  /* nanoseconds */
	uint64_t size_limit;  /* of an mbox file or a Maildir message; 0: none */
	struct view forwards; /* absolute paths that must not exist, one a line */
};

struct mailbox_result {
	uint64_t result; /* enum deliver_result */
	struct view dsn;
	struct view reason;
};

extern const struct ipc_message mailbox_job_message;
extern const struct ipc_message mailbox_result_message;

#endif
