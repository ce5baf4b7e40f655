/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handing a message to cleanup: one burst and one round trip for a small one, which is whole in
 * here until its end. While it is, a kept connection that turns out dead is replaced. Then the
 * verdict becomes the reply; before that, what the end of data itself decides.
 */
#include "base/log.h"
#include "proto/submit.h"
#include "smtpd/content.h"

#define CLEANUP_WAIT  (600 * SECOND) /* no longer than this for its verdict */
#define CLEANUP_TRIES 3

void
handover_abort(struct content *c)
{
	struct submit_end end = { 0 };

	if (!c->cleanup)
		return;
	if (!c->failed &&
	    ipc_send(c->cleanup, &submit_abort_message, &end, clock_now()) == IPC_OK &&
	    ipc_flush(c->cleanup, clock_now()) == IPC_OK)
		ipc_pool_give(server.cleanup, &c->cleanup);
	else
		ipc_free(&c->cleanup);
}

static nanoseconds
cleanup_deadline(void)
{
	nanoseconds wait = server.v->ipc_timeout;

	return clock_deadline(wait < CLEANUP_WAIT ? wait : CLEANUP_WAIT);
}

static const char *
protocol_name(const struct session *s, const struct transaction *t)
{
	if (t->smtputf8)
		return "UTF8SMTP";
	return s->is_esmtp ? "ESMTP" : "SMTP";
}

/* Date and the like are added for clients of local_header_rewrite_clients only. */
static bool
client_is_author(const struct session *s)
{
	struct buf value = BUF_INIT(TABLE_VALUE_MAX);
	const char *why = NULL;
	bool found;

	if (s->is_local || (server.headers_for_own && s->peer.is_own) ||
	    (server.headers_for_mynetworks && s->peer.in_mynetworks == TABLE_FOUND))
		return true;
	if (!server.headers_for_tables)
		return false;
	found = table_list_find(server.headers_for_tables, view_of(s->peer.address), &value,
		    &why) == TABLE_FOUND;
	buf_done(&value);
	return found;
}

static enum ipc_result
send_begin(struct session *s, struct transaction *t, struct ipc *to, nanoseconds deadline)
{
	struct submit_begin begin = {
		.source = s->is_local ? SUBMIT_LOCAL : SUBMIT_SMTP,
		.queue_id = view_of(t->queue_id),
		.sender = t->sender_full,
		.smtputf8 = t->smtputf8,
		.is_8bit = t->is_8bit,
		.client_name = view_of(s->peer.name),
		.client_address = view_of(s->peer.address),
		.client_port = view_of(s->peer.port),
		.helo_name = view_of(s->helo ? s->helo : ""),
		.protocol_name = view_of(protocol_name(s, t)),
		.server_name = view_of(server.v->myhostname),
		.envelope_id = t->envelope_id,
		.dsn_ret = view_of(t->dsn_ret ? t->dsn_ret : ""),
		.verp = t->verp,
		.keep_missing_headers = !client_is_author(s),
	};

	return ipc_send(to, &submit_begin_message, &begin, deadline);
}

static enum ipc_result
send_envelope(struct session *s, struct transaction *t, struct ipc *to, nanoseconds deadline)
{
	enum ipc_result r = send_begin(s, t, to, deadline);

	for (struct recipient *p = t->recipients; p && r == IPC_OK; p = p->next) {
		struct submit_recipient recipient = {
			.address = p->address,
			.original = p->original,
			.dsn_orcpt = p->orcpt,
			.notify = p->notify,
		};

		r = ipc_send(to, &submit_recipient_message, &recipient, deadline);
	}
	return r;
}

static enum ipc_result
send_collected(struct content *c, nanoseconds deadline)
{
	struct view rest = buf_view(&c->out);
	enum ipc_result r = IPC_OK;

	while (rest.n && r == IPC_OK) {
		struct view piece = view_sub(rest, 0, IPC_DATA_MAX);

		r = ipc_send_data(c->cleanup, piece, deadline);
		rest = view_sub(rest, piece.n, rest.n);
	}
	return r;
}

