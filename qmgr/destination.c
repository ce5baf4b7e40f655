/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Concurrency of one destination. The window starts small, grows by one with each success as
 * long as it is used in full, and shrinks by one with each failure of the destination itself.
 * When as many deliveries have failed without a success between them as the window allows at
 * one time, nobody is there: the destination is suspended, and what waits for it is deferred.
 */
#include "qmgr/destination.h"

#include <stdio.h>

#include "base/mem.h"

struct destination *
destination_new(struct transport *t, struct view key, const struct destination_limits *limits)
{
	struct destination *d = NEW(struct destination);

	d->transport = t;
	d->key = mem_dup(key.p, key.n);
	list_init(&d->link);
	list_init(&d->entries);
	destination_revive(d, limits);
	return d;
}

void
destination_free(struct destination **d)
{
	if (!*d)
		return;
	mem_free((*d)->suspension);
	mem_free((*d)->key);
	mem_free(*d);
	*d = NULL;
}

bool
destination_has_room(const struct destination *d)
{
	return d->dead_until == 0 && d->waiting > 0 && d->busy < d->window;
}

void
destination_succeeded(struct destination *d, const struct destination_limits *limits)
{
	d->failed_cohorts = 0;
	if (d->dead_until == 0 && d->busy >= d->window &&
	    (limits->most == 0 || d->window < (unsigned)limits->most))
		d->window++;
}

bool
destination_failed(struct destination *d, const struct destination_limits *limits)
{
	if (d->dead_until != 0)
		return false;
	d->failed_cohorts += 1.0 / d->window;
	if (d->window > 1)
		d->window--;
	return limits->cohort_limit > 0 && d->failed_cohorts >= limits->cohort_limit;
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
	d->failed_cohorts = 0;
	d->dead_until = 0;
	mem_free(d->suspension);
	d->suspension = NULL;
}

void
suspension_set(struct suspension *s, struct view dsn, const char *prefix, struct view reason)
{
	snprintf(s->dsn, sizeof(s->dsn), "%.*s", VIEW_ARG(dsn));
	snprintf(s->reason, sizeof(s->reason), "%s%.*s", prefix, VIEW_ARG(reason));
}
