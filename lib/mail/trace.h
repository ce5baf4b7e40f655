/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trace headers: the Received: field and the message id, laid out as Postfix does. All values
 * may come from outside: what could end a comment, a path or a line early becomes '?', and long
 * values are cut, so a field is always well-formed and its lines stay below 998 bytes.
 */
#ifndef MAIL_TRACE_H
#define MAIL_TRACE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/view.h"

struct received_facts {
	bool is_local;           /* submitted by sendmail: only by, mail_name, uid, id, when */
	struct view helo_name;   /* empty: the client name takes its place */
	struct view client_name; /* verified name or "unknown" */
	struct view client_address; /* "192.0.2.1", "IPv6:2001:db8::1", "unknown" */
	struct view tls_note;       /* "using TLSv1.3 with cipher X (256/256 bits)"; or empty */
	struct view sasl_username;  /* smtpd_sasl_authenticated_header = yes; or empty */
	struct view hostname;       /* myhostname */
	struct view mail_name;      /* mail_name */
	struct view protocol;       /* "SMTP", "ESMTP", "ESMTPS", "UTF8SMTP" ... */
	struct view queue_id;
	struct view recipient; /* internal form; used when recipient_count is 1 */
	size_t recipient_count;
	unsigned long uid; /* is_local */
	bool no_uid;       /* is_local, but made by a daemon: no user is named */
	microseconds when;
};

/*
 * Appends the whole field with CRLF line ends:
 *
 *   Received: from HELO (NAME [ADDRESS])
 *   <tab>by HOST (MAIL_NAME) with ESMTP id QID
 *   <tab>for <recipient>; DATE
 *
 * With several recipients (or one too long for a line) "id QID;" ends the second line and the
 * third has the date alone. Local: "Received: by HOST (MAIL_NAME, from userid UID)" (or
 * without the last part) and "<tab>id QID; DATE".
 */
void received_print(struct buf *out, const struct received_facts *f);

/* Appends "<YYYYMMDDhhmmss.QUEUEID@host>", the time in UTC. */
void message_id_print(
    struct buf *out, microseconds when, struct view queue_id, struct view hostname);

/* The fields of that name in a header block: Received or Delivered-To, to stop mail loops. */
size_t header_count(struct view block, struct view name);

#endif
