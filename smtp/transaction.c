/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One message over one session: RSET when the last one was left open, MAIL, RCPT for everybody
 * who is left, DATA, the content, and the replies to all of it.
 *
 * The commands are steps in order, sent as far ahead of their replies as the window allows. A
 * row per kind of step says how it is printed, how long its reply may take, and what the reply
 * means. When the transaction has failed no more steps are sent, but the replies to those that
 * were are read, so that the session stays usable.
 */
#include <assert.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "smtp/client.h"
#include "smtp/window.h"

struct transaction {
	struct delivery *d;
	struct session *s;
	struct window window;
	struct buf out;
	size_t *rcpts; /* indices of those to be sent, in the arena */
	size_t rcpt_count;
	size_t sent, replied; /* steps */
	size_t accepted;
	bool resets; /* the first step is RSET */
	struct content_plan plan;
	struct buf xforward; /* commands, each with its end */
	size_t xforward_count;
	bool failed;       /* send no more steps */
	bool data_is_open; /* 354 was said */
	bool is_stale;
};

enum step_kind { STEP_RSET, STEP_XFORWARD, STEP_MAIL, STEP_RCPT, STEP_DATA };

struct step {
	enum step_kind kind;
	size_t rcpt; /* index */
};

/* DATA is no step when the content goes by BDAT. */
static size_t
step_count(const struct transaction *t)
{
	return (size_t)t->resets + t->xforward_count + 1 + t->rcpt_count + !t->plan.by_bdat;
}

static struct step
step_at(const struct transaction *t, size_t i)
{
	if (t->resets && i-- == 0)
		return (struct step){ STEP_RSET, 0 };
	if (i < t->xforward_count)
		return (struct step){ STEP_XFORWARD, 0 };
	i -= t->xforward_count;
	if (i == 0)
		return (struct step){ STEP_MAIL, 0 };
	if (i <= t->rcpt_count)
		return (struct step){ STEP_RCPT, t->rcpts[i - 1] };
	return (struct step){ STEP_DATA, 0 };
}

/* ---- what replies mean ---- */

static void
everybody_failed(struct transaction *t, const struct problem *p)
{
	delivery_fail(t->d, p);
	t->failed = true;
	t->accepted = 0;
}

/* Each has yes, of the expected class, or is told no; rcpt is the index of a recipient. */

static void
rset_reply(struct transaction *t, bool yes, size_t rcpt)
{
	(void)rcpt;
	t->s->needs_reset = !yes;
}

/* What we say of the client is of use to the server, not to us. */
static void
xforward_reply(struct transaction *t, bool yes, size_t rcpt)
{
	struct buf text = BUF_INIT(SERVER_REPLY_SHOWN_MAX + 1);

	(void)rcpt;
	if (!yes) {
		server_reply_print(&t->s->reply, &text);
		log_warn("%.*s: host %s said: %s (in reply to XFORWARD command)",
		    VIEW_ARG(t->d->job->request.queue_id), t->s->namaddr, buf_str(&text));
	}
	buf_done(&text);
}

static void
mail_reply(struct transaction *t, bool yes, size_t rcpt)
{
	(void)rcpt;
	if (yes)
		t->s->needs_reset = true;
	else
		everybody_failed(t, problem_of_reply(t->d, t->s, "MAIL FROM command"));
}

static void
rcpt_reply(struct transaction *t, bool yes, size_t rcpt)
{
	if (t->failed)
		return;
	if (yes) {
		t->d->rcpts[rcpt].state = RCPT_ACCEPTED;
		t->accepted++;
	} else {
		recipient_fail(t->d, rcpt, problem_of_reply(t->d, t->s, "RCPT TO command"));
	}
}

static void
data_reply(struct transaction *t, bool yes, size_t rcpt)
{
	(void)rcpt;
	if (yes)
		t->data_is_open = true;
	else if (t->accepted > 0)
		everybody_failed(t, problem_of_reply(t->d, t->s, "DATA command"));
}

static const struct {
	const char *doing;
	const char *command;
	size_t timeout; /* in struct client_options */
	int expected;   /* class of a "yes"; 4 and 5 are always possible */
	void (*take)(struct transaction *t, bool yes, size_t rcpt);
} steps[] = {
	[STEP_RSET] = { "sending RSET", "RSET command",
	    offsetof(struct client_options, rset_timeout), 2, rset_reply },
	[STEP_XFORWARD] = { "sending XFORWARD", "XFORWARD command",
	    offsetof(struct client_options, xforward_timeout), 2, xforward_reply },
	[STEP_MAIL] = { "sending MAIL FROM", "MAIL FROM command",
	    offsetof(struct client_options, mail_timeout), 2, mail_reply },
	[STEP_RCPT] = { "sending RCPT TO", "RCPT TO command",
	    offsetof(struct client_options, rcpt_timeout), 2, rcpt_reply },
	[STEP_DATA] = { "sending DATA command", "DATA command",
	    offsetof(struct client_options, data_init_timeout), 3, data_reply },
};

