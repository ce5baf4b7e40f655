/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request: the destinations of its next hop in their order, the endpoints of each in
 * theirs, and a session with one after the other for as long as there are recipients that
 * another server might still take.
 */
#include "base/log.h"
#include "smtp/client.h"
#include "smtp/generic.h"
#include "smtp/hosts.h"
#include "task/task.h"

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

/*
 * What is left goes to this endpoint; a kept session that has died in peace is replaced. True
 * when there was a session.
 */
static bool
endpoint_try(struct delivery *d, const struct endpoint *e)
{
	enum transaction_result result = TRANSACTION_STALE;
	struct place *place = place_enter(e);
	struct session *s = place_take(place);
	bool had_session;

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
	had_session = s != NULL;
	place_leave(place, &s, d->is_cached);
	return had_session;
}

static void
endpoints_try(struct delivery *d, const struct endpoints *list)
{
	int sessions_left = client.options.mx_session_limit;

	for (size_t i = 0; i < list->count && d->left > 0 && !d->job->failed; i++) {
		log_moving_on(d);
		if (endpoint_try(d, &list->all[i]) && --sessions_left == 0)
			break;
	}
}

/* False: no other destination is to be tried. */
static bool
destination_try(struct delivery *d, struct view text)
{
	struct endpoints list = { 0 };
	struct problem *p = hosts_find(d, text, &list);

	if (!p)
		endpoints_try(d, &list);
	else if (p->is_final)
		delivery_fail(d, p);
	else
		delivery_note(d, p);
	return !list.is_own_mx;
}

uint64_t
delivery_size(const struct delivery *d)
{
	const struct deliver_request *r = &d->job->request;

	return d->header.p ? r->size - r->header_length + d->header.n : r->size;
}

static void
destinations_try(struct delivery *d)
{
	struct view list = d->job->request.nexthop, text;
	struct view fallback = view_of(client.options.fallback_relay);
	bool go_on = true;

	while (d->left > 0 && destination_next(&list, &text))
		go_on &= destination_try(d, text);
	while (d->left > 0 && go_on && destination_next(&fallback, &text))
		destination_try(d, text);
}

void
delivery_run(struct deliver_job *job)
{
	struct delivery d = { .job = job, .left = job->count, .sender = job->request.sender };
	struct problem *p;

	d.rcpts = arena_alloc(&d.arena, (job->count + 1) * sizeof(d.rcpts[0]));
	for (size_t i = 0; i < job->count; i++)
		d.rcpts[i].address = job->recipients[i].address;
	task_set_deadline(clock_deadline(client.conf->daemon_timeout / 10 * 9));
	p = generic_rewrite(&d);
	if (p)
		delivery_fail(&d, p);
	else
		destinations_try(&d);
	task_set_deadline(DEADLINE_NEVER);
	delivery_give_up(&d);
	arena_reset(&d.arena);
}
