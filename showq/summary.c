/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The summary: what waits for which destination, and why, with ages. One pass over the queue,
 * in which a row is kept for each destination and each reason; from a certain number on, all
 * new ones share a row. A message counts once in each row that it is in.
 */
#include <stdlib.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/mem.h"
#include "proto/showq.h"
#include "showq/showq.h"
#include "task/task.h"

#define DESTINATIONS_MAX 200000
#define REASONS_MAX      5000

struct row {
	uint64_t serial; /* of the message that was counted last */
	struct view name;
	uint64_t messages, recipients, size;
	microseconds oldest, newest;
};

struct table {
	struct hash *rows;
	struct row *others;
	size_t max;
};

struct summary {
	struct source source;
	struct arena names;
	struct row total;
	struct row places[QUEUE_PLACES];
	struct table destinations, reasons;
	uint64_t serial; /* of the present message */
	struct buf text;
	char domain[256];
	/* sorted, to be sent */
	struct row **sorted;
	size_t count;
	struct table *sort;
};

static struct row *
row_new(struct summary *s, struct view name)
{
	struct row *r = ARENA_NEW(&s->names, struct row);

	r->name = arena_view(&s->names, name);
	r->oldest = INT64_MAX;
	return r;
}

static struct row *
row_of(struct summary *s, struct table *t, struct view name)
{
	struct row *r = hash_find(t->rows, name);

	if (r)
		return r;
	if (hash_count(t->rows) >= t->max) {
		if (!t->others)
			t->others = row_new(s, VIEW_NONE);
		return t->others;
	}
	r = row_new(s, name);
	hash_put(t->rows, name, r);
	return r;
}

static void
count(struct summary *s, struct row *r, const struct index_entry *e)
{
	r->recipients++;
	if (r->serial == s->serial)
		return;
	r->serial = s->serial;
	r->messages++;
	r->size += e->size;
	if (e->arrival < r->oldest)
		r->oldest = e->arrival;
	if (e->arrival > r->newest)
		r->newest = e->arrival;
}

static struct view
domain_of(struct summary *s, struct view address)
{
	size_t at = view_find_last(address, '@');
	struct view domain = view_sub(address, at + 1, sizeof(s->domain));

	for (size_t i = 0; i < domain.n; i++)
		s->domain[i] = char_lower(domain.p[i]);
	return (struct view){ s->domain, domain.n };
}

static void
count_message(struct summary *s, const struct queue_found *f)
{
	struct queue_found_recipient r = { 0 };

	s->serial++;
	while (queue_found_recipient(f, &r)) {
		count(s, &s->total, f->entry);
		count(s, &s->places[f->entry->place], f->entry);
		count(s, row_of(s, &s->destinations, domain_of(s, r.r.address)), f->entry);
		reason_generalize(&s->text, r.r.reason);
		count(s, row_of(s, &s->reasons, buf_view(&s->text)), f->entry);
	}
}

/* In a thread of the pool: the whole pass, for it may take seconds. */
static void
gather_run(void *argument)
{
	struct summary *s = argument;
	const char *why;
	size_t n;

	do {
		if (!queue_walk_read(s->source.walk, &n, &why))
			s->source.why = why;
		for (size_t i = 0; i < n; i++) {
			struct queue_found f = queue_walk_at(s->source.walk, i);

			count_message(s, &f);
		}
	} while (n > 0);
}

/* ---- telling it ---- */

static int
compare_rows(const void *a, const void *b)
{
	const struct row *x = *(struct row *const *)a, *y = *(struct row *const *)b;

	if (x->messages != y->messages)
		return x->messages < y->messages ? 1 : -1;
	return view_compare(x->name, y->name);
}

static void
sort_run(void *argument)
{
	struct summary *s = argument;
	struct hash_iter it = { 0 };

	s->count = 0;
	s->sorted = mem_zero(hash_count(s->sort->rows) + 1, sizeof(struct row *));
	while (hash_next(s->sort->rows, &it))
		s->sorted[s->count++] = it.value;
	qsort(s->sorted, s->count, sizeof(struct row *), compare_rows);
	if (s->sort->others)
		s->sorted[s->count++] = s->sort->others;
}

static enum ipc_result
send_row(struct ipc *client, enum showq_row_kind kind, const struct row *r)
{
	struct showq_row row = {
		.kind = kind,
		.name = r->name,
		.messages = r->messages,
		.recipients = r->recipients,
		.size = r->size,
		.oldest = r->messages ? (uint64_t)r->oldest : 0,
		.newest = (uint64_t)r->newest,
	};

	return ipc_send(client, &showq_row_message, &row, clock_deadline(LIST_TIME));
}

static enum ipc_result
send_table(struct ipc *client, struct summary *s, struct table *t, enum showq_row_kind kind)
{
	enum ipc_result result = IPC_OK;

	s->sort = t;
	task_offload(sort_run, s);
	for (size_t i = 0; result == IPC_OK && i < s->count; i++)
		result = send_row(client, kind, s->sorted[i]);
	mem_free(s->sorted);
	return result;
}

static enum ipc_result
send_all(struct ipc *client, struct summary *s)
{
	enum ipc_result result = send_row(client, SHOWQ_TOTAL, &s->total);

	for (size_t i = 0; result == IPC_OK && i < QUEUE_PLACES; i++) {
		s->places[i].name = view_of(source_place_name((enum queue_place)i));
		if (s->places[i].messages > 0)
			result = send_row(client, SHOWQ_PLACE, &s->places[i]);
	}
	if (result == IPC_OK)
		result = send_table(client, s, &s->destinations, SHOWQ_DESTINATION);
	if (result == IPC_OK)
		result = send_table(client, s, &s->reasons, SHOWQ_REASON);
	return result;
}

static void
summary_free(struct summary *s)
{
	source_close(&s->source);
	hash_free(&s->destinations.rows, NULL);
	hash_free(&s->reasons.rows, NULL);
	arena_reset(&s->names);
	buf_done(&s->text);
	mem_free(s);
}

enum ipc_result
summary_send(struct ipc *client, const struct queue_filter *filter, const char **error)
{
	struct summary *s = NEW(struct summary);
	enum ipc_result result;

	s->destinations = (struct table){ .rows = hash_new(), .max = DESTINATIONS_MAX };
	s->reasons = (struct table){ .rows = hash_new(), .max = REASONS_MAX };
	s->total.oldest = INT64_MAX;
	for (size_t i = 0; i < QUEUE_PLACES; i++)
		s->places[i].oldest = INT64_MAX;
	buf_init(&s->text, 2000);
	source_open(&s->source, filter);
	queue_walk_believe(s->source.walk);
	task_offload(gather_run, s);
	if (s->source.why)
		*error = s->source.why;
	result = send_all(client, s);
	summary_free(s);
	return result;
}
