/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One next hop of one transport (or one recipient, where a delivery has only one): the entries
 * that wait for it and how many deliveries it may have at a time. Pure: the scheduler around it
 * is transport.c.
 */
#ifndef QMGR_DESTINATION_H
#define QMGR_DESTINATION_H

#include <stdbool.h>

#include "base/clock.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/view.h"
#include "qmgr/feedback.h"

struct destination_limits {
	int initial;      /* deliveries at a time to begin with */
	int most;         /* 0: no limit */
	int cohort_limit; /* failures, in units of the window, until it is dead; 0: never */
	struct feedback positive, negative;
	nanoseconds rate_delay; /* between deliveries, of which there is one at a time then */
};

/* Why nothing is handed out for now; for the recipients that come meanwhile. */
struct suspension {
	char dsn[12];
	char reason[512];
};

struct peer;

struct destination {
	struct transport *transport;
	char *key;
	struct list link;       /* in transport.paused or dead */
	struct heap_node ready; /* in transport.ready */
	struct heap peers;      /* what waits: struct peer */
	struct peer *open;      /* the one that was made last, while it is there */
	unsigned waiting;       /* entries */
	unsigned busy;          /* deliveries running */
	unsigned window;        /* how many there may be */
	double success;         /* what successes have added since the window last changed */
	double failure;         /* what is left before failures make it smaller */
	double failed_cohorts;
	nanoseconds paused_until; /* of a rate delay; 0: not paused */
	nanoseconds dead_until;   /* 0: alive */
	struct suspension *suspension;
	nanoseconds clog_warning; /* not before */

	/* How fast it takes mail. */
	nanoseconds measured; /* since then */
	unsigned finished;    /* deliveries since then */
	double rate;          /* per second before; negative: not known yet */
	nanoseconds line;     /* when the last one that was postponed comes back */
};

struct destination *destination_new(struct transport *t, struct view key,
    const struct destination_limits *limits, nanoseconds now);
void destination_free(struct destination **d);

bool destination_has_room(const struct destination *d);

/* The answer of a delivery, while it still counts as busy. */
void destination_succeeded(struct destination *d, const struct destination_limits *limits);

/* The same for one that failed for the destination's sake; true: it is to be suspended. */
bool destination_failed(struct destination *d, const struct destination_limits *limits);

/* Suspends, or ends that and starts anew. */
void destination_suspend(
    struct destination *d, nanoseconds until, struct view dsn, struct view reason);
void destination_revive(struct destination *d, const struct destination_limits *limits);

/* One delivery has ended. */
void destination_count(struct destination *d, nanoseconds now);

/* Whether what waits will wait for long at the speed of late. Not in its first second. */
bool destination_is_slow(const struct destination *d, nanoseconds now);

/*
 * For one more message, which is to come back when those before it have gone, as far as can be
 * told: how long that takes. Each one that asks gets a later time.
 */
nanoseconds destination_postpone(struct destination *d, nanoseconds now, nanoseconds most);

void suspension_set(
    struct suspension *s, struct view dsn, const char *prefix, struct view reason);

#endif
