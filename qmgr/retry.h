/* SPDX-License-Identifier: Apache-2.0 */
/* When a message is tried again, and when it has been tried for long enough. Pure. */
#ifndef QMGR_RETRY_H
#define QMGR_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

struct retry_rules {
	microseconds minimal_backoff;
	microseconds maximal_backoff;
	microseconds lifetime;        /* of a message with a sender */
	microseconds bounce_lifetime; /* of one from the null sender */
};

/*
 * The time of the next attempt: as far away as the message is old, within the bounds, and up to
 * a tenth earlier or later. draw is a random number of 0 .. RETRY_DRAWS - 1.
 */
#define RETRY_DRAWS 2001
microseconds retry_next(
    const struct retry_rules *r, microseconds arrival, microseconds now, uint64_t draw);

/* How many attempts a message must have had before it may expire. */
uint32_t retry_attempts_needed(const struct retry_rules *r, microseconds lifetime);

/*
 * Whether a message is older than that, and has had the attempts that regular retries make in
 * half of that time, the last one just now.
 */
bool retry_is_older(const struct retry_rules *r, microseconds arrival, microseconds now,
    uint32_t attempts, microseconds span);

/*
 * Whether a message expires, now that `attempts` attempts have been made, the last one just
 * now. See retry.c for the rule.
 */
bool retry_is_expired(const struct retry_rules *r, microseconds arrival, microseconds now,
    uint32_t attempts, bool null_sender);

/*
 * Whether a message whose file says `due` is due. A time further away than any attempt can be
 * was written by a clock that was ahead: then it is due, too.
 */
bool retry_is_due(const struct retry_rules *r, microseconds due, microseconds now);

/* The latest due time that can be right. */
microseconds retry_latest(const struct retry_rules *r, microseconds now);

#endif
