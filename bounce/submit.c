/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report on its way through cleanup. It is built while it is sent, so that one for many
 * recipients takes no memory of its own. A kept connection that turns out dead is replaced once
 * by a new one, under another queue id: should the first have been taken after all, the sender
 * is told twice.
 */
#include <errno.h>
#include <string.h>

#include "bounce/bounce.h"
#include "proto/submit.h"

struct channel {
	struct ipc *cleanup;
	nanoseconds deadline;
};

static bool
send_piece(void *context, struct view piece)
{
	struct channel *c = context;

	while (piece.n) {
		struct view frame = view_sub(piece, 0, IPC_DATA_MAX);

		if (ipc_send_data(c->cleanup, frame, c->deadline) != IPC_OK)
			return false;
		piece = view_sub(piece, frame.n, piece.n);
	}
	return true;
}

static bool
send_envelope(struct channel *c, const struct submission *s)
{
	struct submit_begin begin = {
		.source = SUBMIT_NOTICE,
		.queue_id = s->report->id,
		.sender = s->sender,
		.smtputf8 = s->report->utf8,
		.is_8bit = report_has_8bit(s->report),
		.server_name = view_of(bounce.conf->myhostname),
	};
	struct submit_recipient to = { .address = s->report->to };

	return ipc_send(c->cleanup, &submit_begin_message, &begin, c->deadline) == IPC_OK &&
	    ipc_send(c->cleanup, &submit_recipient_message, &to, c->deadline) == IPC_OK;
}

static bool
send_report(struct channel *c, struct submission *s, const char **why)
{
	struct report_out out;
	bool ok;

	report_out_init(&out, send_piece, c);
	report_begin(&out, s->report);
	ok = original_write(s->notice, s->report, &out, why);
	report_end(&out, s->report);
	ok = ok && !out.failed;
	report_out_done(&out);
	return ok;
}

/* False: the connection is of no more use; *why is left alone when it was the connection. */
static bool
conversation(
    struct channel *c, struct submission *s, struct submit_status *status, const char **why)
{
	struct submit_end end = { 0 };

	return send_envelope(c, s) && send_report(c, s, why) &&
	    ipc_send(c->cleanup, &submit_end_message, &end, c->deadline) == IPC_OK &&
	    ipc_flush(c->cleanup, c->deadline) == IPC_OK &&
	    ipc_expect(c->cleanup, &submit_status_message, status, c->deadline) == IPC_OK;
}

static bool
is_accepted(struct submission *s, const struct submit_status *status, const char **why)
{
	if (status->result == SUBMIT_OK || status->result == SUBMIT_DISCARD)
		return true;
	*why = arena_printf(
	    &s->notice->arena, "cleanup refused the notice: %.*s", VIEW_ARG(status->text));
	return false;
}

bool
submit(struct submission *s, const char **why)
{
	struct channel c = { .deadline = s->notice->deadline };
	struct submit_status status;
	bool reused = true;

	while (reused) {
		queue_id_new(clock_wall(), s->id);
		s->report->id = view_of(s->id);
		*why = NULL;
		c.cleanup = ipc_pool_take(bounce.cleanup, c.deadline, &reused);
		if (!c.cleanup) {
			*why = arena_printf(
			    &s->notice->arena, "cleanup is not available: %s", strerror(errno));
			return false;
		}
		if (conversation(&c, s, &status, why)) {
			bool ok = is_accepted(s, &status, why);

			ipc_pool_give(bounce.cleanup, &c.cleanup);
			return ok;
		}
		ipc_free(&c.cleanup);
		if (*why)
			return false;
	}
	*why = "lost the connection to cleanup";
	return false;
}
