/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deliver/1: qmgr asks an agent to deliver one message to some recipients of one next hop.
 *
 *   qmgr: request, recipient..., go        agent: outcome for each recipient, then done
 *
 * The agent gets a read-only descriptor and the extents: content is the header extent, CRLF,
 * the body extent. It logs one to=<> line per recipient. The order of outcomes is free; a
 * recipient without an outcome when the connection ends counts as not tried. The connection is
 * then ready for the next request. An agent may get several messages over several connections
 * at once.
 */
#ifndef PROTO_DELIVER_H
#define PROTO_DELIVER_H

#include "ipc/ipc.h"

struct deliver_request {
	int message; /* descriptor of the queue file, read-only */
	struct view queue_id;
	uint64_t flags; /* enum queue_flags */
	uint64_t body_offset, body_length;
	uint64_t header_offset, header_length;
	uint64_t body_crc;
	uint64_t size;
	struct view sender; /* internal form */
	struct view transport;
	struct view nexthop;
	uint64_t arrival; /* microseconds, wall clock */
	uint64_t queued;  /* when qmgr took it up: for delays= */
	struct view envelope_id;
	struct view dsn_ret;
	struct view client_name;
	struct view client_address;
	struct view client_port;
	struct view helo_name;
	struct view protocol_name;
	struct view message_id;
};

struct deliver_recipient {
	uint64_t index;      /* of the recipient in the queue file */
	struct view address; /* as resolved */
	struct view original;
	struct view dsn_orcpt;
	uint64_t notify;
};

struct deliver_go {
	bool unused;
};

enum deliver_result {
	DELIVER_SENT = 1,
	DELIVER_DEFERRED = 2,
	DELIVER_BOUNCED = 3,
};

struct deliver_outcome {
	uint64_t index;
	uint64_t result;         /* enum deliver_result */
	struct view dsn;         /* "2.0.0" */
	struct view reason;      /* text of the log line's parentheses */
	struct view relay;       /* "local", host[address]:port */
	struct view remote_host; /* for notices: who said so, empty for ourselves */
	bool destination_failed; /* the destination as a whole is at fault, not this message */
	/* For NOTIFY=SUCCESS, when it was sent: */
	bool dsn_passed_on; /* the next system got the DSN parameters (RFC 3461) and tells
			       itself */
	bool relayed;       /* to another mail system, which is not known to tell anybody */
	bool expanded; /* into several other recipients, by a list or an alias with an owner */
};

struct deliver_done {
	bool unused;
};

extern const struct ipc_message deliver_request_message;
extern const struct ipc_message deliver_recipient_message;
extern const struct ipc_message deliver_go_message;
extern const struct ipc_message deliver_outcome_message;
extern const struct ipc_message deliver_done_message;

#endif
