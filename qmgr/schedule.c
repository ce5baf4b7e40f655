/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which entry is next. An entry waits in a peer, which is what one job (message) has for one
 * destination.
 *
 *   transport.ready   destinations with room, by the order of their first job
 *   destination.peers by the order of their jobs (jobs.c)
 *
 * So the first peer of the first destination belongs to the first job that has anything to be
 * delivered now; jobs whose destinations have no room are passed over without being looked at.
 * The destinations of one job take turns. Each step costs the logarithm of what waits.
 */
#include "base/log.h"
#include "base/mem.h"
#include "qmgr/qmgr.h"

#define TURN_BITS 16

static struct transport_job *
transport_job_of(const struct message_job *j)
{
	return CONTAINER_OF(j, struct transport_job, job);
}

static struct peer *
first_peer(const struct destination *d)
{
	struct heap_node *node = heap_first(&d->peers);

	return node ? CONTAINER_OF(node, struct peer, node) : NULL;
}

/* ---- ready destinations ---- */

void
schedule_place(struct destination *d)
{
	struct transport *t = d->transport;
	bool has_room = destination_has_room(d);
	int64_t order;

	if (!has_room) {
		heap_remove(&t->ready, &d->ready);
		return;
	}
	order = first_peer(d)->job->job.order;
	if (heap_has(&d->ready) && d->ready.key >> TURN_BITS == order)
		return;
	heap_remove(&t->ready, &d->ready);
	heap_add(&t->ready, &d->ready, (order << TURN_BITS) + t->turn++);
}

/* ---- peers and jobs ---- */

static struct transport_job *
job_of(struct message *m, struct transport *t)
{
	struct transport_job *j;

	list_for_each (link, &m->jobs) {
		j = LIST_ITEM(link, struct transport_job, of_message);
		if (j->transport == t)
			return j;
	}
	j = NEW(struct transport_job);
	j->transport = t;
	j->message = m;
	list_init(&j->peers);
	list_append(&m->jobs, &j->of_message);
	job_add(&t->jobs, &j->job, clock_now());
	return j;
}

static void
job_end(struct transport_job *j)
{
	job_remove(&j->transport->jobs, &j->job);
	list_remove(&j->of_message);
	mem_free(j);
}

static void
job_end_if_done(struct transport_job *j)
{
	if (list_is_empty(&j->peers) && j->job.unread == 0 && !j->message->filling)
		job_end(j);
}

/* Small jobs only are asked, so it has few peers. */
static bool
can_run(const struct message_job *job)
{
	struct transport_job *j = transport_job_of(job);

	list_for_each (link, &j->peers) {
		if (destination_has_room(LIST_ITEM(link, struct peer, of_job)->destination))
			return true;
	}
	return false;
}

static struct peer *
peer_new(struct message *m, struct destination *d)
{
	struct peer *p = NEW(struct peer);

	p->job = job_of(m, d->transport);
	p->destination = d;
	list_init(&p->entries);
	list_append(&p->job->peers, &p->of_job);
	heap_add(&d->peers, &p->node, p->job->job.order);
	d->open = p;
	return p;
}

static void
peer_free_if_empty(struct peer *p)
{
	struct transport_job *j = p->job;

	if (!list_is_empty(&p->entries))
		return;
	if (p->destination->open == p)
		p->destination->open = NULL;
	heap_remove(&p->destination->peers, &p->node);
	list_remove(&p->of_job);
	mem_free(p);
	job_end_if_done(j);
}

void
schedule_init(struct transport *t)
{
	jobs_init(&t->jobs, can_run);
	t->jobs.rules = t->limits.jobs;
}

void
schedule_filled(struct message *m)
{
	nanoseconds now = clock_now();

	list_for_each (link, &m->jobs) {
		struct transport_job *j = LIST_ITEM(link, struct transport_job, of_message);

		j->job.unread = m->file.recipient_count - m->next_index;
		jobs_consider(&j->transport->jobs, &j->job, now);
	}
}

void
schedule_forget(struct message *m)
{
	list_for_each_safe (link, next, &m->jobs)
		job_end(LIST_ITEM(link, struct transport_job, of_message));
}

/* ---- entries ---- */

/* The entry that was made last for the destination, when there is room for one more. */
static struct entry *
entry_open(const struct portion *p, const struct destination *d)
{
	int most = d->transport->limits.destination_recipients;
	struct entry *e;

	if (!d->open)
		return NULL;
	e = LIST_ITEM(d->open->entries.prev, struct entry, link);
	return e->portion == p && (most <= 0 || e->count < (unsigned)most) ? e : NULL;
}

