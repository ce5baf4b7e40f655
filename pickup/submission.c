/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One message from begin to verdict. What the client says is checked and goes on to cleanup as
 * it comes; the content passes the line normalizer, so that nobody on this host can make a
 * message with bare line ends. After a refusal the rest is read and dropped, and the verdict is
 * told at the end.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "mail/address.h"
#include "pickup/pickup.h"
#include "queue/queue_file.h"

#define SUBMISSION_TIME (600 * SECOND)
#define RECIPIENTS_MAX  100000
/* Longer content has longer time: a second for each of these. */
#define BYTES_A_SECOND 100000

struct request_message {
	const struct ipc_message *message;
	enum submission_step (*take)(struct submission *s, const struct ipc_frame *frame);
};

void
submission_init(struct submission *s, uid_t uid)
{
	*s = (struct submission){
		.uid = uid, .result = SUBMIT_OK, .deadline = clock_deadline(SUBMISSION_TIME)
	};
	buf_init(&s->out, 2 * IPC_DATA_MAX + 4);
	line_normalizer_init(&s->normalizer);
}

void
submission_done(struct submission *s)
{
	ipc_free(&s->cleanup);
	buf_done(&s->out);
	arena_reset(&s->arena);
}

static void
refuse(struct submission *s, enum submit_result result, const char *dsn, const char *text)
{
	if (s->result != SUBMIT_OK)
		return;
	s->result = result;
	s->dsn = view_of(dsn);
	s->text = view_of(text);
	ipc_free(&s->cleanup);
}

/* cleanup went away, or does not answer: the client tries another way. */
static void
cleanup_lost(struct submission *s, const char *what, const char *why)
{
	if (s->result == SUBMIT_OK)
		log_warn("%s: %s: %s", s->id, what, why);
	refuse(s, SUBMIT_RETRY, "4.3.0", "mail system is not available");
}

static void
sent(struct submission *s, enum ipc_result result)
{
	if (result != IPC_OK)
		cleanup_lost(s, "lost connection with cleanup", ipc_why(s->cleanup));
}

static bool
may_submit(struct submission *s)
{
	struct buf name = BUF_INIT(TABLE_VALUE_MAX);
	const char *why = "";
	enum table_result result = authorize_uid(pickup.submitters, s->uid, &name, &why);

	if (result == TABLE_CANNOT_TELL) {
		log_warn("%s: authorized_submit_users: %s", s->id, why);
		refuse(s, SUBMIT_RETRY, "4.3.0", "user database is not available");
	} else if (result == TABLE_NOT_FOUND) {
		log_warn("%s: uid=%ld: User %s(%ld) is not allowed to submit mail", s->id,
		    (long)s->uid, buf_str(&name), (long)s->uid);
		refuse(s, SUBMIT_REJECT, "5.7.0",
		    arena_printf(&s->arena, "User %s(%ld) is not allowed to submit mail",
			buf_str(&name), (long)s->uid));
	}
	buf_done(&name);
	return result == TABLE_FOUND;
}

static void
log_begin(const struct submission *s, struct view sender)
{
	struct buf text = BUF_INIT(4 * ADDRESS_MAX);

	address_quote(&text, sender);
	log_info("%s: uid=%ld from=<%s>", s->id, (long)s->uid, buf_str(&text));
	buf_done(&text);
}

static enum submission_step
take_begin(struct submission *s, const struct ipc_frame *frame)
{
	struct submit_begin given, begin;
	const char *why = "";

	if (s->begun ||
	    !ipc_decode(&submit_begin_message, frame->payload, NULL, 0, &given, &why))
		return SUBMISSION_WRONG;
	s->begun = true;
	queue_id_new(clock_wall(), s->id);
	if (!begin_check(s, &given, &begin, &why)) {
		log_warn("%s: uid=%ld: refused: %s", s->id, (long)s->uid, why);
		refuse(s, SUBMIT_REJECT, "5.1.3", why);
		return SUBMISSION_MORE;
	}
	/* Before the first wait: what was given lives in the frame, which stays. */
	if (!may_submit(s))
		return SUBMISSION_MORE;
	log_begin(s, begin.sender);
	s->cleanup = ipc_connect(pickup.cleanup_path, s->deadline);
	if (!s->cleanup) {
		s->cleanup_away = true;
		cleanup_lost(s, "connect to cleanup", strerror(errno));
		return SUBMISSION_MORE;
	}
	sent(s, ipc_send(s->cleanup, &submit_begin_message, &begin, s->deadline));
	return SUBMISSION_MORE;
}