static void
cleanup_lost(struct content *c, const char *what)
{
	log_warn("%s: %s", server.v->cleanup_service_name, what);
	c->failed = true;
	ipc_free(&c->cleanup);
}

void
handover_collected(struct session *s, struct content *c)
{
	nanoseconds deadline = cleanup_deadline();
	bool reused = true;

	for (int i = 0; !c->cleanup && reused && i < CLEANUP_TRIES; i++) {
		c->cleanup = ipc_pool_take(server.cleanup, deadline, &reused);
		if (!c->cleanup)
			break;
		if (send_envelope(s, s->transaction, c->cleanup, deadline) != IPC_OK ||
		    ipc_flush(c->cleanup, deadline) != IPC_OK)
			ipc_free(&c->cleanup);
	}
	if (!c->cleanup)
		cleanup_lost(c, "cannot connect");
	else if (send_collected(c, deadline) != IPC_OK)
		cleanup_lost(c, "connection lost while a message was sent");
	buf_clear(&c->out);
}

/* ---- the end ---- */

static bool
cleanup_ask(struct session *s, struct content *c, struct submit_status *status)
{
	nanoseconds deadline = cleanup_deadline();
	struct submit_end end = { s->transaction->hold };
	bool reused = false, is_whole = !c->cleanup;

	for (int i = 0; i < CLEANUP_TRIES && !c->failed; i++) {
		if (is_whole &&
		    !(c->cleanup = ipc_pool_take(server.cleanup, deadline, &reused)))
			break;
		if ((!is_whole ||
			send_envelope(s, s->transaction, c->cleanup, deadline) == IPC_OK) &&
		    send_collected(c, deadline) == IPC_OK) {
			if (ipc_send(c->cleanup, &submit_end_message, &end, deadline) ==
				IPC_OK &&
			    ipc_expect(c->cleanup, &submit_status_message, status, deadline) ==
				IPC_OK)
				return true;
			c->answer_lost = true;
		}
		ipc_free(&c->cleanup);
		if (!is_whole || !reused)
			break;
	}
	if (!c->failed)
		cleanup_lost(c, "no answer about a message");
	return false;
}

static enum outcome
answer_taken(struct session *s, struct transaction *t, bool is_bdat)
{
	s->errors = s->junk = s->overshoot = 0;
	if (is_bdat)
		reply(s, "250 2.0.0 Ok: %llu bytes queued as %s",
		    (unsigned long long)content_size(t->content), t->queue_id);
	else
		reply(s, "250 2.0.0 Ok: queued as %s", t->queue_id);
	transcript_forget(s);
	return DONE;
}

/* The verdicts other than OK, with what is said when cleanup gives no text. */
static const struct {
	enum submit_result result;
	int code;
	const char *dsn;
	const char *text;
} verdicts[] = {
	{ SUBMIT_RETRY, 451, "4.3.0", "Error: queue file write error" },
	{ SUBMIT_FULL, 452, "4.3.1", "Insufficient system storage" },
	{ SUBMIT_TOO_BIG, 552, "5.3.4", "Error: message file too big" },
	{ SUBMIT_REJECT, 550, "5.7.1", "Error: content rejected" },
	{ SUBMIT_LOOP, 554, "5.4.0", "Error: too many hops" },
};

static enum outcome
answer_refused(struct session *s, const struct submit_status *status)
{
	char class_digit;
	size_t i = 0;

	while (i < ARRAY_LEN(verdicts) - 1 && verdicts[i].result != status->result)
		i++;
	if (verdicts[i].result != status->result)
		i = 0; /* a verdict that we do not know: the client tries again */
	class_digit = (char)('0' + verdicts[i].code / 100);
	if (status->dsn.n && status->dsn.p[0] == class_digit && status->text.n)
		reply(s, "%d %.*s %.*s", verdicts[i].code, VIEW_ARG(status->dsn),
		    VIEW_ARG(status->text));
	else
		reply(s, "%d %s %s", verdicts[i].code, verdicts[i].dsn, verdicts[i].text);
	return REFUSED;
}

