/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk: place by place. A batch ends behind a message that had to be opened and is needed
 * whole, so that no more than one of those is in memory. An index that fails in the middle ends
 * the walk of its place, and whoever walks is told that this is not all.
 */
#include "queue/walk.h"

#include <assert.h>

#include "base/mem.h"

#define BATCH WALK_BATCH

static_assert(BATCH == ARRAY_LEN(((struct index_page *)NULL)->ids), "a page fills a batch");

struct slot {
	struct index_entry entry;
	struct buf value;
};

struct queue_walk {
	struct queue *q;
	struct queue_index *index;
	const struct queue_filter *filter;
	unsigned places;
	size_t next_place;
	enum queue_place place;
	struct queue_scan *scan;
	struct index_page page;
	char after[QUEUE_ID_SIZE];
	struct slot *slots; /* BATCH of them */
	size_t count;
	struct queue_message message; /* of the last one; fd -1: none */
	bool by_index, at_end;
	bool believes;
};

static const struct {
	unsigned bit;
	enum queue_place place;
} order[] = {
	{ WALK_INCOMING, QUEUE_INCOMING },
	{ WALK_DEFERRED, QUEUE_DEFERRED },
	{ WALK_HOLD, QUEUE_HOLD },
};

struct queue_walk *
queue_walk_new(struct queue *q, struct queue_index *index, unsigned places,
    const struct queue_filter *filter)
{
	struct queue_walk *w = NEW(struct queue_walk);

	w->q = q;
	w->index = index;
	w->filter = filter && queue_filter_is_empty(filter) ? NULL : filter;
	w->places = places;
	w->at_end = true;
	w->message.fd = -1;
	buf_init(&w->page.values, BATCH * INDEX_VALUE_MAX);
	w->slots = mem_zero(BATCH, sizeof(*w->slots));
	for (size_t i = 0; i < BATCH; i++)
		buf_init(&w->slots[i].value, INDEX_VALUE_MAX);
	return w;
}

static void
forget_message(struct queue_walk *w)
{
	if (w->message.fd >= 0)
		queue_message_done(&w->message);
	w->message.fd = -1;
}

void
queue_walk_free(struct queue_walk **w)
{
	if (!*w)
		return;
	forget_message(*w);
	queue_scan_free(&(*w)->scan);
	buf_done(&(*w)->page.values);
	for (size_t i = 0; i < BATCH; i++)
		buf_done(&(*w)->slots[i].value);
	mem_free((*w)->slots);
	mem_free(*w);
	*w = NULL;
}

void
queue_walk_believe(struct queue_walk *w)
{
	w->believes = true;
}

/* ---- one message ---- */

static bool
next_free(struct queue_walk *w, struct view value)
{
	struct slot *s = &w->slots[w->count];

	buf_clear(&s->value);
	return buf_append_view(&s->value, value) &&
	    index_entry_decode(buf_view(&s->value), &s->entry);
}

/* From its file. It stays open when it is needed whole. */
static void
add_file(struct queue_walk *w, const char *id)
{
	struct slot *s = &w->slots[w->count];
	struct queue_message *m = &w->message;
	const char *why;

	if (queue_message_open(w->q, w->place, id, false, m, &why) != QUEUE_OK) {
		m->fd = -1;
		return;
	}
	if (m->pending_count == 0 ||
	    (w->filter && !queue_filter_message(w->filter, m, clock_wall()))) {
		forget_message(w);
		return;
	}
	index_entry_encode(m, QUEUE_DEFERRED, m->due, &s->value);
	(void)index_entry_decode(buf_view(&s->value), &s->entry);
	s->entry.place = w->place;
	memcpy(s->entry.id, id, QUEUE_ID_SIZE);
	w->count++;
	if (!s->entry.partial)
		forget_message(w);
}

/* From its entry. False: that is damaged. */
static bool
add_entry(struct queue_walk *w, const char *id, struct view value)
{
	struct slot *s = &w->slots[w->count];

	if (!next_free(w, value))
		return false;
	if (s->entry.place != w->place || (!w->believes && !queue_is_at(w->q, id, w->place)))
		return true;
	switch (
	    w->filter ? queue_filter_entry(w->filter, &s->entry, clock_wall()) : FILTER_YES) {
	case FILTER_NO:
		return true;
	case FILTER_YES:
		if (s->entry.partial)
			break;
		memcpy(s->entry.id, id, QUEUE_ID_SIZE);
		w->count++;
		return true;
	case FILTER_ASK_FILE:
		break;
	}
	add_file(w, id);
	return true;
}

