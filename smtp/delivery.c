/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request: the destinations of its next hop in their order, the endpoints of each in
 * theirs, and a session with one after the other for as long as there are recipients that
 * another server might still take.
 */
#include "base/log.h"
#include "smtp/client.h"
#include "smtp/hosts.h"

static const struct problem *
last_problem(const struct delivery *d)
{
	for (size_t i = 0; i < d->job->count; i++)
		if (d->rcpts[i].state != RCPT_DONE && d->rcpts[i].problem)
			return d->rcpts[i].problem;
	return NULL;
}

/* Another server is asked: the log says why. */
static void
log_moving_on(struct delivery *d)
{
	const struct problem *p = last_problem(d);

	if (p)
		log_info("%.*s: %s", VIEW_ARG(d->job->request.queue_id), p->text);
}

static struct session *
session_open(struct delivery *d, const struct endpoint *e)
{
	struct problem *p = NULL;
	struct session *s = session_connect(d, e, &p);

	if (s && (p = session_greet(d, s)))
		session_quit(&s);
	if (p)
		delivery_fail(d, p);
	return s;
}

/* What is left goes to this endpoint; a kept session that has died in peace is replaced. */
static void
endpoint_try(struct delivery *d, const struct endpoint *e)
{
	enum transaction_result result = TRANSACTION_STALE;
	struct place *place = place_enter(e);
	struct session *s = place_take(place);

	if (s) {
		d->connected = clock_wall();
		result = transaction_run(d, s);
		if (result == TRANSACTION_STALE)
			session_free(&s);
	}
	if (!s && (s = session_open(d, e))) {
		d->connected = clock_wall();
		(void)transaction_run(d, s);
	}
	place_leave(place, &s);
}

static void
endpoints_try(struct delivery *d, const struct endpoints *list)
{
	for (size_t i = 0; i < list->count && d->left > 0; i++) {
		log_moving_on(d);
		endpoint_try(d, &list->all[i]);
	}
}

static void
destination_try(struct delivery *d, struct view text)
{
	struct endpoints list = { 0 };
	struct problem *p = hosts_find(d, text, &list);

	if (p)
		delivery_fail(d, p);
	else
		endpoints_try(d, &list);
}

void
delivery_run(struct deliver_job *job)
{
	struct delivery d = { .job = job, .left = job->count };
	struct view list = job->request.nexthop, text;

	d.rcpts = arena_alloc(&d.arena, (job->count + 1) * sizeof(d.rcpts[0]));
	while (d.left > 0 && destination_next(&list, &text))
		destination_try(&d, text);
	delivery_give_up(&d);
	arena_reset(&d.arena);
}
