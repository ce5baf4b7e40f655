/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One task per connection: a question, its answer, the next question. Whoever wants several
 * answers at one time has several connections. A question has the time that the asking side
 * gives it, at most resolver_timeout.
 */
#include "base/log.h"
#include "dns/packet.h"
#include "dns/proto.h"
#include "resolver/resolver.h"
#include "service/service.h"

#define IDLE_MAX   (300 * SECOND)
#define ANSWER_MAX (60 * SECOND) /* until the peer has taken it */
#define TIME_MAX   (1000000)     /* milliseconds, so that nothing overflows */

static nanoseconds
deadline_of(const struct resolver_ask *question)
{
	uint64_t ms = question->timeout < TIME_MAX ? question->timeout : TIME_MAX;
	nanoseconds wanted = (nanoseconds)ms * MILLISECOND;
	nanoseconds most = service_values()->resolver_timeout;

	return clock_deadline(wanted < most ? wanted : most);
}

static enum ipc_result
reply_send(struct ipc *connection, const struct dns_answer *answer)
{
	nanoseconds deadline = clock_deadline(ANSWER_MAX);
	struct resolver_answer reply = {
		.result = answer->result,
		.count = answer->result == DNS_FOUND ? answer->count : 0,
		.secure = answer->secure,
		.bogus = answer->bogus,
		.name = answer->name,
		.why = view_of(answer->why),
	};
	struct resolver_record record;
	enum ipc_result result;

	result = ipc_send(connection, &resolver_answer_message, &reply, deadline);
	for (size_t i = 0; i < reply.count && result == IPC_OK; i++) {
		resolver_record_encode(&answer->records[i], &record);
		result = ipc_send(connection, &resolver_record_message, &record, deadline);
	}
	return result == IPC_OK ? ipc_flush(connection, deadline) : result;
}

static enum ipc_result
answer(struct ipc *connection, const struct resolver_ask *question)
{
	struct arena arena = ARENA_INIT;
	struct dns_answer out;
	struct dns_name name;
	enum ipc_result result = IPC_EOF;

	if (!dns_type_is_known(question->type) || question->name.n > DNS_NAME_MAX ||
	    !dns_name_from_text(question->name.n ? question->name : VIEW("."), &name)) {
		log_warn("a question that is none: \"%.*s\"", VIEW_ARG(question->name));
		return IPC_EOF;
	}
	if (resolver_answer(&name, (enum dns_type)question->type, question->native, &arena,
		&out, deadline_of(question)))
		result = reply_send(connection, &out);
	arena_reset(&arena);
	return result;
}

static enum ipc_result
question_receive(struct ipc *connection, struct resolver_ask *question)
{
	struct ipc_frame frame;
	enum ipc_result result = ipc_receive(connection, &frame, clock_deadline(IDLE_MAX));

	if (result != IPC_OK)
		return result;
	if (!ipc_frame_is(&frame, &resolver_ask_message)) {
		log_warn("unexpected message \"%.*s\"", VIEW_ARG(frame.message));
		return IPC_EOF;
	}
	return ipc_frame_decode(connection, &frame, &resolver_ask_message, question)
	    ? IPC_OK
	    : IPC_PROTOCOL;
}

void
resolver_serve(struct ipc *connection, resolver_idle_fn *idle, void *context)
{
	struct resolver_ask question;
	enum ipc_result result;

	do {
		idle(context, true);
		result = question_receive(connection, &question);
		idle(context, false);
		if (result == IPC_OK && resolver_files_changed())
			service_finish(); /* the successor answers this one, too */
		if (result == IPC_OK && service_is_finishing())
			break;
		if (result == IPC_OK)
			result = answer(connection, &question);
	} while (result == IPC_OK);
	if (result == IPC_PROTOCOL)
		log_warn("unexpected request: %s", ipc_why(connection));
}