/* ---- a few of them ---- */

static bool
is_full(const struct queue_walk *w)
{
	return w->count == BATCH || w->message.fd >= 0;
}

static bool
read_page(struct queue_walk *w, const char **why)
{
	struct view domain = w->filter ? queue_filter_domain(w->filter) : VIEW_NONE;

	return domain.n ? queue_index_page_domain(w->index, domain, w->after, &w->page, why)
			: queue_index_page(w->index, w->after, &w->page, why);
}

static bool
read_index(struct queue_walk *w, const char **why)
{
	if (!read_page(w, why))
		return false;
	w->at_end = w->page.count == 0;
	for (size_t i = 0; i < w->page.count && !is_full(w); i++) {
		memcpy(w->after, w->page.ids[i], QUEUE_ID_SIZE);
		if (!add_entry(w, w->page.ids[i], index_page_value(&w->page, i))) {
			*why = "the index is damaged";
			return false;
		}
	}
	return true;
}

/* Held mail has its names in one directory, and often an entry. */
static void
add_name(struct queue_walk *w, const char *id, struct buf *value)
{
	const char *why;
	bool found = false;

	if (w->place == QUEUE_HOLD && w->index &&
	    queue_index_find(w->index, id, value, &found, &why) && found) {
		struct index_head head;

		if (index_entry_peek(buf_view(value), &head) && head.place == QUEUE_HOLD &&
		    add_entry(w, id, buf_view(value)))
			return;
	}
	add_file(w, id);
}

static bool
read_files(struct queue_walk *w, const char **why)
{
	struct buf value = BUF_INIT(INDEX_VALUE_MAX);
	char id[QUEUE_ID_SIZE];
	microseconds due;

	*why = NULL;
	for (size_t i = 0; i < BATCH && !is_full(w) && !w->at_end; i++) {
		if (queue_scan_next(w->scan, id, &due, why))
			add_name(w, id, &value);
		else
			w->at_end = true;
	}
	buf_done(&value);
	return *why == NULL;
}

/* False: that was the last place. */
static bool
enter_place(struct queue_walk *w)
{
	queue_scan_free(&w->scan);
	while (w->next_place < ARRAY_LEN(order) && !(w->places & order[w->next_place].bit))
		w->next_place++;
	if (w->next_place == ARRAY_LEN(order))
		return false;
	w->place = order[w->next_place++].place;
	w->by_index = w->place == QUEUE_DEFERRED && w->index;
	w->after[0] = '\0';
	if (!w->by_index)
		w->scan = queue_scan_new(w->q, w->place);
	w->at_end = false;
	return true;
}

bool
queue_walk_read(struct queue_walk *w, size_t *count, const char **why)
{
	bool ok = true;

	forget_message(w);
	w->count = 0;
	while (ok && w->count == 0) {
		if (w->at_end && !enter_place(w))
			break;
		ok = w->by_index ? read_index(w, why) : read_files(w, why);
		if (!ok)
			w->at_end = true;
	}
	*count = w->count;
	return ok;
}

struct queue_found
queue_walk_at(const struct queue_walk *w, size_t i)
{
	bool is_open = i == w->count - 1 && w->message.fd >= 0;

	return (struct queue_found){ &w->slots[i].entry, is_open ? &w->message : NULL };
}

bool
queue_found_recipient(const struct queue_found *f, struct queue_found_recipient *s)
{
	struct queue_recipient q;

	if (!f->message) {
		if (s->index == f->entry->count)
			return false;
		s->r = f->entry->recipients[s->index++];
		return true;
	}
	while (queue_message_recipient(f->message, &s->position, &q)) {
		const struct queue_rcpt_status *status = &f->message->status[s->index++];

		if (status->state != QUEUE_RCPT_PENDING)
			continue;
		s->r = (struct index_recipient){ q.address,
			view_eq(q.original, q.address) ? VIEW_NONE : q.original,
			status->reason };
		return true;
	}
	return false;
}