struct entry *
schedule_entry(struct message *m, struct portion *p, struct destination *d)
{
	/* With a sender for each recipient, each is a delivery of its own. */
	struct entry *e = m->verp.n ? NULL : entry_open(p, d);
	struct peer *peer;

	if (e)
		return e;
	peer = d->open && d->open->job->message == m ? d->open : peer_new(m, d);
	e = NEW(struct entry);
	e->message = m;
	e->portion = p;
	e->transport = d->transport;
	e->destination = d;
	e->peer = peer;
	p->entries++;
	list_append(&m->entries, &e->of_message);
	list_append(&peer->entries, &e->link);
	job_entry_made(&peer->job->job);
	d->waiting++;
	schedule_place(d);
	crowding_warn(d);
	transport_kick(d->transport);
	return e;
}

/* Out of its peer; which may be gone then. */
static void
entry_take(struct entry *e)
{
	struct peer *p = e->peer;

	list_remove(&e->link);
	e->peer = NULL;
	e->destination->waiting--;
	peer_free_if_empty(p);
}

static void
withdraw(struct entry *e)
{
	job_entry_withdrawn(&e->peer->job->job);
	entry_take(e);
	schedule_place(e->destination);
}

void
schedule_withdraw(struct entry *e)
{
	withdraw(e);
	transport_drop_if_unused(e->destination);
}

void
schedule_withdraw_peer(struct peer *p)
{
	struct message *m = p->job->message;
	struct destination *d = p->destination;
	size_t left = d->peers.count - 1;

	while (d->peers.count > left) {
		struct entry *e = LIST_ITEM(p->entries.prev, struct entry, link);

		withdraw(e);
		for (struct recipient *r = e->first; r; r = r->next)
			outcome_untried(m, r);
		entry_free(e);
	}
	message_progress(m);
}

void
schedule_defer_waiting(struct destination *d, const struct suspension *s)
{
	struct peer *p;

	while ((p = first_peer(d)) != NULL) {
		struct entry *e = LIST_ITEM(p->entries.next, struct entry, link);

		withdraw(e);
		outcome_defer_entry(e, view_of(s->dsn), view_of(s->reason));
	}
}

/* ---- selection ---- */

static bool
may_deliver(struct transport *t)
{
	if (qmgr.finishing || transport_is_dead(t) || t->paused_until > clock_now())
		return false;
	return t->limits.rate_delay == 0 || t->busy == 0;
}

/* It goes first from now on: at all destinations that it has something for. */
static void
bring_forward(struct transport_job *j)
{
	list_for_each (link, &j->peers) {
		struct peer *p = LIST_ITEM(link, struct peer, of_job);

		heap_remove(&p->destination->peers, &p->node);
		heap_add(&p->destination->peers, &p->node, j->job.order);
		schedule_place(p->destination);
	}
}

static struct destination *
first_ready(const struct transport *t)
{
	struct heap_node *node = heap_first(&t->ready);

	return node ? CONTAINER_OF(node, struct destination, ready) : NULL;
}

static struct entry *
take_first(struct destination *d)
{
	struct peer *p = first_peer(d);
	struct entry *e = LIST_ITEM(p->entries.next, struct entry, link);

	job_entry_selected(&p->job->job);
	entry_take(e);
	d->busy++;
	d->transport->busy++;
	e->running = true;
	/* Behind the other destinations of the same job. */
	heap_remove(&d->transport->ready, &d->ready);
	schedule_place(d);
	return e;
}

struct entry *
schedule_select(struct transport *t)
{
	struct destination *d = may_deliver(t) ? first_ready(t) : NULL;
	struct message_job *preempting;

	if (!d)
		return NULL;
	preempting = jobs_preempt(&t->jobs, &first_peer(d)->job->job, clock_now());
	if (preempting) {
		bring_forward(transport_job_of(preempting));
		d = first_ready(t);
	}
	return take_first(d);
}

void
schedule_finished(struct destination *d)
{
	struct transport *t = d->transport;

	d->busy--;
	t->busy--;
	destination_count(d, clock_now());
	if (transport_is_dead(t) && d->waiting)
		schedule_defer_waiting(d, &t->suspension);
	transport_pause(t, d);
	schedule_place(d);
	transport_drop_if_unused(d);
}
