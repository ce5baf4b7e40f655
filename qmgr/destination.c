/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Concurrency of one destination. The window starts small and follows feedback: a success adds
 * to what has been gathered until that makes one more delivery at a time, a failure of the
 * destination itself takes away likewise. Hysteresis: the first failure lowers the window at
 * once, the first success only gathers, and a change in one direction makes the other begin
 * anew. So with 1/8, eight successes raise the window, and one failure lowers it, the next one
 * after eight more.
 *
 * When as many deliveries have failed without a success between them as the window allows at
 * one time (a cohort), or a multiple of it, nobody is there: the destination is suspended, and
 * what waits for it is deferred.
 *
 * How fast a destination takes mail is measured, to know how long what waits will wait: mail
 * for slow destinations must not fill the memory.
 */
#include "qmgr/destination.h"

#include <limits.h>
#include <stdio.h>

#include "base/mem.h"

/* Ten times 0.1 is to count as 1. */
#define SLOP 1e-6

/* A speed is measured over as many deliveries, in no less and no more than so much time. */
#define MEASURE_COUNT 20
#define MEASURE_LEAST SECOND
#define MEASURE_MOST  (10 * SECOND)
#define LONG_WAIT     10 /* seconds */

struct destination *
destination_new(struct transport *t, struct view key, const struct destination_limits *limits,
    nanoseconds now)
{
	struct destination *d = NEW(struct destination);

	d->transport = t;
	d->key = mem_dup(key.p, key.n);
	list_init(&d->link);
	d->measured = now;
	d->rate = -1;
	destination_revive(d, limits);
	return d;
}

void
destination_free(struct destination **d)
{
	if (!*d)
		return;
	heap_done(&(*d)->peers);
	mem_free((*d)->suspension);
	mem_free((*d)->key);
	mem_free(*d);
	*d = NULL;
}

bool
destination_has_room(const struct destination *d)
{
	return d->dead_until == 0 && d->paused_until == 0 && d->waiting > 0 &&
	    d->busy < d->window;
}

/*
 * The window is kept within reach of what really runs: otherwise a quiet time would let it grow
 * so far that failures mean nothing.
 */
void
destination_succeeded(struct destination *d, const struct destination_limits *limits)
{
	unsigned most = limits->most > 0 ? (unsigned)limits->most : UINT_MAX;

	d->failed_cohorts = 0;
	if (d->dead_until != 0 || d->window >= most ||
	    d->window >= d->busy + (unsigned)limits->initial)
		return;
	d->success += feedback_value(&limits->positive, d->window);
	while (d->success + SLOP >= 1) {
		if (d->window < most)
			d->window++;
		d->success -= 1;
		d->failure = 0;
	}
}

bool
destination_failed(struct destination *d, const struct destination_limits *limits)
{
	if (d->dead_until != 0)
		return false;
	d->failed_cohorts += 1.0 / d->window;
	if (limits->cohort_limit > 0 && d->failed_cohorts + SLOP >= limits->cohort_limit)
		return true;
	d->failure -= feedback_value(&limits->negative, d->window);
	while (d->failure + SLOP < 0) {
		if (d->window > 1)
			d->window--;
		d->failure += 1;
		d->success = 0;
	}
	return false;
}

void
destination_suspend(
    struct destination *d, nanoseconds until, struct view dsn, struct view reason)
{
	d->dead_until = until;
	if (!d->suspension)
		d->suspension = NEW(struct suspension);
	suspension_set(d->suspension, dsn, "delivery temporarily suspended: ", reason);
}

void
destination_revive(struct destination *d, const struct destination_limits *limits)
{
	int window = limits->initial;

	if (limits->most > 0 && window > limits->most)
		window = limits->most;
	d->window = window > 0 ? (unsigned)window : 1;
	d->success = d->failure = 0;
	d->failed_cohorts = 0;
	d->dead_until = 0;
	mem_free(d->suspension);
	d->suspension = NULL;
}

/* ---- speed ---- */

static double
rate_since(const struct destination *d, nanoseconds now)
{
	return d->finished * (double)SECOND / (double)(now - d->measured);
}

/* Negative: it is too early to tell. */
static double
rate_of(const struct destination *d, nanoseconds now)
{
	nanoseconds span = now - d->measured;

	if (span >= MEASURE_MOST || (d->rate < 0 && span >= MEASURE_LEAST))
		return rate_since(d, now);
	return d->rate;
}

void
destination_count(struct destination *d, nanoseconds now)
{
	nanoseconds span = now - d->measured;

	d->finished++;
	if (span < MEASURE_LEAST || (d->finished < MEASURE_COUNT && span < MEASURE_MOST))
		return;
	d->rate = rate_since(d, now);
	d->measured = now;
	d->finished = 0;
}

bool
destination_is_slow(const struct destination *d, nanoseconds now)
{
	double rate = rate_of(d, now);

	return rate >= 0 && d->waiting > rate * LONG_WAIT;
}

/*
 * It comes back when half of what waits has gone, so that there is something to do meanwhile;
 * one behind the other, as fast as they can be delivered.
 */
nanoseconds
destination_postpone(struct destination *d, nanoseconds now, nanoseconds most)
{
	double rate = rate_of(d, now), half = d->waiting / 2.0;
	double last = (double)most / SECOND;

	if (rate <= 0 || half / rate >= last)
		return most;
	if (d->line < now + (nanoseconds)(half / rate * SECOND))
		d->line = now + (nanoseconds)(half / rate * SECOND);
	if (d->line < now + most)
		d->line += (nanoseconds)(SECOND / rate);
	return d->line - now < most ? d->line - now : most;
}

void
suspension_set(struct suspension *s, struct view dsn, const char *prefix, struct view reason)
{
	snprintf(s->dsn, sizeof(s->dsn), "%.*s", VIEW_ARG(dsn));
	snprintf(s->reason, sizeof(s->reason), "%s%.*s", prefix, VIEW_ARG(reason));
}
