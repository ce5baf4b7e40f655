/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an alias sends on is a new message through cleanup, with our Delivered-To: on top so
 * that a circle is noticed, and the recipients of the expansion.
 */
#include <errno.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "ipc/ipc_pool.h"
#include "local/local.h"
#include "mail/address.h"
#include "mail/header.h"
#include "proto/submit.h"
#include "queue/queue.h"
#include "queue/queue_file.h"

#define SUBMIT_TIME (600 * SECOND)

struct forward {
	struct delivery *d;
	const struct forwarding *to;
	struct ipc *cleanup;
	nanoseconds deadline;
	char id[QUEUE_ID_SIZE];
	uint32_t crc;
	bool damaged;
};

static bool
send_begin(struct forward *f)
{
	const struct deliver_request *q = &f->d->request;
	struct submit_begin begin = {
		.source = SUBMIT_FORWARD,
		.queue_id = view_of(f->id),
		.sender = f->to->sender,
		.smtputf8 = (q->flags & QUEUE_FLAG_SMTPUTF8) != 0,
		.is_8bit = (q->flags & (QUEUE_FLAG_8BIT | QUEUE_FLAG_8BIT_HEADER)) != 0,
		.client_name = q->client_name,
		.client_address = q->client_address,
		.client_port = q->client_port,
		.helo_name = q->helo_name,
		.protocol_name = q->protocol_name,
		.envelope_id = f->to->has_owner ? VIEW_NONE : q->envelope_id,
		.dsn_ret = f->to->has_owner ? VIEW_NONE : q->dsn_ret,
		.keep_missing_headers = true,
	};

	return ipc_send(f->cleanup, &submit_begin_message, &begin, f->deadline) == IPC_OK;
}

static uint64_t
notify_beyond(const struct forwarding *to, uint64_t notify)
{
	if (to->has_owner)
		return 0;
	if (!to->is_expansion || !(notify & QUEUE_NOTIFY_SUCCESS))
		return notify;
	notify &= ~(uint64_t)QUEUE_NOTIFY_SUCCESS;
	return notify ? notify : QUEUE_NOTIFY_NEVER;
}

static bool
send_recipients(struct forward *f, const struct deliver_recipient *original)
{
	for (const struct destination *list = f->to->recipients; list; list = list->next) {
		struct submit_recipient r = {
			.address = list->text,
			.original =
			    original->original.n ? original->original : original->address,
			.dsn_orcpt = original->dsn_orcpt,
			.notify = notify_beyond(f->to, original->notify),
		};

		if (ipc_send(f->cleanup, &submit_recipient_message, &r, f->deadline) != IPC_OK)
			return false;
	}
	return true;
}

static bool
send_extent(struct forward *f, uint64_t offset, uint64_t length, bool with_crc)
{
	char *piece = mem_alloc(IPC_DATA_MAX);
	bool ok = true;

	while (ok && length) {
		size_t n = length < IPC_DATA_MAX ? (size_t)length : IPC_DATA_MAX;

		if (!file_pread_all(f->d->request.message, piece, n, (off_t)offset)) {
			f->damaged = true;
			ok = false;
			break;
		}
		if (with_crc)
			f->crc = crc32c(f->crc, piece, n);
		ok =
		    ipc_send_data(f->cleanup, (struct view){ piece, n }, f->deadline) == IPC_OK;
		offset += n;
		length -= n;
	}
	mem_free(piece);
	return ok;
}

static bool
send_content(struct forward *f, const struct deliver_recipient *original)
{
	const struct deliver_request *q = &f->d->request;
	struct buf own = BUF_INIT(8 * ADDRESS_MAX), address = BUF_INIT(4 * ADDRESS_MAX);
	bool ok;

	if (delivered_to_is_wanted(VIEW("forward"))) {
		address_quote(&address, original->address);
		header_build(&own, "Delivered-To", buf_view(&address));
	}
	ok = (own.len == 0 ||
		 ipc_send_data(f->cleanup, buf_view(&own), f->deadline) == IPC_OK) &&
	    send_extent(f, q->header_offset, q->header_length, false) &&
	    ipc_send_data(f->cleanup, VIEW("\r\n"), f->deadline) == IPC_OK &&
	    send_extent(f, q->body_offset, q->body_length, true);
	buf_done(&address);
	buf_done(&own);
	if (ok && f->crc != (uint32_t)q->body_crc)
		f->damaged = true;
	return ok && !f->damaged;
}

static struct outcome
status_outcome(struct forward *f, const struct submit_status *status)
{
	struct arena *a = &f->d->arena;

	if (status->result == SUBMIT_OK || status->result == SUBMIT_DISCARD) {
		struct outcome o =
		    outcome_make(a, DELIVER_SENT, "2.0.0", "forwarded as %s", f->id);

		o.expanded = f->to->is_expansion;
		o.dsn_passed_on = !o.expanded;
		return o;
	}
	if (status->result == SUBMIT_REJECT || status->result == SUBMIT_LOOP ||
	    status->result == SUBMIT_TOO_BIG)
		return outcome_make(a, DELIVER_BOUNCED, arena_dup(a, status->dsn), "%.*s",
		    VIEW_ARG(status->text));
	return outcome_make(
	    a, DELIVER_DEFERRED, "4.3.0", "cannot forward: %.*s", VIEW_ARG(status->text));
}

static bool
conversation(
    struct forward *f, const struct deliver_recipient *original, struct submit_status *status)
{
	struct submit_end end = { 0 };

	return send_begin(f) && send_recipients(f, original) && send_content(f, original) &&
	    ipc_send(f->cleanup, &submit_end_message, &end, f->deadline) == IPC_OK &&
	    ipc_flush(f->cleanup, f->deadline) == IPC_OK &&
	    ipc_expect(f->cleanup, &submit_status_message, status, f->deadline) == IPC_OK;
}

struct outcome
forward_submit(
    struct delivery *d, const struct deliver_recipient *r, const struct forwarding *to)
{
	struct arena *a = &d->arena;
	struct forward f = { .d = d, .to = to, .deadline = clock_deadline(SUBMIT_TIME) };
	struct submit_status status;
	struct outcome o;

	queue_id_new(clock_wall(), f.id);
	f.cleanup = ipc_pool_take(local.cleanup, f.deadline, NULL);
	if (!f.cleanup)
		return outcome_make(a, DELIVER_DEFERRED, "4.3.0",
		    "cannot forward: cleanup is not available: %s", strerror(errno));
	if (conversation(&f, r, &status)) {
		o = status_outcome(&f, &status);
		ipc_pool_give(local.cleanup, &f.cleanup);
		return o;
	}
	ipc_free(&f.cleanup);
	if (f.damaged)
		return outcome_make(a, DELIVER_DEFERRED, "4.3.0",
		    "the queue file is damaged: its body has the wrong checksum");
	return outcome_make(
	    a, DELIVER_DEFERRED, "4.3.0", "cannot forward: lost the connection to cleanup");
}
