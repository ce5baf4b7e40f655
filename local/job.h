/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailbox/1: the deciding process asks a worker, which runs as the recipient, to put one
 * message into the mailbox that the worker serves.
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
	struct view prefix;   /* lines before the header, LF line ends */
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
