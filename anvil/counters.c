/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of clients. Those without sessions stand in a ring in the order in which they were
 * last seen: its front is what has expired, and what goes when the table is full. Each holder
 * has a table of its own that says how many sessions it has with whom, so that all of it can be
 * given back.
 */
#include "anvil/anvil.h"
#include "base/hash.h"
#include "base/list.h"

struct window {
	nanoseconds start;
	uint32_t count;
};

struct client {
	struct list idle; /* in counters.idle while connections is 0, else alone */
	nanoseconds seen;
	uint64_t connections;
	struct window windows[ANVIL_KIND_COUNT];
	size_t ident_size;
	char ident[]; /* no NUL behind it */
};

struct counters {
	struct hash *clients; /* ident -> struct client */
	struct list idle;     /* the least recently seen first */
	size_t max;
	nanoseconds time_unit;
};

struct share {
	struct client *client;
	uint64_t open; /* not 0 */
};

struct holder {
	struct counters *counters;
	struct hash *shares; /* ident -> struct share */
	size_t max;
};

struct counters *
counters_new(size_t max, nanoseconds time_unit)
{
	struct counters *c = NEW(struct counters);

	c->clients = hash_new();
	list_init(&c->idle);
	c->max = max;
	c->time_unit = time_unit;
	return c;
}

void
counters_free(struct counters **c)
{
	if (*c == NULL)
		return;
	hash_free(&(*c)->clients, mem_free);
	mem_free(*c);
	*c = NULL;
}

size_t
counters_count(const struct counters *c)
{
	return hash_count(c->clients);
}

static struct client *
client_find(const struct counters *c, struct view ident)
{
	return hash_find(c->clients, ident);
}

static void
client_forget(struct counters *c, struct client *client)
{
	list_remove(&client->idle);
	(void)hash_remove(c->clients, (struct view){ client->ident, client->ident_size });
	mem_free(client);
}

/* Forgets who has not been seen for a time unit: all windows of such a client are over. */
static void
drop_expired(struct counters *c, nanoseconds now)
{
	while (!list_is_empty(&c->idle)) {
		struct client *client = LIST_ITEM(c->idle.next, struct client, idle);

		if (now - client->seen < c->time_unit)
			break;
		client_forget(c, client);
	}
}

static void
client_seen(struct counters *c, struct client *client, nanoseconds now)
{
	client->seen = now;
	list_remove(&client->idle);
	if (client->connections == 0)
		list_append(&c->idle, &client->idle);
}

/* The client, made when it is new; NULL: the table is full of clients with sessions. */
static struct client *
client_have(struct counters *c, struct view ident, nanoseconds now)
{
	struct client *client;

	drop_expired(c, now);
	client = client_find(c, ident);
	if (client == NULL) {
		if (hash_count(c->clients) >= c->max) {
			if (list_is_empty(&c->idle))
				return NULL;
			client_forget(c, LIST_ITEM(c->idle.next, struct client, idle));
		}
		client = mem_zero(1, sizeof(*client) + ident.n);
		list_init(&client->idle);
		client->ident_size = ident.n;
		memcpy(client->ident, ident.p, ident.n);
		hash_put(c->clients, ident, client);
	}
	client_seen(c, client, now);
	return client;
}

struct anvil_counts
counters_event(struct counters *c, struct view ident, enum anvil_kind kind, nanoseconds now)
{
	struct client *client = client_have(c, ident, now);
	struct window *w;

	if (client == NULL)
		return (struct anvil_counts){ .connections = 1, .rate = 1 };
	w = &client->windows[kind];
	if (w->count == 0 || now - w->start >= c->time_unit)
		*w = (struct window){ .start = now };
	if (w->count < UINT32_MAX)
		w->count++;
	return (struct anvil_counts){ .connections = client->connections, .rate = w->count };
}

struct holder *
holder_new(struct counters *c, size_t max)
{
	struct holder *h = NEW(struct holder);

	h->counters = c;
	h->shares = hash_new();
	h->max = max;
	return h;
}

static void
share_give_back(struct counters *c, struct share *s, nanoseconds now)
{
	s->client->connections -= s->open;
	client_seen(c, s->client, now);
	mem_free(s);
}

void
holder_free(struct holder **h, nanoseconds now)
{
	struct hash_iter it = { 0 };

	if (*h == NULL)
		return;
	while (hash_next((*h)->shares, &it))
		share_give_back((*h)->counters, it.value, now);
	hash_free(&(*h)->shares, NULL);
	drop_expired((*h)->counters, now);
	mem_free(*h);
	*h = NULL;
}

bool
holder_set(struct holder *h, struct view ident, uint64_t open, nanoseconds now)
{
	struct share *s = hash_find(h->shares, ident);
	struct client *client;

	if (open == 0) {
		if (s != NULL) {
			hash_remove(h->shares, ident);
			share_give_back(h->counters, s, now);
		}
		return true;
	}
	if (s == NULL) {
		if (hash_count(h->shares) >= h->max)
			return false;
		client = client_have(h->counters, ident, now);
		if (client == NULL)
			return false;
		s = NEW(struct share);
		s->client = client;
		hash_put(h->shares, ident, s);
	}
	s->client->connections = s->client->connections - s->open + open;
	s->open = open;
	client_seen(h->counters, s->client, now);
	return true;
}
