/* SPDX-License-Identifier: Apache-2.0 */
/*
 * submit/1: handing a new message in. smtpd, bounce and local speak it to cleanup; sendmail to
 * pickup, which speaks it on to cleanup with the caller's uid filled in.
 *
 *   client: begin, recipient..., data frames..., end            server: status
 *   client: abort instead of end                                server: nothing
 *
 * The client need not wait for anything before `end`: one round trip a message. The connection
 * is then ready for the next `begin`. Content is the message as it came: header and body with
 * CRLF line ends, not dot-stuffed, without the Received: line of this hop, which cleanup
 * builds. A server that has already decided to refuse keeps reading until `end`.
 */
#ifndef PROTO_SUBMIT_H
#define PROTO_SUBMIT_H

#include "ipc/ipc.h"

enum submit_source {
	SUBMIT_SMTP = 1,    /* through smtpd */
	SUBMIT_LOCAL = 2,   /* through sendmail and pickup */
	SUBMIT_NOTICE = 3,  /* made by bounce */
	SUBMIT_FORWARD = 4, /* re-injected by a delivery agent (aliases, .forward) */
};

struct submit_begin {
	uint64_t source;      /* enum submit_source */
	struct view queue_id; /* drawn by the receiver with queue_id_new */
	struct view sender;   /* internal form; empty: the null sender */
	bool smtputf8;
	bool is_8bit;               /* BODY=8BITMIME was declared */
	struct view client_name;    /* "unknown" when not confirmed */
	struct view client_address; /* "192.0.2.1", "2001:db8::1" */
	struct view client_port;
	struct view helo_name;
	struct view protocol_name; /* "SMTP", "ESMTP", "ESMTPS"... */
	struct view server_name;   /* $myhostname of the receiving service */
	struct view envelope_id;   /* DSN ENVID, decoded */
	struct view dsn_ret;       /* "FULL", "HDRS" or empty */
	struct view verp;          /* the two delimiters of VERP, or empty */
	bool trace;              /* a report of the first attempt is wanted, whatever becomes */
	struct view full_name;   /* local submission: for a missing From: */
	uint64_t uid;            /* local submission: filled in by pickup */
	bool extract_recipients; /* sendmail -t: from To, Cc, Bcc; Bcc is removed */
	bool keep_missing_headers; /* do not add what is missing (mail from remote clients) */
};

struct submit_recipient {
	struct view address;   /* internal form */
	struct view original;  /* as given; empty: the same */
	struct view dsn_orcpt; /* decoded "type;address" */
	uint64_t notify;       /* enum queue_notify bits; 0: not said */
};

struct submit_end {
	bool hold; /* into the hold queue; decided last, by what the content was judged to be */
};

enum submit_result {
	SUBMIT_OK = 1,      /* on disk */
	SUBMIT_RETRY = 2,   /* temporary: 451 */
	SUBMIT_FULL = 3,    /* no space: 452 */
	SUBMIT_TOO_BIG = 4, /* message_size_limit: 552 */
	SUBMIT_REJECT = 5,  /* refused for good: 550 with the text */
	SUBMIT_LOOP = 6,    /* too many hops: 554 */
	SUBMIT_DISCARD = 7, /* taken and thrown away on the administrator's word: 250 */
};

struct submit_status {
	uint64_t result;  /* enum submit_result */
	struct view dsn;  /* "2.0.0", "4.3.0" ... */
	struct view text; /* for the client, one line */
	uint64_t size;    /* of the stored message */
};

extern const struct ipc_message submit_begin_message;
extern const struct ipc_message submit_recipient_message;
extern const struct ipc_message submit_end_message;
extern const struct ipc_message submit_abort_message; /* struct submit_end */
extern const struct ipc_message submit_status_message;

#endif
