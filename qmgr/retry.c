/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Back-off and expiry.
 *
 * The wait grows with the age of the message: a message is tried again when it is about twice
 * as old as at the last attempt, but not before minimal_backoff_time and not later than
 * maximal_backoff_time from now. A spread of a tenth keeps messages that failed together from
 * coming back together.
 *
 * The wall clock alone never returns mail to its sender. A clock that jumps ten years ahead
 * makes every message too old at once; so age is believed only together with something that
 * needs real time and survives restarts: the attempts that the journal has counted. A message
 * expires when it is older than its lifetime and has had at least half of the attempts that
 * regular retries make in that lifetime, and at least two. (With a lifetime of 0 the first
 * attempt is the last.) After a jump ahead mail is tried for another half lifetime, time enough
 * to set the clock right; and a host that was switched off for a week gives its mail a fair
 * number of attempts before it gives up. With a clock that is behind, a message has the age 0.
 */
#include "qmgr/retry.h"

#define ATTEMPTS_MAX 100000 /* where counting ends */

static microseconds
clip(microseconds t, microseconds low, microseconds high)
{
	if (t < low)
		return low;
	return t > high ? high : t;
}

static microseconds
interval(const struct retry_rules *r, microseconds age)
{
	if (age < r->minimal_backoff || r->maximal_backoff < r->minimal_backoff)
		return r->minimal_backoff;
	return clip(age, r->minimal_backoff, r->maximal_backoff);
}

static microseconds
age_of(microseconds arrival, microseconds now)
{
	return now > arrival ? now - arrival : 0;
}

microseconds
retry_next(const struct retry_rules *r, microseconds arrival, microseconds now, uint64_t draw)
{
	microseconds span = interval(r, age_of(arrival, now));
	microseconds spread = span / 10;
	microseconds half = RETRY_DRAWS / 2;

	return now + span + spread / half * ((microseconds)(draw % RETRY_DRAWS) - half);
}

uint32_t
retry_attempts_needed(const struct retry_rules *r, microseconds lifetime)
{
	microseconds age = 0;
	uint32_t regular = 1;

	if (lifetime <= 0)
		return 1;
	while (regular < ATTEMPTS_MAX) {
		age += interval(r, age);
		if (age > lifetime)
			break;
		regular++;
	}
	return regular / 2 > 2 ? regular / 2 : 2;
}

bool
retry_is_older(const struct retry_rules *r, microseconds arrival, microseconds now,
    uint32_t attempts, microseconds span)
{
	return age_of(arrival, now) >= span && attempts >= retry_attempts_needed(r, span);
}

bool
retry_is_expired(const struct retry_rules *r, microseconds arrival, microseconds now,
    uint32_t attempts, bool null_sender)
{
	return retry_is_older(
	    r, arrival, now, attempts, null_sender ? r->bounce_lifetime : r->lifetime);
}

microseconds
retry_latest(const struct retry_rules *r, microseconds now)
{
	microseconds longest = interval(r, r->maximal_backoff);

	return now + longest + longest / 5;
}

bool
retry_is_due(const struct retry_rules *r, microseconds due, microseconds now)
{
	return due <= now || due > retry_latest(r, now);
}