static nanoseconds
step_timeout(enum step_kind kind)
{
	nanoseconds timeout;

	memcpy(&timeout, (const char *)&client.options + steps[kind].timeout, sizeof(timeout));
	return timeout;
}

/* ---- commands ---- */

/* The next line of what was prepared. */
static void
xforward_print(struct transaction *t, struct buf *out)
{
	struct view all = buf_view(&t->xforward);
	size_t skip = t->sent - t->resets;

	while (skip-- > 0)
		all = view_sub(all, view_find(all, '\n') + 1, all.n);
	buf_append_view(out, view_sub(all, 0, view_find(all, '\n') + 1));
}

static void
step_print(struct transaction *t, const struct step *step, struct buf *out)
{
	switch (step->kind) {
	case STEP_RSET:
		buf_append_str(out, "RSET\r\n");
		break;
	case STEP_XFORWARD:
		xforward_print(t, out);
		break;
	case STEP_MAIL:
		command_mail(out, t->d, t->s);
		break;
	case STEP_RCPT:
		command_rcpt(out, t->d, t->s, step->rcpt);
		break;
	case STEP_DATA:
		buf_append_str(out, "DATA\r\n");
		break;
	}
}

/* Appends what the window takes to the output. */
static void
steps_print(struct transaction *t)
{
	while (!t->failed && t->sent < step_count(t)) {
		struct step step = step_at(t, t->sent);
		size_t start = t->out.len;

		if (step.kind == STEP_DATA && t->window.count == 0 && t->accepted == 0) {
			t->failed = true;
			break;
		}
		step_print(t, &step, &t->out);
		assert(!t->out.overflow);
		if (!window_has_room(&t->window, t->out.len - start)) {
			buf_truncate(&t->out, start);
			break;
		}
		window_sent(&t->window, t->out.len - start);
		t->sent++;
	}
}

/* A kept connection that was closed while it was idle has answered nothing. */
static bool
is_stale(const struct transaction *t)
{
	return t->replied == 0 && t->s->uses > 1;
}

/* The conversation is over, at this step. */
static void
lost(struct transaction *t, enum stream_result result, enum step_kind kind)
{
	t->s->is_broken = true;
	if (is_stale(t))
		t->is_stale = true;
	else
		everybody_failed(t, problem_of_stream(t->d, t->s, result, steps[kind].doing));
}

static void
steps_send(struct transaction *t)
{
	enum step_kind next = step_at(t, t->sent).kind;
	enum stream_result result;

	steps_print(t);
	if (t->out.len == 0)
		return;
	result = chat_write(t->s, buf_view(&t->out), step_timeout(next));
	buf_clear(&t->out);
	if (result != STREAM_OK)
		lost(t, result, next);
}

static void
reply_take(struct transaction *t)
{
	struct step step = step_at(t, t->replied);
	enum stream_result result = chat_read(t->s, step_timeout(step.kind));
	int class_digit = server_reply_class(&t->s->reply);
	bool yes = class_digit == steps[step.kind].expected;

	if (result == STREAM_OK && class_digit < 4 && !yes)
		result = STREAM_TOO_LONG;
	/* A kept session that cannot begin anew is as good as closed. */
	if (result == STREAM_OK && is_stale(t) &&
	    (t->s->reply.code == 421 || (step.kind == STEP_RSET && !yes)))
		result = STREAM_EOF;
	if (result != STREAM_OK) {
		lost(t, result, step.kind);
		return;
	}
	t->replied++;
	window_replied(&t->window);
	steps[step.kind].take(t, yes, step.rcpt);
	/* 421: the server is about to close. */
	if (t->s->is_broken && !t->failed)
		everybody_failed(t, problem_of_reply(t->d, t->s, steps[step.kind].command));
}

static void
steps_run(struct transaction *t)
{
	do {
		if (window_wants_more(&t->window))
			steps_send(t);
		if (t->window.count > 0 && !t->s->is_broken)
			reply_take(t);
	} while (!t->s->is_broken &&
	    (t->window.count > 0 || (!t->failed && t->sent < step_count(t))));
}

/* ---- the message ---- */

