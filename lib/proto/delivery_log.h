/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The line that every delivery agent writes for every recipient, in Postfix's form:
 *
 *   QID: to=<a@b>, orig_to=<c@d>, relay=R, conn_use=2, delay=0.12, delays=0.01/0/0/0.11,
 * dsn=2.0.0, status=sent (text)
 */
#ifndef PROTO_DELIVERY_LOG_H
#define PROTO_DELIVERY_LOG_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/view.h"
#include "proto/deliver.h"

/* Wall clock; a time that is not known is 0. */
struct delivery_times {
	microseconds arrival;   /* into the queue */
	microseconds queued;    /* qmgr took it up */
	microseconds handed;    /* the agent got it */
	microseconds connected; /* the way to the destination was open; 0: no such step */
	microseconds done;
};

struct delivery_line {
	struct view queue_id;
	struct view address;  /* internal form */
	struct view original; /* internal form; empty or the same: not logged */
	struct view relay;    /* empty: "none" */
	unsigned conn_use;    /* above 1: so many messages went over the connection */
	struct view dsn;
	const char *status; /* "sent", "deferred", "bounced" */
	struct view reason;
	struct delivery_times times;
};

void delivery_log(const struct delivery_line *line);

/* "sent", "deferred", "bounced". */
const char *delivery_status_text(enum deliver_result result);

/* Seconds with at most two digits behind the point and two significant ones, no trailing zeros.
 */
void delivery_delay_print(struct buf *out, microseconds span);

#endif
