/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listing: a few messages at a time, however long the queue is, and the first ones are told
 * before the next ones are read.
 *
 * A message may move while this goes on. Those seen in incoming, which are few, are remembered,
 * so that one which is deferred meanwhile is not told twice.
 */
#include "base/hash.h"
#include "base/mem.h"
#include "proto/showq.h"
#include "showq/showq.h"

struct listing {
	struct ipc *client;
	struct hash *seen;
	struct source source;
};

static enum ipc_result
send_recipients(struct listing *l, const struct queue_found *f)
{
	struct queue_found_recipient s = { 0 };
	enum ipc_result result = IPC_OK;

	while (result == IPC_OK && queue_found_recipient(f, &s)) {
		struct showq_recipient shown = { s.r.address, s.r.original, s.r.reason };

		result = ipc_send(
		    l->client, &showq_recipient_message, &shown, clock_deadline(LIST_TIME));
	}
	return result;
}

static enum ipc_result
send_message(struct listing *l, const struct queue_found *f)
{
	const struct index_entry *e = f->entry;
	struct showq_message shown = {
		.queue_name = view_of(source_place_name(e->place)),
		.queue_id = view_of(e->id),
		.arrival = (uint64_t)e->arrival,
		.size = e->size,
		.forced_expire = e->forced_expire,
		.sender = e->sender,
	};
	enum ipc_result result =
	    ipc_send(l->client, &showq_message_message, &shown, clock_deadline(LIST_TIME));

	return result == IPC_OK ? send_recipients(l, f) : result;
}

static bool
is_news(struct listing *l, const struct index_entry *e)
{
	if (hash_find(l->seen, view_of(e->id)))
		return false;
	if (e->place == QUEUE_INCOMING &&
	    hash_count(l->seen) < (size_t)showq.values->duplicate_filter_limit)
		hash_put(l->seen, view_of(e->id), l);
	return true;
}

static enum ipc_result
send_some(struct listing *l)
{
	enum ipc_result result = IPC_OK;

	for (size_t i = 0; result == IPC_OK && i < l->source.count; i++) {
		struct queue_found f = queue_walk_at(l->source.walk, i);

		if (is_news(l, f.entry))
			result = send_message(l, &f);
	}
	return result;
}

enum ipc_result
list_queue(struct ipc *client, const struct queue_filter *filter, const char **error)
{
	struct listing *l = NEW(struct listing);
	enum ipc_result result = IPC_OK;

	l->client = client;
	l->seen = hash_new();
	source_open(&l->source, filter);
	while (result == IPC_OK && source_read(&l->source)) {
		if (l->source.why)
			*error = l->source.why;
		result = send_some(l);
	}
	if (l->source.why)
		*error = l->source.why;
	source_close(&l->source);
	hash_free(&l->seen, NULL);
	mem_free(l);
	return result;
}