static void
accepted_fail(struct transaction *t, const struct problem *p)
{
	for (size_t i = 0; i < t->rcpt_count; i++)
		if (t->d->rcpts[t->rcpts[i]].state == RCPT_ACCEPTED)
			recipient_fail(t->d, t->rcpts[i], p);
}

/* False: what the server thinks of the message is not known. */
static bool
final_reply(struct transaction *t)
{
	enum stream_result result = chat_read(t->s, client.options.data_done_timeout);
	struct problem *p;

	if (result == STREAM_OK && server_reply_class(&t->s->reply) != 3)
		return true;
	p = problem_of_stream(t->d, t->s, result == STREAM_OK ? STREAM_TOO_LONG : result,
	    "sending end of data -- message may be sent more than once");
	p->is_final = true;
	accepted_fail(t, p);
	return false;
}

static void
recipient_final(struct transaction *t, size_t rcpt)
{
	if (server_reply_class(&t->s->reply) == 2)
		recipient_sent(t->d, t->s, rcpt);
	else
		recipient_fail(t->d, rcpt, problem_of_reply(t->d, t->s, "end of DATA command"));
}

/* One reply for all; with LMTP one for each recipient that was accepted. */
static void
final_replies(struct transaction *t)
{
	bool known = client.options.is_lmtp || final_reply(t);

	for (size_t i = 0; i < t->rcpt_count && known; i++) {
		if (t->d->rcpts[t->rcpts[i]].state != RCPT_ACCEPTED)
			continue;
		if (client.options.is_lmtp)
			known = final_reply(t);
		if (known)
			recipient_final(t, t->rcpts[i]);
	}
	t->s->needs_reset = false;
}

/* 354 came, though nobody is there to get the message: one dot ends it (RFC 2920 3.1). */
static void
empty_message(struct transaction *t)
{
	if (chat_write(t->s, VIEW(".\r\n"), client.options.data_xfer_timeout) == STREAM_OK &&
	    chat_read(t->s, client.options.data_done_timeout) == STREAM_OK)
		t->s->needs_reset = false;
}

static void
message_send(struct transaction *t)
{
	struct problem *p = content_send(t->d, t->s, &t->plan);

	if (p) {
		t->s->is_broken = true;
		accepted_fail(t, p);
	} else {
		final_replies(t);
	}
}

/* ---- the whole ---- */

/* What this server cannot take is found out before it is asked. */
static struct problem *
cannot_take(struct transaction *t)
{
	const struct ehlo *e = &t->s->ehlo;
	uint64_t size = delivery_size(t->d);

	if (e->size > 0 && size > e->size)
		return problem_new(t->d, t->s, "5.3.4",
		    "message size %llu exceeds size limit %llu of server %s",
		    (unsigned long long)size, (unsigned long long)e->size, t->s->namaddr);
	if (!(e->features & EHLO_SMTPUTF8) && command_needs_utf8(t->d))
		return problem_new(t->d, t->s, "5.6.7",
		    "SMTPUTF8 is required, but was not offered by host %s", t->s->namaddr);
	return NULL;
}

static void
rcpts_collect(struct transaction *t)
{
	struct delivery *d = t->d;

	t->rcpts = arena_alloc(&d->arena, d->left * sizeof(size_t));
	for (size_t i = 0; i < d->job->count; i++)
		if (d->rcpts[i].state != RCPT_DONE)
			t->rcpts[t->rcpt_count++] = i;
}

static void
prepare(struct transaction *t)
{
	const struct ehlo *e = &t->s->ehlo;

	buf_init(&t->out, 4 * WINDOW_BYTES);
	buf_init(&t->xforward, WINDOW_BYTES);
	window_init(&t->window, e->features & EHLO_PIPELINING);
	t->plan = content_plan(t->d, t->s);
	if (client.options.send_xforward_command && e->xforward)
		command_xforward(&t->xforward, t->d, t->s, &t->xforward_count);
	rcpts_collect(t);
}

static void
converse(struct transaction *t)
{
	steps_run(t);
	if (t->s->is_broken)
		return;
	if (t->accepted > 0 && (t->data_is_open || t->plan.by_bdat))
		message_send(t);
	else if (t->data_is_open)
		empty_message(t);
}

enum transaction_result
transaction_run(struct delivery *d, struct session *s)
{
	struct transaction t = { .d = d, .s = s, .resets = s->needs_reset };
	struct problem *p;

	s->uses++;
	p = cannot_take(&t);
	if (p) {
		delivery_fail(d, p);
		return TRANSACTION_DONE;
	}
	prepare(&t);
	converse(&t);
	buf_done(&t.out);
	buf_done(&t.xforward);
	return t.is_stale ? TRANSACTION_STALE : TRANSACTION_DONE;
}