static enum submission_step
take_recipient(struct submission *s, const struct ipc_frame *frame)
{
	struct submit_recipient given, recipient;
	const char *why = "";

	if (!s->begun ||
	    !ipc_decode(&submit_recipient_message, frame->payload, NULL, 0, &given, &why))
		return SUBMISSION_WRONG;
	if (s->result != SUBMIT_OK)
		return SUBMISSION_MORE;
	if (!recipient_check(&given, &recipient, &why)) {
		log_warn("%s: uid=%ld: refused: %s", s->id, (long)s->uid, why);
		refuse(s, SUBMIT_REJECT, "5.1.3", why);
	} else if (++s->recipients > RECIPIENTS_MAX) {
		log_warn("%s: uid=%ld: refused: too many recipients", s->id, (long)s->uid);
		refuse(s, SUBMIT_REJECT, "5.5.3", "too many recipients");
	} else {
		sent(s,
		    ipc_send(s->cleanup, &submit_recipient_message, &recipient, s->deadline));
	}
	return SUBMISSION_MORE;
}

static void
content_pass(struct submission *s)
{
	struct view rest = buf_view(&s->out);

	while (rest.n && s->result == SUBMIT_OK) {
		struct view piece = view_sub(rest, 0, IPC_DATA_MAX);

		sent(s, ipc_send_data(s->cleanup, piece, s->deadline));
		rest = view_sub(rest, piece.n, rest.n);
	}
	buf_clear(&s->out);
}

static enum submission_step
take_data(struct submission *s, struct view bytes)
{
	if (!s->begun)
		return SUBMISSION_WRONG;
	if (s->result != SUBMIT_OK)
		return SUBMISSION_MORE;
	s->deadline += (nanoseconds)bytes.n * (SECOND / BYTES_A_SECOND);
	line_normalizer_feed(&s->normalizer, bytes, &s->out);
	content_pass(s);
	return SUBMISSION_MORE;
}

static enum submission_step
take_end(struct submission *s, const struct ipc_frame *frame)
{
	(void)frame;
	return s->begun ? SUBMISSION_ANSWER : SUBMISSION_WRONG;
}

static enum submission_step
take_abort(struct submission *s, const struct ipc_frame *frame)
{
	(void)frame;
	return s->begun ? SUBMISSION_ABORTED : SUBMISSION_WRONG;
}

enum submission_step
submission_frame(struct submission *s, const struct ipc_frame *frame)
{
	static const struct request_message rows[] = {
		{ &submit_begin_message, take_begin },
		{ &submit_recipient_message, take_recipient },
		{ &submit_end_message, take_end },
		{ &submit_abort_message, take_abort },
	};

	if (frame->data.n)
		return take_data(s, frame->data);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (ipc_frame_is(frame, rows[i].message))
			return rows[i].take(s, frame);
	}
	return SUBMISSION_WRONG;
}

static void
ask_verdict(struct submission *s, struct submit_status *status)
{
	struct submit_end end = { 0 };

	line_normalizer_end(&s->normalizer, &s->out);
	content_pass(s);
	if (s->result == SUBMIT_OK)
		sent(s, ipc_send(s->cleanup, &submit_end_message, &end, s->deadline));
	if (s->result == SUBMIT_OK)
		sent(s, ipc_expect(s->cleanup, &submit_status_message, status, s->deadline));
}

void
submission_end(struct submission *s, struct submit_status *status)
{
	*status = (struct submit_status){ 0 };
	if (s->result == SUBMIT_OK)
		ask_verdict(s, status);
	if (s->result != SUBMIT_OK) {
		*status = (struct submit_status){
			.result = s->result, .dsn = s->dsn, .text = s->text
		};
	} else if (status->result == SUBMIT_OK && status->text.n == 0) {
		status->text = view_of(arena_printf(&s->arena, "queued as %s", s->id));
	} else if (status->result != SUBMIT_OK && status->result != SUBMIT_DISCARD) {
		log_warn("%s: uid=%ld: not accepted: %.*s", s->id, (long)s->uid,
		    VIEW_ARG(status->text));
	}
}
