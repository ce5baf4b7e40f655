/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scheduler. A transport has destinations; those with a waiting entry and room in their
 * window stand in its ready ring and are served in turn. Workers (dispatch.c) take entries and
 * give them to the agent, no more of them than the transport may have deliveries.
 *
 * Suspended destinations stand in a list of their own until their time is over, all others
 * exist only while something waits for them or runs.
 */
#include "base/log.h"
#include "base/mem.h"
#include "qmgr/qmgr.h"

#define TRANSPORTS_MAX 1000
#define NAME_MAX_      100
#define IDLE_KEPT_MAX  10000 /* suspended or paused destinations remembered, per transport */
#define IDLE_MAX       100   /* connections kept */
#define IDLE_TIME      (60 * SECOND)

/* ---- transports ---- */

static void resume(void *context);

static struct transport *
transport_new(struct view name)
{
	struct transport *t = NEW(struct transport);
	char path[NAME_MAX_ + 32];

	t->name = mem_dup(name.p, name.n);
	t->destinations = hash_new();
	list_init(&t->ready);
	list_init(&t->paused);
	list_init(&t->dead);
	service_path(path, sizeof(path), "private", t->name);
	t->pool = ipc_pool_new(path, IDLE_MAX, IDLE_TIME);
	t->resume = task_timer_new(resume, t);
	t->workers_max = (unsigned)qmgr.values->default_process_limit;
	transport_limits_read(t->name, &t->limits);
	return t;
}

struct transport *
transport_named(struct view name, const char **why)
{
	struct transport *t = hash_find(qmgr.transports, name);

	if (t)
		return t;
	if (name.n == 0 || name.n > NAME_MAX_ || view_find(name, '/') < name.n ||
	    view_find(name, '\0') < name.n || name.p[0] == '.') {
		*why = "malformed mail transport name";
		return NULL;
	}
	if (hash_count(qmgr.transports) >= TRANSPORTS_MAX) {
		*why = "too many mail transports";
		return NULL;
	}
	t = transport_new(name);
	hash_put(qmgr.transports, name, t);
	return t;
}

bool
transport_is_dead(struct transport *t)
{
	if (t->dead_until != 0 && t->dead_until <= clock_now())
		t->dead_until = 0;
	return t->dead_until != 0;
}

static void withdraw(struct entry *e);

static void drop_if_unused(struct destination *d);

static void
defer_waiting(struct destination *d, const struct suspension *s)
{
	while (!list_is_empty(&d->entries)) {
		struct entry *e = LIST_ITEM(d->entries.next, struct entry, link);

		withdraw(e);
		outcome_defer_entry(e, view_of(s->dsn), view_of(s->reason));
	}
}

void
transport_suspend(struct transport *t, const char *reason)
{
	bool known = transport_is_dead(t);
	struct list *link;

	suspension_set(&t->suspension, VIEW("4.3.0"), "", view_of(reason));
	t->dead_until = clock_deadline(qmgr.values->transport_retry_time);
	if (!known)
		log_warn("%s; deliveries through \"%s\" pause for %lld s", reason, t->name,
		    (long long)(qmgr.values->transport_retry_time / SECOND));
	/* The waiting entries of all destinations: those with room are in the ring. */
	while ((link = list_pop(&t->ready))) {
		struct destination *d = LIST_ITEM(link, struct destination, link);

		defer_waiting(d, &t->suspension);
		drop_if_unused(d);
	}
}

static void
revive_all(struct transport *t)
{
	t->dead_until = 0;
	while (!list_is_empty(&t->dead)) {
		struct destination *d = LIST_ITEM(t->dead.next, struct destination, link);

		transport_destination_revive(t, d);
		drop_if_unused(d);
	}
}

void
transport_revive_all(void)
{
	struct hash_iter it = { 0 };

	while (hash_next(qmgr.transports, &it))
		revive_all(it.value);
}

/* ---- destinations ---- */

static void
drop_if_unused(struct destination *d)
{
	struct transport *t = d->transport;

	if (d->waiting || d->busy || d->dead_until != 0 || d->paused_until != 0)
		return;
	list_remove(&d->link);
	hash_remove(t->destinations, view_of(d->key));
	destination_free(&d);
}

void
transport_destination_revive(struct transport *t, struct destination *d)
{
	if (d->dead_until == 0)
		return;
	list_remove(&d->link);
	t->dead_count--;
	destination_revive(d, &t->limits.destination);
}

/* ---- rate delays ---- */

static void place_in_ring(struct transport *t, struct destination *d);

static void
end_pause(struct transport *t, struct destination *d)
{
	if (d->paused_until == 0)
		return;
	list_remove(&d->link);
	d->paused_until = 0;
	t->paused_count--;
}

static struct destination *
first_paused(const struct transport *t)
{
	return list_is_empty(&t->paused) ? NULL
					 : LIST_ITEM(t->paused.next, struct destination, link);
}

static void
set_resume(struct transport *t)
{
	struct destination *d = first_paused(t);
	nanoseconds at = d ? d->paused_until : DEADLINE_NEVER;

	if (t->paused_until != 0 && t->paused_until < at)
		at = t->paused_until;
	task_timer_set(t->resume, at);
}

