/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deliver/1 with qmgr: a request with its recipients, an outcome for each as it comes, done,
 * and the next request on the same connection.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "ipc/ipc_own.h"
#include "local/local.h"
#include "proto/delivery_log.h"

#define FRAME_TIME (3600 * SECOND)

struct recipients {
	struct deliver_recipient *items;
	size_t count, cap;
};

static nanoseconds
frame_deadline(void)
{
	return clock_deadline(FRAME_TIME);
}

static bool
recipient_take(
    struct ipc *qmgr, const struct ipc_frame *frame, struct delivery *d, struct recipients *all)
{
	struct deliver_recipient r;

	if (!ipc_frame_decode(qmgr, frame, &deliver_recipient_message, &r))
		return false;
	if (all->count == RECIPIENTS_MAX)
		return false;
	if (all->count == all->cap) {
		all->cap = all->cap ? 2 * all->cap : 4;
		all->items = mem_resize(all->items, all->cap, sizeof(all->items[0]));
	}
	ipc_own(&deliver_recipient_message, &r, &d->arena);
	all->items[all->count++] = r;
	return true;
}

static bool
recipients_receive(struct ipc *qmgr, struct delivery *d, struct recipients *all)
{
	for (;;) {
		struct ipc_frame frame;

		if (ipc_receive(qmgr, &frame, frame_deadline()) != IPC_OK)
			return false;
		if (ipc_frame_is(&frame, &deliver_go_message))
			return true;
		if (!ipc_frame_is(&frame, &deliver_recipient_message) ||
		    !recipient_take(qmgr, &frame, d, all)) {
			log_warn("bad delivery request: %s", ipc_why(qmgr));
			return false;
		}
	}
}

static void
outcome_log(
    const struct delivery *d, const struct deliver_recipient *r, const struct outcome *o)
{
	struct delivery_line line = {
		.queue_id = d->request.queue_id,
		.address = r->address,
		.original = r->original,
		.relay = view_of(service_name()),
		.dsn = view_of(o->dsn),
		.status = delivery_status_text(o->result),
		.reason = view_of(o->reason),
		.times = {
			.arrival = (microseconds)d->request.arrival,
			.queued = (microseconds)d->request.queued,
			.handed = d->handed,
			.done = clock_wall(),
		},
	};

	delivery_log(&line);
}

static bool
recipients_deliver(struct ipc *qmgr, struct delivery *d, const struct recipients *all)
{
	struct deliver_done done = { 0 };

	for (size_t i = 0; i < all->count; i++) {
		struct outcome o = recipient_deliver(d, &all->items[i]);
		struct deliver_outcome answer = {
			.index = all->items[i].index,
			.result = o.result,
			.dsn = view_of(o.dsn),
			.reason = view_of(o.reason),
			.relay = view_of(service_name()),
		};

		outcome_log(d, &all->items[i], &o);
		if (ipc_send(qmgr, &deliver_outcome_message, &answer, frame_deadline()) !=
		    IPC_OK)
			return false;
	}
	return ipc_send(qmgr, &deliver_done_message, &done, frame_deadline()) == IPC_OK &&
	    ipc_flush(qmgr, frame_deadline()) == IPC_OK;
}

static bool
request_run(struct ipc *qmgr, const struct ipc_frame *frame)
{
	struct delivery d = { .request.message = -1 };
	struct recipients all = { 0 };
	bool ok;

	if (!ipc_frame_is(frame, &deliver_request_message) ||
	    !ipc_frame_decode(qmgr, frame, &deliver_request_message, &d.request)) {
		log_warn("bad delivery request: %s", ipc_why(qmgr));
		return false;
	}
	ipc_own(&deliver_request_message, &d.request, &d.arena);
	d.handed = clock_wall();
	ok = recipients_receive(qmgr, &d, &all) && recipients_deliver(qmgr, &d, &all);
	file_close(&d.request.message);
	buf_done(&d.header);
	mem_free(all.items);
	arena_reset(&d.arena);
	return ok;
}

void
session_run(const struct service_connection *c)
{
	struct ipc *qmgr = ipc_new(c->fd);
	struct ipc_frame frame;

	for (;;) {
		service_session_idle(c, true);
		if (ipc_receive(qmgr, &frame, DEADLINE_NEVER) != IPC_OK)
			break;
		service_session_idle(c, false);
		if (!request_run(qmgr, &frame) || service_is_finishing())
			break;
	}
	ipc_free(&qmgr);
}

struct view
delivery_header(struct delivery *d, const char **why)
{
	size_t n = (size_t)d->request.header_length;
	char *room;

	if (d->has_header)
		return buf_view(&d->header);
	buf_init(&d->header, n);
	room = buf_reserve(&d->header, n);
	if (!room ||
	    !file_pread_all(d->request.message, room, n, (off_t)d->request.header_offset)) {
		*why = errno ? strerror(errno) : "unexpected end of file";
		return VIEW_NONE;
	}
	buf_commit(&d->header, n);
	d->has_header = true;
	return buf_view(&d->header);
}

struct outcome
outcome_make(
    struct arena *a, enum deliver_result result, const char *dsn, const char *format, ...)
{
	struct buf text = BUF_INIT(1000);
	struct outcome o = { result, dsn, "" };
	va_list ap;

	va_start(ap, format);
	buf_vprintf(&text, format, ap);
	va_end(ap);
	o.reason = arena_dup(a, buf_view(&text));
	buf_done(&text);
	return o;
}
