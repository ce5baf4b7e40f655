/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mail for slow destinations must not fill the memory: what arrives for others would have to
 * wait until there is room. A destination is crowded when what waits for it will take long at
 * its speed, and is half as much as the room that is left or more. So one slow destination can
 * have a third of the active queue, and many of them can never have all of it; a fast one can.
 *
 * What comes for a crowded destination goes to deferred without an attempt, until those before
 * it will have gone. What was taken before anybody knew that the destination is slow is taken
 * back when room gets scarce, the last ones first.
 */
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "qmgr/qmgr.h"

#define CROWD_SHARE 2 /* of the room that is left */
#define CLOG_SHARE  5 /* a fifth of the active queue is worth a warning */
#define SHED_MOST   256
#define SHED_EVERY  (100 * MILLISECOND)
#define SHED_REST   SECOND

static struct task_timer *timer;
static bool timer_runs;
static size_t leaving; /* messages that are taken back, and still count as active */

static bool
is_scarce(void)
{
	return hash_count(qmgr.active) - leaving >= qmgr.active_limit - qmgr.active_limit / 4;
}

static bool
is_crowded(const struct destination *d)
{
	size_t used = hash_count(qmgr.active) - leaving;
	size_t room = used < qmgr.active_limit ? qmgr.active_limit - used : 0;

	return d->peers.count > 0 && d->peers.count >= room / CROWD_SHARE &&
	    destination_is_slow(d, clock_now());
}

/* Beyond its lifetime: it is tried, whoever has to wait, so that it can expire. */
static bool
is_old(const struct message *m)
{
	const struct retry_rules *r = &qmgr.retry;

	return clock_wall() - m->file.arrival >=
	    (m->file.sender.n == 0 ? r->bounce_lifetime : r->lifetime);
}

bool
crowding_keeps_out(const struct message *m, const struct destination *d)
{
	return is_crowded(d) && !is_old(m);
}

void
crowding_postpone(struct message *m, struct destination *d)
{
	nanoseconds most = qmgr.values->minimal_backoff_time;
	nanoseconds span = destination_postpone(d, clock_now(), most);
	nanoseconds spread = (nanoseconds)random_below((uint64_t)(span / 10 + 1));

	if (!m->postponed)
		log_info("%s: postponed: %zu messages are waiting for %s", m->id,
		    d->peers.count, d->key);
	m->postponed = clock_wall() + (span - spread) / 1000;
}

/* ---- what was taken before that was known ---- */

/* The heap's last one is none of the first. */
static void
take_back_last(struct destination *d)
{
	struct peer *p = CONTAINER_OF(d->peers.nodes[d->peers.count - 1], struct peer, node);
	struct message *m = p->job->message;
	bool counts = !m->postponed && !m->is_leaving;

	crowding_postpone(m, d);
	if (counts) {
		m->is_leaving = true;
		leaving++;
	}
	schedule_withdraw_peer(p);
}

static size_t
shed(struct transport *t)
{
	struct hash_iter it = { 0 };
	size_t count = 0;

	while (hash_next(t->destinations, &it)) {
		struct destination *d = it.value;

		/* One stays: it keeps the destination in the table that is read here. */
		while (count < SHED_MOST && d->peers.count > 1 && is_crowded(d)) {
			take_back_last(d);
			count++;
		}
	}
	return count;
}

static void
look(void *context)
{
	struct hash_iter it = { 0 };
	size_t count = 0;

	(void)context;
	timer_runs = false;
	if (qmgr.finishing || !is_scarce())
		return;
	while (hash_next(qmgr.transports, &it))
		count += shed(it.value);
	timer_runs = true;
	task_timer_set(timer, clock_deadline(count >= SHED_MOST ? SHED_EVERY : SHED_REST));
}

void
crowding_message_came(void)
{
	if (timer_runs || !is_scarce())
		return;
	if (!timer)
		timer = task_timer_new(look, NULL);
	timer_runs = true;
	task_timer_set(timer, clock_deadline(SHED_REST));
}

void
crowding_message_went(const struct message *m)
{
	if (m->is_leaving)
		leaving--;
}

/* ---- telling the administrator ---- */

void
crowding_warn(struct destination *d)
{
	nanoseconds pause = qmgr.values->qmgr_clog_warn_time;

	if (pause == 0 || d->clog_warning > clock_now() ||
	    d->peers.count < qmgr.active_limit / CLOG_SHARE)
		return;
	d->clog_warning = clock_deadline(pause);
	log_warn("mail for %s is using up %zu of %zu active queue entries", d->key,
	    d->peers.count, hash_count(qmgr.active));
	log_warn("it has %u deliveries of %s at a time; where that is not enough, raise "
		 "%s_destination_concurrency_limit (qmgr_clog_warn_time = 0 turns these "
		 "warnings off)",
	    d->window, d->transport->name, d->transport->name);
}