/*
 * All of the message was handed over, and cleanup went away without a word: it may be on disk.
 * A refusal would be a lie if it is, so the session ends, and the client tries again as after
 * any lost connection.
 */
static enum outcome
answer_unknown(struct session *s)
{
	reply(s, "421 4.3.0 %s Error: lost the queue while it took the message",
	    server.v->myhostname);
	s->closing = true;
	return REFUSED;
}

/*
 * A stray CR near a line end is where servers disagree about the end of data. We go by CRLF "."
 * CRLF alone; but what follows such a message in the same packet may be meant as a part of it
 * by the client, or by a server before us, and so is not run as commands.
 */
static void
distrust_stray_cr(struct session *s, const struct content *c)
{
	if (!c->is_bdat && !s->is_local && (c->decoder.notes & DATA_BARE_CR))
		s->closing = true;
}

static bool
is_refused_for_newlines(const struct session *s, const struct content *c)
{
	unsigned notes = content_notes(c);

	if (s->bare_newline != BARE_REJECT)
		return false;
	return (notes & DATA_BARE_LF) || (!c->is_bdat && (notes & DATA_BARE_CR));
}

static enum outcome
refuse_newlines(struct session *s, const char *what)
{
	struct buf context = BUF_INIT(LOG_LINE_MAX);
	struct recipient *first = s->transaction->recipients;

	session_log_context(s, first->address, s->transaction->recipient_count == 1, &context);
	log_info("%s: reject: %s from %s: bare <%s> received%s", session_queue_id(s), s->where,
	    s->peer.label, what, buf_str(&context));
	buf_done(&context);
	reply(s, "%d 5.5.2 %s Error: bare <%s> received",
	    server.v->smtpd_forbid_bare_newline_reject_code, server.v->myhostname, what);
	s->closing = true; /* its idea of where the message ended may be another one */
	return REFUSED;
}

/* pickup gives each message an id of its own, and says so. */
static void
queue_id_adopt(struct transaction *t, struct view text)
{
	static const struct view prefix = { "queued as ", 10 };
	struct view id = view_sub(text, prefix.n, text.n);

	if (!view_has_prefix(text, prefix) || !queue_id_is_valid(id))
		return;
	memcpy(t->queue_id, id.p, id.n);
	t->queue_id[id.n] = '\0';
}

static enum outcome
content_submit(struct session *s, struct transaction *t, bool is_bdat)
{
	struct content *c = t->content;
	struct submit_status status = { .result = SUBMIT_RETRY };
	bool answered = cleanup_ask(s, c, &status);

	if (answered) {
		status.dsn = arena_view(&s->arena, status.dsn);
		status.text = arena_view(&s->arena, status.text);
		ipc_pool_give(server.cleanup, &c->cleanup);
	}
	s->deadline = clock_deadline(server.v->smtpd_timeout);
	if (s->is_local)
		queue_id_adopt(t, status.text);
	if (answered && (status.result == SUBMIT_OK || status.result == SUBMIT_DISCARD))
		return answer_taken(s, t, is_bdat);
	if (c->answer_lost)
		return answer_unknown(s);
	return answer_refused(s, &status);
}

enum outcome
content_finish(struct session *s, struct transaction *t, bool is_bdat)
{
	struct content *c = t->content;
	const char *refused;

	if (is_bdat)
		line_normalizer_end(&c->normalizer, &c->out);
	s->deadline = clock_deadline(server.v->smtpd_timeout);
	s->where = "END-OF-MESSAGE";
	if (content_notes(c) & DATA_BARE_LF)
		s->bare_newline_seen = true;
	if (is_refused_for_newlines(s, c))
		return refuse_newlines(s, content_notes(c) & DATA_BARE_LF ? "LF" : "CR");
	distrust_stray_cr(s, c);
	if (c->too_big) {
		reply(s, "552 5.3.4 Error: message file too big");
		return REFUSED;
	}
	refused = access_end_of_data(s);
	if (refused) {
		reply_refusal(s, refused);
		return REFUSED;
	}
	if (t->discard)
		return answer_taken(s, t, is_bdat);
	return content_submit(s, t, is_bdat);
}
