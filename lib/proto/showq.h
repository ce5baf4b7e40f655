/* SPDX-License-Identifier: Apache-2.0 */
/*
 * showq/1: a listing of the queue.
 *
 *   client: list          showq: message, recipient..., message, ..., end
 *   client: summary       showq: row..., end
 *
 * Both take filters: texts as lib/queue/filter.h knows them.
 */
#ifndef PROTO_SHOWQ_H
#define PROTO_SHOWQ_H

#include "ipc/ipc.h"

struct showq_list {
	struct view from, to, destination, reason, older, larger; /* empty: not given */
};

struct showq_summary {
	struct view from, to, destination, reason, older, larger;
};

/* One line of a summary. First the totals, then destinations, then reasons; most first. */
enum showq_row_kind { SHOWQ_TOTAL, SHOWQ_PLACE, SHOWQ_DESTINATION, SHOWQ_REASON };
struct showq_row {
	uint64_t kind;
	struct view name; /* a place of the queue, a domain, a reason; empty: all others */
	uint64_t messages, recipients;
	uint64_t size;           /* of the messages */
	uint64_t oldest, newest; /* arrival, microseconds */
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
extern const struct ipc_message showq_summary_message;
extern const struct ipc_message showq_row_message;
extern const struct ipc_message showq_message_message;
extern const struct ipc_message showq_recipient_message;
extern const struct ipc_message showq_end_message;

#endif
