/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One task per connection, which is one process that asks. Its questions are answered in a row,
 * and the answers leave together when no further question is waiting. What it had open ends
 * with the connection, however that ends.
 */
#include "anvil/anvil.h"
#include "base/log.h"

#define CLIENTS_MAX     50000 /* some 15 MB, when there are as many */
#define CLIENTS_OF_PEER (CLIENTS_MAX / 4)
#define ANSWER_MAX      (10 * SECOND) /* until the peer has taken it */
#define IDENT_MAX       (ANVIL_SERVICE_MAX + 1 + ANVIL_CLIENT_MAX)

static struct counters *counters;

void
server_open(nanoseconds time_unit)
{
	counters = counters_new(CLIENTS_MAX, time_unit);
}

void
server_close(void)
{
	counters_free(&counters);
}

static bool
make_ident(struct view service, struct view client, struct buf *out)
{
	buf_clear(out);
	return service.n > 0 && service.n <= ANVIL_SERVICE_MAX && client.n > 0 &&
	    client.n <= ANVIL_CLIENT_MAX && buf_append_view(out, service) &&
	    buf_append_char(out, ':') && buf_append_view(out, client);
}

static enum ipc_result
answer(struct ipc *connection, enum anvil_kind kind, struct view ident)
{
	struct anvil_counts counts = counters_event(counters, ident, kind, clock_now());

	statistics_note_rate(kind, counts.rate, ident);
	if (kind == ANVIL_CONNECTION)
		statistics_note_connections(counts.connections, ident);
	statistics_note_size(counters_count(counters));
	return ipc_send(connection, &anvil_counts_message, &counts, clock_deadline(ANSWER_MAX));
}

static enum ipc_result
take_client(struct ipc *connection, const struct ipc_frame *frame, struct holder *h,
    bool is_connect, struct buf *ident)
{
	const struct ipc_message *m =
	    is_connect ? &anvil_connect_message : &anvil_state_message;
	struct anvil_client question;

	if (!ipc_frame_decode(connection, frame, m, &question) ||
	    question.open > ANVIL_OPEN_MAX ||
	    !make_ident(question.service, question.client, ident))
		return IPC_PROTOCOL;
	(void)holder_set(h, buf_view(ident), question.open, clock_now());
	return is_connect ? answer(connection, ANVIL_CONNECTION, buf_view(ident)) : IPC_OK;
}

static enum ipc_result
take_event(struct ipc *connection, const struct ipc_frame *frame, struct buf *ident)
{
	struct anvil_event question;

	if (!ipc_frame_decode(connection, frame, &anvil_event_message, &question) ||
	    question.kind == ANVIL_CONNECTION || question.kind >= ANVIL_KIND_COUNT ||
	    !make_ident(question.service, question.client, ident))
		return IPC_PROTOCOL;
	return answer(connection, (enum anvil_kind)question.kind, buf_view(ident));
}

static enum ipc_result
take(struct ipc *connection, const struct ipc_frame *frame, struct holder *h, struct buf *ident)
{
	if (ipc_frame_is(frame, &anvil_connect_message))
		return take_client(connection, frame, h, true, ident);
	if (ipc_frame_is(frame, &anvil_state_message))
		return take_client(connection, frame, h, false, ident);
	if (ipc_frame_is(frame, &anvil_event_message))
		return take_event(connection, frame, ident);
	return IPC_PROTOCOL;
}

void
server_serve(struct ipc *connection, server_idle_fn *idle, void *context)
{
	struct holder *h = holder_new(counters, CLIENTS_OF_PEER);
	struct buf ident = BUF_INIT(IDENT_MAX);
	struct ipc_frame frame;
	enum ipc_result result;

	do {
		idle(context, true);
		result = ipc_receive(connection, &frame, DEADLINE_NEVER);
		idle(context, false);
		if (result == IPC_OK)
			result = take(connection, &frame, h, &ident);
	} while (result == IPC_OK);
	if (result == IPC_PROTOCOL)
		log_warn("unexpected request: %s", ipc_why(connection));
	holder_free(&h, clock_now());
	buf_done(&ident);
}
