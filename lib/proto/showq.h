/* SPDX-License-Identifier: Apache-2.0 */
/*
 * showq/1: a listing of the queue.
 *
 *   client: list          showq: message, recipient..., message, ..., end
 */
#ifndef PROTO_SHOWQ_H
#define PROTO_SHOWQ_H

#include "ipc/ipc.h"

struct showq_list {
	bool unused;
};

struct showq_message {
	struct view queue_name; /* "active", "incoming", "deferred", "hold", "maildrop" */
	struct view queue_id;
	uint64_t arrival; /* microseconds, wall clock */
	uint64_t size;
	bool forced_expire;
	struct view sender; /* internal form */
};

struct showq_recipient {
	struct view address;
	struct view original; /* empty: the same */
	struct view reason;   /* why it is still here; empty: not tried yet */
};

struct showq_end {
	struct view error; /* empty: the listing is complete */
};

extern const struct ipc_message showq_list_message;
extern const struct ipc_message showq_message_message;
extern const struct ipc_message showq_recipient_message;
extern const struct ipc_message showq_end_message;

#endif
