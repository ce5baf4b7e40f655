/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queuectl/1: what is said to qmgr. cleanup announces; the queue tools ask for changes, since
 * qmgr is the only owner of queue files while it runs.
 *
 *   arrived   a message was committed to incoming/; no answer
 *   command   one change; answered by `result`
 *
 * Announcing is a courtesy: qmgr also finds what nobody announced.
 */
#ifndef PROTO_QUEUECTL_H
#define PROTO_QUEUECTL_H

#include "ipc/ipc.h"

struct queuectl_arrived {
	struct view queue_id;
	uint64_t slot; /* queue_writer_slot */
};

enum queuectl_verb {
	QUEUECTL_FLUSH = 1,    /* all deferred mail is due now (postqueue -f) */
	QUEUECTL_FLUSH_ID = 2, /* one message (postqueue -i) */
	QUEUECTL_HOLD = 3,     /* postsuper -h */
	QUEUECTL_RELEASE = 4,  /* postsuper -H */
	QUEUECTL_DELETE = 5,   /* postsuper -d */
	QUEUECTL_REQUEUE = 6,  /* postsuper -r */
	QUEUECTL_EXPIRE = 7,   /* postsuper -e */
};

struct queuectl_command {
	uint64_t verb;        /* enum queuectl_verb */
	struct view queue_id; /* empty for FLUSH */
};

enum queuectl_outcome {
	QUEUECTL_DONE = 1,
	QUEUECTL_NOT_FOUND = 2,
	QUEUECTL_NOT_ALLOWED = 3, /* the caller's uid */
	QUEUECTL_FAILED = 4,
};

struct queuectl_result {
	uint64_t outcome; /* enum queuectl_outcome */
	struct view why;
};

extern const struct ipc_message queuectl_arrived_message;
extern const struct ipc_message queuectl_command_message;
extern const struct ipc_message queuectl_result_message;

#endif
