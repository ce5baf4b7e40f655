/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transports and their destinations. Which entry is next is decided in schedule.c; workers
 * (dispatch.c) take entries and give them to the agent, no more of them than the transport may
 * have deliveries.
 *
 * Suspended destinations, and those in a rate delay, stand in lists of their own until their
 * time is over; all others exist only while something waits for them or runs.
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
	list_init(&t->paused);
	list_init(&t->dead);
	service_path(path, sizeof(path), "private", t->name);
	t->pool = ipc_pool_new(path, IDLE_MAX, IDLE_TIME);
	t->resume = task_timer_new(resume, t);
	transport_limits_read(t->name, &t->limits);
	schedule_init(t);
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

void
transport_suspend(struct transport *t, const char *reason)
{
	bool known = transport_is_dead(t);
	struct heap_node *node;

	suspension_set(&t->suspension, VIEW("4.3.0"), "", view_of(reason));
	t->dead_until = clock_deadline(qmgr.values->transport_retry_time);
	if (!known)
		log_warn("%s; deliveries through \"%s\" pause for %lld s", reason, t->name,
		    (long long)(qmgr.values->transport_retry_time / SECOND));
	/* What waits for destinations that have room; the others follow when they get some. */
	while ((node = heap_first(&t->ready)) != NULL) {
		struct destination *d = CONTAINER_OF(node, struct destination, ready);

		schedule_defer_waiting(d, &t->suspension);
		transport_drop_if_unused(d);
	}
}

static void
revive_all(struct transport *t)
{
	t->dead_until = 0;
	while (!list_is_empty(&t->dead)) {
		struct destination *d = LIST_ITEM(t->dead.next, struct destination, link);

		transport_destination_revive(t, d);
		transport_drop_if_unused(d);
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

void
transport_drop_if_unused(struct destination *d)
{
	struct transport *t = d->transport;

	if (d->waiting || d->busy || d->dead_until != 0 || d->paused_until != 0)
		return;
	list_remove(&d->link);
	heap_remove(&t->ready, &d->ready);
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
		schedule_place(d);
		transport_drop_if_unused(d);
	}
	set_resume(t);
	transport_kick(t);
}

static void
resume(void *context)
{
	transport_resume(context);
}

void
transport_pause(struct transport *t, struct destination *d)
{
	if (t->limits.destination.rate_delay > 0 && d->dead_until == 0) {
		end_pause(t, d);
		heap_remove(&t->ready, &d->ready);
		d->paused_until = clock_deadline(t->limits.destination.rate_delay);
		list_append(&t->paused, &d->link);
		t->paused_count++;
	}
	if (t->limits.rate_delay > 0)
		t->paused_until = clock_deadline(t->limits.rate_delay);
	set_resume(t);
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
		transport_drop_if_unused(d);
	}
}

struct destination *
transport_destination(struct transport *t, struct view key)
{
	struct destination *d;

	forget_dead(t);
	d = hash_find(t->destinations, key);
	if (!d) {
		d = destination_new(t, key, &t->limits.destination, clock_now());
		d->clog_warning = clock_deadline(qmgr.values->qmgr_clog_warn_time);
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
	heap_remove(&t->ready, &d->ready);
	destination_suspend(d, clock_deadline(span), dsn, reason);
	list_append(&t->dead, &d->link);
	t->dead_count++;
	schedule_defer_waiting(d, d->suspension);
}

void
transport_kick(struct transport *t)
{
	if (!heap_first(&t->ready) || t->workers >= t->limits.deliveries || qmgr.finishing)
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
