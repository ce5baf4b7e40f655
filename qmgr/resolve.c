/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From recipients to entries. The recipients of a message are taken in portions, so that a list
 * of a hundred thousand needs no more memory than one of a thousand. First the whole portion is
 * resolved, which may wait for tables; then it is handed to the destinations in one go, so that
 * recipients with the same next hop share deliveries.
 */
#include "base/mem.h"
#include "mail/address.h"
#include "qmgr/qmgr.h"

#define PORTION_MAX 1000

static size_t
portion_size(void)
{
	size_t limit = (size_t)qmgr.values->qmgr_message_recipient_limit;
	size_t least = (size_t)qmgr.values->qmgr_message_recipient_minimum;
	size_t left = limit > qmgr.recipients ? limit - qmgr.recipients : 0;

	if (left > PORTION_MAX)
		left = PORTION_MAX;
	return left > least ? left : least;
}

/* The pending recipients of the next portion, as a chain. */
static struct recipient *
portion_read(struct message *m)
{
	struct recipient *first = NULL, **end = &first;
	size_t most = portion_size(), count = 0;
	struct queue_recipient q;

	arena_reset(&m->portion);
	while (count < most && queue_message_recipient(&m->file, &m->position, &q)) {
		uint32_t index = m->next_index++;
		struct recipient *r;

		if (m->file.status[index].state != QUEUE_RCPT_PENDING)
			continue;
		r = ARENA_NEW(&m->portion, struct recipient);
		r->index = index;
		r->envelope = q;
		*end = r;
		end = &r->next;
		count++;
	}
	if (count < most)
		m->next_index = m->file.recipient_count;
	m->outstanding += (uint32_t)count;
	qmgr.recipients += count;
	return first;
}

static void
resolve_one(struct message *m, struct recipient *r)
{
	const char *why = NULL;

	if (m->file.forced_expire) {
		outcome_defer(m, r, VIEW("4.7.0"), VIEW("message is administratively expired"));
		return;
	}
	if (router_resolve(qmgr.router, m->file.sender, r->envelope.address, &m->portion,
		&r->route, &why) == TABLE_CANNOT_TELL) {
		char *reason = arena_printf(&m->portion, "address resolver failure%s%s",
		    why ? ": " : "", why ? why : "");

		outcome_defer(m, r, VIEW("4.3.0"), view_of(reason));
	}
}

/*
 * What the destination is: the next hop, or, where every recipient has a delivery of its own,
 * the recipient without its extension. Lower case.
 */
static struct view
destination_key(struct message *m, const struct transport *t, const struct recipient *r)
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
	key =
	    arena_printf(&m->portion, "%.*s@%.*s", VIEW_ARG(local), VIEW_ARG(r->route.nexthop));
	for (char *p = key; *p; p++)
		*p = char_lower(*p);
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
}

/* The entry that this message has just made for the destination, when it is not full. */
static struct entry *
entry_open(struct message *m, struct transport *t, struct destination *d)
{
	struct entry *e;

	if (list_is_empty(&d->entries))
		return NULL;
	e = LIST_ITEM(d->entries.prev, struct entry, link);
	if (e->message != m ||
	    (t->limits.destination_recipients > 0 &&
		e->count >= (unsigned)t->limits.destination_recipients))
		return NULL;
	return e;
}

static void
entry_add(struct message *m, struct transport *t, struct destination *d, struct recipient *r)
{
	struct entry *e = entry_open(m, t, d);

	if (e) {
		entry_append(e, r);
		return;
	}
	e = NEW(struct entry);
	list_init(&e->link);
	e->message = m;
	e->destination = d;
	list_append(&m->entries, &e->of_message);
	entry_append(e, r);
	transport_add(t, e);
}

static void
queue_one(struct message *m, struct recipient *r)
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
	d = transport_destination(t, destination_key(m, t, r));
	if (m->flush)
		transport_destination_revive(t, d);
	if (transport_destination_is_dead(t, d))
		outcome_defer(
		    m, r, view_of(d->suspension->dsn), view_of(d->suspension->reason));
	else
		entry_add(m, t, d, r);
}

void
message_fill(struct message *m)
{
	struct recipient *first = portion_read(m), *next;

	m->filling = true;
	for (struct recipient *r = first; r; r = r->next)
		resolve_one(m, r);
	for (struct recipient *r = first; r; r = next) {
		next = r->next;
		if (r->has_outcome)
			continue;
		if (m->wish || qmgr.finishing)
			outcome_untried(m, r);
		else
			queue_one(m, r);
	}
	m->filling = false;
	message_progress(m);
}
