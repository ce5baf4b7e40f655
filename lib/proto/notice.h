/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notice/1: qmgr asks bounce to tell the sender of a message what became of it.
 *
 *   qmgr: request, recipient..., send      bounce: status
 *
 * bounce builds the report (RFC 3464), submits it through cleanup, and answers when it is on
 * disk. Only then may qmgr forget the recipients. Bounce never gets a request for the null
 * sender except as kind double: the report for the postmaster about a notice that cannot be
 * delivered.
 */
#ifndef PROTO_NOTICE_H
#define PROTO_NOTICE_H

#include "ipc/ipc.h"

enum notice_kind {
	NOTICE_FAILURE = 1,
	NOTICE_DELAY = 2,
	NOTICE_SUCCESS = 3,
	NOTICE_TRACE = 5,  /* of a whole attempt: all actions */
	NOTICE_DOUBLE = 4, /* to 2bounce_notice_recipient */
};

struct notice_request {
	uint64_t kind;        /* enum notice_kind */
	int message;          /* as in deliver/1 */
	struct view queue_id; /* of the original message */
	uint64_t flags;
	uint64_t body_offset, body_length;
	uint64_t header_offset, header_length;
	struct view sender;
	uint64_t arrival;
	struct view envelope_id;
	struct view dsn_ret;
};

struct notice_recipient {
	struct view address;  /* final recipient, internal form */
	struct view original; /* as the sender knows it */
	struct view dsn_orcpt;
	uint64_t notify;
	struct view dsn; /* "5.1.1" */
	struct view reason;
	struct view remote_host; /* "host mx.example.org[192.0.2.1]" or empty */
	struct view action;      /* "failed", "delayed", "delivered", "relayed", "expanded" */
	uint64_t when;           /* last attempt */
};

struct notice_send {
	bool unused;
};

struct notice_status {
	bool ok;               /* false: temporary, ask again later */
	struct view notice_id; /* queue id of the notice; empty: nobody is to be told */
	struct view why;
};

extern const struct ipc_message notice_request_message;
extern const struct ipc_message notice_recipient_message;
extern const struct ipc_message notice_send_message;
extern const struct ipc_message notice_status_message;

#endif
