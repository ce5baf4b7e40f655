/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue files, one at a time: only one message is in memory, however long the queue is, and
 * the first one is told before the second is read. Directory and files are read in the pool of
 * threads.
 *
 * A message may move while this goes on. Those seen in incoming, which are few, are remembered,
 * so that one which is deferred meanwhile is not told twice.
 */
#include "base/hash.h"
#include "base/mem.h"
#include "proto/showq.h"
#include "queue/queue_file.h"
#include "showq/showq.h"
#include "task/task.h"

static const struct place {
	enum queue_place place;
	const char *shown; /* active: qmgr works on it, or will as soon as it can */
	bool remember;
} places[] = {
	{ QUEUE_INCOMING, "active", true },
	{ QUEUE_DEFERRED, "deferred", false },
	{ QUEUE_HOLD, "hold", false },
};

struct listing {
	struct ipc *client;
	const struct place *place;
	struct hash *seen;
	struct queue_scan *scan;
	const char *why; /* the place could not be read to its end */
	/* the present message */
	char id[QUEUE_ID_SIZE];
	bool found;
	enum queue_result opened;
	struct queue_message m;
};

/* In a thread of the pool. */
static void
next_run(void *argument)
{
	struct listing *l = argument;
	const char *why;
	microseconds due;

	if (!l->scan)
		l->scan = queue_scan_new(showq.queue, l->place->place);
	l->found = queue_scan_next(l->scan, l->id, &due, &l->why);
	if (l->found)
		l->opened =
		    queue_message_open(showq.queue, l->place->place, l->id, false, &l->m, &why);
}

static void
done_run(void *argument)
{
	struct listing *l = argument;

	queue_scan_free(&l->scan);
}

static enum ipc_result
send_recipients(struct listing *l)
{
	struct queue_recipient r;
	size_t position = 0;
	enum ipc_result result = IPC_OK;

	for (uint32_t i = 0; result == IPC_OK && queue_message_recipient(&l->m, &position, &r);
	     i++) {
		const struct queue_rcpt_status *status = &l->m.status[i];
		struct showq_recipient shown = {
			.address = r.address,
			.original = view_eq(r.original, r.address) ? VIEW_NONE : r.original,
			.reason = status->reason,
		};

		if (status->state == QUEUE_RCPT_PENDING)
			result = ipc_send(l->client, &showq_recipient_message, &shown,
			    clock_deadline(LIST_TIME));
	}
	return result;
}

static enum ipc_result
send_message(struct listing *l)
{
	struct showq_message shown = {
		.queue_name = view_of(l->place->shown),
		.queue_id = view_of(l->id),
		.arrival = (uint64_t)l->m.arrival,
		.size = l->m.size,
		.forced_expire = l->m.forced_expire,
		.sender = l->m.sender,
	};
	enum ipc_result result =
	    ipc_send(l->client, &showq_message_message, &shown, clock_deadline(LIST_TIME));

	return result == IPC_OK ? send_recipients(l) : result;
}

static bool
is_news(struct listing *l)
{
	struct view id = view_of(l->id);

	if (hash_find(l->seen, id))
		return false;
	if (l->place->remember &&
	    hash_count(l->seen) < (size_t)showq.values->duplicate_filter_limit)
		hash_put(l->seen, id, l);
	return true;
}

static enum ipc_result
list_place(struct listing *l)
{
	enum ipc_result result = IPC_OK;

	while (result == IPC_OK) {
		task_offload(next_run, l);
		if (!l->found)
			break;
		/* What is being written, moved or damaged is no message to be shown here. */
		if (l->opened != QUEUE_OK)
			continue;
		if (l->m.pending_count > 0 && is_news(l))
			result = send_message(l);
		queue_message_done(&l->m);
	}
	task_offload(done_run, l);
	return result;
}

enum ipc_result
list_queue(struct ipc *client, const char **error)
{
	struct listing *l = NEW(struct listing);
	enum ipc_result result = IPC_OK;

	l->client = client;
	l->seen = hash_new();
	for (size_t i = 0; i < ARRAY_LEN(places) && result == IPC_OK; i++) {
		l->place = &places[i];
		result = list_place(l);
		if (l->why)
			*error = l->why;
	}
	hash_free(&l->seen, NULL);
	mem_free(l);
	return result;
}
