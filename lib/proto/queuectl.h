/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queuectl/1: what is said to qmgr. cleanup announces; the queue tools ask for changes, since
 * qmgr is the only owner of queue files while it runs.
 *
 *   arrived   a message was committed to incoming/; no answer
 *   command   one change; answered by `result`
 *   many      the same change to many messages; answered by `many_result`
 *
 * Announcing is a courtesy: qmgr also finds what nobody announced.
 */
#ifndef PROTO_QUEUECTL_H
#define PROTO_QUEUECTL_H

#include "ipc/ipc.h"

struct queuectl_arrived {
	struct view queue_id;
	uint64_t slot; /* queue_writer_slot */
	bool held;     /* it went to hold/ */
};

enum queuectl_verb {
	QUEUECTL_FLUSH = 1,    /* all deferred mail is due now (postqueue -f) */
	QUEUECTL_FLUSH_ID = 2, /* one message (postqueue -i) */
	QUEUECTL_HOLD = 3,     /* postsuper -h */
	QUEUECTL_RELEASE = 4,  /* postsuper -H */
	QUEUECTL_DELETE = 5,   /* postsuper -d */
	QUEUECTL_REQUEUE = 6,  /* postsuper -r */
	QUEUECTL_EXPIRE = 7,   /* postsuper -e */
	/* What qmgr knows by now is in the index, and the index is complete. FAILED: it is not.
	 */
	QUEUECTL_INDEX = 8,
	QUEUECTL_REBUILD = 9,     /* the index is made anew from the files (postsuper -s) */
	QUEUECTL_FLUSH_SITE = 10, /* mail for the domain `destination` (ETRN, postqueue -s) */
	QUEUECTL_FLUSH_SOME = 11, /* what the filters select (postqueue -f --from ...) */
};

/* The filters are texts as lib/queue/filter.h knows them; empty: not given. */
struct queuectl_command {
	uint64_t verb;        /* enum queuectl_verb */
	struct view queue_id; /* where one message is meant */
	struct view from, to, destination, reason, older, larger;
};

/* For the verbs that change one message. */
#define QUEUECTL_MANY_MAX 200
struct queuectl_many {
	uint64_t verb;
	struct view ids; /* separated by blanks, QUEUECTL_MANY_MAX at most */
};

enum queuectl_outcome {
	QUEUECTL_DONE = 1,
	QUEUECTL_NOT_FOUND = 2,
	QUEUECTL_NOT_ALLOWED = 3, /* the caller's uid; a destination that is not served */
	QUEUECTL_FAILED = 4,
	QUEUECTL_ALONE = 5, /* one of many that is to be asked for alone: it is active */
};

struct queuectl_result {
	uint64_t outcome; /* enum queuectl_outcome */
	struct view why;
};

struct queuectl_many_result {
	struct view outcomes; /* a digit for each id, enum queuectl_outcome */
};

extern const struct ipc_message queuectl_arrived_message;
extern const struct ipc_message queuectl_command_message;
extern const struct ipc_message queuectl_result_message;
extern const struct ipc_message queuectl_many_message;
extern const struct ipc_message queuectl_many_result_message;

#endif