/* Pauses of destinations all last equally long: the first ones in the list end first. */
void
transport_resume(struct transport *t)
{
	nanoseconds now = clock_now();
	struct destination *d;

	if (t->paused_until <= now)
		t->paused_until = 0;
	while ((d = first_paused(t)) != NULL &&
	    (d->paused_until <= now || t->paused_count > IDLE_KEPT_MAX)) {
		end_pause(t, d);
		place_in_ring(t, d);
		drop_if_unused(d);
	}
	set_resume(t);
	transport_kick(t);
}

static void
resume(void *context)
{
	transport_resume(context);
}

/* Suspensions all last equally long: the first ones in the list end first. */
static void
forget_dead(struct transport *t)
{
	nanoseconds now = clock_now();

	while (!list_is_empty(&t->dead)) {
		struct destination *d = LIST_ITEM(t->dead.next, struct destination, link);

		if (d->dead_until > now && t->dead_count <= IDLE_KEPT_MAX)
			return;
		transport_destination_revive(t, d);
		drop_if_unused(d);
	}
}

struct destination *
transport_destination(struct transport *t, struct view key)
{
	struct destination *d;

	forget_dead(t);
	d = hash_find(t->destinations, key);
	if (!d) {
		d = destination_new(t, key, &t->limits.destination);
		hash_put(t->destinations, key, d);
	}
	return d;
}

bool
transport_destination_is_dead(struct transport *t, struct destination *d)
{
	if (d->dead_until != 0 && d->dead_until <= clock_now())
		transport_destination_revive(t, d);
	return d->dead_until != 0;
}

void
transport_destination_suspend(
    struct transport *t, struct destination *d, struct view dsn, struct view reason)
{
	nanoseconds span = qmgr.values->minimal_backoff_time;

	end_pause(t, d);
	list_remove(&d->link);
	destination_suspend(d, clock_deadline(span), dsn, reason);
	list_append(&t->dead, &d->link);
	t->dead_count++;
	defer_waiting(d, d->suspension);
}

/* ---- entries ---- */

/* Into the ring or out of it, as its room says. */
static void
place_in_ring(struct transport *t, struct destination *d)
{
	bool in_ring = !list_is_empty(&d->link);

	if (d->dead_until != 0 || d->paused_until != 0)
		return;
	if (destination_has_room(d) && !in_ring)
		list_append(&t->ready, &d->link);
	else if (!destination_has_room(d) && in_ring)
		list_remove(&d->link);
}

void
transport_add(struct transport *t, struct entry *e)
{
	list_append(&e->destination->entries, &e->link);
	e->destination->waiting++;
	place_in_ring(t, e->destination);
	transport_kick(t);
}

static bool
may_deliver(struct transport *t)
{
	if (qmgr.finishing || transport_is_dead(t) || t->paused_until > clock_now())
		return false;
	return t->limits.rate_delay == 0 || t->busy == 0;
}

struct entry *
transport_select(struct transport *t)
{
	struct list *link = may_deliver(t) ? list_pop(&t->ready) : NULL;
	struct destination *d;
	struct entry *e;

	if (!link)
		return NULL;
	d = LIST_ITEM(link, struct destination, link);
	e = LIST_ITEM(list_pop(&d->entries), struct entry, link);
	d->waiting--;
	d->busy++;
	t->busy++;
	e->running = true;
	place_in_ring(t, d);
	return e;
}

static void
pause_after_delivery(struct transport *t, struct destination *d)
{
	if (t->limits.destination.rate_delay > 0 && d->dead_until == 0) {
		end_pause(t, d);
		list_remove(&d->link);
		d->paused_until = clock_deadline(t->limits.destination.rate_delay);
		list_append(&t->paused, &d->link);
		t->paused_count++;
	}
	if (t->limits.rate_delay > 0)
		t->paused_until = clock_deadline(t->limits.rate_delay);
	set_resume(t);
}

void
transport_finished(struct transport *t, struct destination *d)
{
	d->busy--;
	t->busy--;
	if (transport_is_dead(t) && d->waiting)
		defer_waiting(d, &t->suspension);
	pause_after_delivery(t, d);
	place_in_ring(t, d);
	drop_if_unused(d);
}

static void
withdraw(struct entry *e)
{
	struct destination *d = e->destination;

	list_remove(&e->link);
	d->waiting--;
	place_in_ring(d->transport, d);
}

void
transport_withdraw(struct entry *e)
{
	withdraw(e);
	drop_if_unused(e->destination);
}

void
transport_kick(struct transport *t)
{
	if (list_is_empty(&t->ready) || t->workers >= t->workers_max || qmgr.finishing)
		return;
	/* A few at a time: each new worker starts the next one while there is work. */
	if (t->starting < 2)
		dispatch_start(t);
}

void
transport_kick_all(void)
{
	struct hash_iter it = { 0 };

	while (hash_next(qmgr.transports, &it)) {
		forget_dead(it.value);
		transport_kick(it.value);
	}
}
