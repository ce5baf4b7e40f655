/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From recipients to entries. The recipients of a message are taken in portions, so that a list
 * of a hundred thousand needs no more memory than one of a thousand: the next portion is read
 * when enough of those in memory have been delivered. First the whole portion is resolved,
 * which may wait for tables; then it is handed to the destinations in one go, so that
 * recipients with the same next hop share deliveries.
 */
#include "base/mem.h"
#include "mail/address.h"
#include "qmgr/qmgr.h"

#define PORTION_MAX 1000 /* recipients of one message in memory */

/* ---- how many ---- */

static size_t
less(size_t a, size_t limit, size_t used)
{
	size_t left = limit > used ? limit - used : 0;

	return a < left ? a : left;
}

/*
 * How many more recipients the message may have in memory: what is left over of the whole, and
 * of the share of each transport that it is known to use.
 */
static size_t
room_for(const struct message *m)
{
	size_t room = less(PORTION_MAX, PORTION_MAX, m->outstanding);

	room = less(room, (size_t)qmgr.values->qmgr_message_recipient_limit, qmgr.recipients);
	list_for_each (link, &m->jobs) {
		struct transport_job *j = LIST_ITEM(link, struct transport_job, of_message);
		const struct transport_limits *l = &j->transport->limits;
		size_t limit = (size_t)l->recipients;

		if (j->job.parent)
			limit += (size_t)l->extra_recipients;
		room = less(room, limit, j->transport->recipients);
	}
	return room;
}

static size_t
portion_size(const struct message *m)
{
	size_t least = (size_t)qmgr.values->qmgr_message_recipient_minimum;
	size_t room = room_for(m);

	return room > least || m->outstanding > 0 ? room : least;
}

/* Enough room to be worth it, or some, and it was long ago; whoever has nothing gets some. */
bool
message_wants_more(const struct message *m)
{
	nanoseconds since = clock_now() - m->filled;
	size_t room;

	if (m->next_index >= m->file.recipient_count)
		return false;
	if (m->outstanding == 0)
		return true;
	room = room_for(m);
	if (room == 0)
		return false;
	list_for_each (link, &m->jobs) {
		struct transport_job *j = LIST_ITEM(link, struct transport_job, of_message);
		const struct transport_limits *l = &j->transport->limits;

		if (room >= (size_t)l->refill || since >= l->refill_delay)
			return true;
	}
	return false;
}

/* The pending recipients of the next portion, as a chain. */
static struct recipient *
portion_read(struct message *m, struct portion *p)
{
	struct recipient *first = NULL, **end = &first;
	size_t most = portion_size(m), count = 0;
	struct queue_recipient q;

	while (count < most && queue_message_recipient(&m->file, &m->position, &q)) {
		uint32_t index = m->next_index++;
		struct recipient *r;

		if (m->file.status[index].state != QUEUE_RCPT_PENDING)
			continue;
		r = ARENA_NEW(&p->arena, struct recipient);
		r->index = index;
		r->envelope = q;
		*end = r;
		end = &r->next;
		count++;
	}
	if (count < most)
		m->next_index = m->file.recipient_count;
	m->outstanding += (uint32_t)count;
	m->filled = clock_now();
	qmgr.recipients += count;
	return first;
}

/* ---- resolving ---- */

static void
resolve_one(struct message *m, struct portion *p, struct recipient *r)
{
	const char *why = NULL;

	if (m->file.forced_expire) {
		outcome_defer(m, r, VIEW("4.7.0"), VIEW("message is administratively expired"));
		return;
	}
	if (router_resolve(qmgr.router, m->file.sender, r->envelope.address, &p->arena,
		&r->route, &why) == TABLE_CANNOT_TELL) {
		char *reason = arena_printf(
		    &p->arena, "address resolver failure%s%s", why ? ": " : "", why ? why : "");

		outcome_defer(m, r, VIEW("4.3.0"), view_of(reason));
	}
}

/*
 * What the destination is: the next hop, or, where every recipient has a delivery of its own,
 * the recipient without its extension. Lower case.
 */
static struct view
destination_key(struct portion *p, const struct transport *t, const struct recipient *r)
{
	const char *delimiters = qmgr.values->recipient_delimiter;
	struct view local, domain;
	size_t n = 1;
	char *key;

	if (t->limits.destination_recipients != 1)
		return r->route.nexthop;
	address_split(r->route.recipient, &local, &domain);
	while (n < local.n && !strchr(delimiters, local.p[n]))
		n++;
	local = view_sub(local, 0, n);
	key = arena_printf(&p->arena, "%.*s@%.*s", VIEW_ARG(local), VIEW_ARG(r->route.nexthop));
	for (char *c = key; *c; c++)
		*c = char_lower(*c);
	return view_of(key);
}

static void
entry_append(struct entry *e, struct recipient *r)
{
	r->next = NULL;
	if (e->last)
		e->last->next = r;
	else
		e->first = r;
	e->last = r;
	e->count++;
	e->transport->recipients++;
}

static void
postpone(struct message *m, struct recipient *r, struct destination *d)
{
	crowding_postpone(m, d);
	outcome_untried(m, r);
}

static void
queue_one(struct message *m, struct portion *p, struct recipient *r)
{
	const char *why = NULL;
	struct transport *t = transport_named(r->route.transport, &why);
	struct destination *d;

	if (!t) {
		outcome_defer(m, r, VIEW("4.3.5"), view_of(why));
		return;
	}
	if (t->limits.is_deferred && !m->flush) {
		outcome_defer(m, r, VIEW("4.3.2"), VIEW("deferred transport"));
		return;
	}
	if (m->flush)
		t->dead_until = 0;
	if (transport_is_dead(t)) {
		outcome_defer(m, r, view_of(t->suspension.dsn), view_of(t->suspension.reason));
		return;
	}
	d = transport_destination(t, destination_key(p, t, r));
	if (m->flush)
		transport_destination_revive(t, d);
	if (transport_destination_is_dead(t, d))
		outcome_defer(
		    m, r, view_of(d->suspension->dsn), view_of(d->suspension->reason));
	else if (crowding_keeps_out(m, d))
		postpone(m, r, d);
	else
		entry_append(schedule_entry(m, p, d), r);
}

void
message_fill(struct message *m)
{
	struct portion *p = NEW(struct portion);
	struct recipient *first = portion_read(m, p), *next;

	m->filling = true;
	for (struct recipient *r = first; r; r = r->next)
		resolve_one(m, p, r);
	for (struct recipient *r = first; r; r = next) {
		next = r->next;
		if (r->has_outcome)
			continue;
		if (m->wish || qmgr.finishing)
			outcome_untried(m, r);
		else
			queue_one(m, p, r);
	}
	portion_release(p);
	schedule_filled(m);
	m->filling = false;
	message_progress(m);
}
