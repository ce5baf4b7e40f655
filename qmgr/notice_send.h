/* SPDX-License-Identifier: Apache-2.0 */
/* What notices.c, which decides what is told, needs of notice_send.c, which tells bounce. */
#ifndef QMGR_NOTICE_SEND_H
#define QMGR_NOTICE_SEND_H

#include "proto/notice.h"
#include "qmgr/qmgr.h"

/* One notice: what of, and of which recipients. */
struct notice {
	const struct message *m;
	enum notice_kind kind;
	bool of_one; /* VERP: only the recipient with this index */
	uint32_t one;
	struct view sender; /* whom it goes to */
};

/* A walk through the recipients that are to be reported in it; starts as zeros. */
struct notice_walk {
	size_t position;
	uint32_t index; /* of the recipient, and one more */
	struct queue_recipient q;
};

struct told_state; /* what a recipient's state means in a notice */

/* The next recipient that is to be reported in it; NULL: no other. The journal is open. */
const struct told_state *notice_next(const struct notice *n, struct notice_walk *w);
bool notice_concerns_anybody(const struct notice *n);
/* Whether NOTIFY asks for what; with 0, nothing said, for all but success. */
bool notice_notify_wants(unsigned notify, unsigned what);
/* A notice of ours that failed: the postmaster hears of it. */
bool notice_is_double(const struct message *m, enum notice_kind kind);

/* Asks bounce, and waits for minutes. False: it has not made the notice; logged. */
bool notice_send(const struct notice *n);

#endif
