/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of recipients. A hard problem is an outcome at once. A soft one is noted, as
 * another server may do better; when none is left to ask, what was noted last is the outcome.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/escape.h"
#include "base/log.h"
#include "smtp/client.h"

#define TEXT_MAX 2000

struct problem *
problem_new(
    struct delivery *d, const struct session *s, const char *dsn, const char *format, ...)
{
	struct problem *p = ARENA_NEW(&d->arena, struct problem);
	struct buf text = BUF_INIT(TEXT_MAX);
	va_list ap;

	dsn_with_class(view_of(dsn), dsn[0], p->dsn);
	va_start(ap, format);
	(void)buf_vprintf(&text, format, ap);
	va_end(ap);
	p->text = arena_dup(&d->arena, buf_view(&text));
	buf_done(&text);
	if (s) {
		p->relay = arena_dup(&d->arena, view_of(s->relay));
		p->conn_use = s->uses;
	}
	return p;
}

struct problem *
problem_of_reply(struct delivery *d, const struct session *s, const char *command)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	char dsn[DSN_SIZE], soft[DSN_SIZE];
	struct problem *p;

	server_reply_print(&s->reply, &text);
	server_reply_dsn(&s->reply, dsn);
	/* A "yes" where it makes no sense is no "no" for ever. */
	dsn_with_class(view_of(dsn), server_reply_class(&s->reply) == 5 ? '5' : '4', soft);
	p = problem_new(d, s, soft, "host %s said: %s (in reply to %s)", s->namaddr,
	    buf_str(&text), command);
	p->host = arena_dup(&d->arena, view_of(s->host));
	p->is_site = s->reply.code == 421;
	buf_done(&text);
	return p;
}

static struct problem *
problem_not_understood(struct delivery *d, struct session *s, const char *doing)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	struct problem *p;

	escape_printable(&text, buf_view(&s->reply.lines_text), SERVER_REPLY_SHOWN_MAX);
	p = problem_new(d, s, "4.5.0", "host %s sent what is no reply, \"%s\", while %s",
	    s->namaddr, buf_str(&text), doing);
	buf_done(&text);
	return p;
}

struct problem *
problem_of_stream(
    struct delivery *d, struct session *s, enum stream_result result, const char *doing)
{
	struct problem *p;

	s->is_broken = true;
	if (result == STREAM_TOO_LONG)
		p = problem_not_understood(d, s, doing);
	else if (result == STREAM_TIMEOUT)
		p = problem_new(d, s, "4.4.2", "conversation with %s timed out while %s",
		    s->namaddr, doing);
	else
		p = problem_new(
		    d, s, "4.4.2", "lost connection with %s while %s", s->namaddr, doing);
	p->is_site = true;
	return p;
}

/*
 * The administrator may change status and text of what was not delivered, and the text of what
 * was; out holds the new ones. What was delivered stays so, and the other way round.
 */
static void
status_filter(struct deliver_answer *a, struct buf *out)
{
	struct buf key = BUF_INIT(TEXT_MAX + DSN_SIZE);
	struct view dsn = VIEW_NONE, text;

	if (table_list_is_empty(client.status_filter))
		return;
	buf_printf(&key, "%.*s %.*s", VIEW_ARG(a->dsn), VIEW_ARG(a->reason));
	if (table_list_find(client.status_filter, buf_view(&key), out, NULL) == TABLE_FOUND &&
	    dsn_split(buf_view(out), &dsn, &text) &&
	    (dsn.p[0] == '2') == (a->result == DELIVER_SENT)) {
		a->dsn = dsn;
		if (text.n > 0)
			a->reason = text;
		if (a->result != DELIVER_SENT)
			a->result = dsn.p[0] == '4' ? DELIVER_DEFERRED : DELIVER_BOUNCED;
	} else if (out->len > 0) {
		log_warn("delivery_status_filter: no fitting status in \"%s\"", buf_str(out));
	}
	buf_done(&key);
}

static void
answer(struct delivery *d, size_t i, struct deliver_answer *a)
{
	struct buf filtered = BUF_INIT(TABLE_VALUE_MAX);

	status_filter(a, &filtered);
	deliver_answer_send(d->job, &d->job->recipients[i], a);
	buf_done(&filtered);
	d->rcpts[i].state = RCPT_DONE;
	d->left--;
}

static void
answer_problem(struct delivery *d, size_t i, const struct problem *p)
{
	bool is_soft = p->dsn[0] == '4';
	struct deliver_answer a = {
		.result = is_soft ? DELIVER_DEFERRED : DELIVER_BOUNCED,
		.dsn = view_of(p->dsn),
		.reason = view_of(p->text),
		.relay = view_of(p->relay),
		.conn_use = p->conn_use,
		.remote_host = view_of(p->host),
		.destination_failed = is_soft && p->is_site,
		.connected = d->connected,
	};

	answer(d, i, &a);
}

void
recipient_fail(struct delivery *d, size_t i, const struct problem *p)
{
	d->rcpts[i].state = RCPT_LEFT;
	d->rcpts[i].problem = p;
	if (p->dsn[0] == '5' || p->is_final)
		answer_problem(d, i, p);
}

void
delivery_fail(struct delivery *d, const struct problem *p)
{
	for (size_t i = 0; i < d->job->count; i++)
		if (d->rcpts[i].state != RCPT_DONE)
			recipient_fail(d, i, p);
}

void
delivery_note(struct delivery *d, const struct problem *p)
{
	for (size_t i = 0; i < d->job->count; i++)
		if (d->rcpts[i].state != RCPT_DONE)
			d->rcpts[i].problem = p;
}

void
recipient_sent(struct delivery *d, const struct session *s, size_t i)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	bool passed_on = s->ehlo.features & EHLO_DSN;
	bool is_final = client.options.is_lmtp && client.conf->lmtp_assume_final;
	char dsn[DSN_SIZE];
	struct deliver_answer a = {
		.result = DELIVER_SENT,
		.relay = view_of(s->relay),
		.conn_use = s->uses,
		.remote_host = view_of(s->host),
		.connected = d->connected,
		.dsn_passed_on = passed_on,
		.relayed = !passed_on && !is_final,
	};

	server_reply_dsn(&s->reply, dsn);
	server_reply_print(&s->reply, &text);
	a.dsn = view_of(dsn);
	a.reason = buf_view(&text);
	answer(d, i, &a);
	buf_done(&text);
}

void
delivery_give_up(struct delivery *d)
{
	static const struct problem untried = {
		.dsn = "4.3.0",
		.text = "no server was asked",
	};

	for (size_t i = 0; i < d->job->count; i++)
		if (d->rcpts[i].state != RCPT_DONE)
			answer_problem(
			    d, i, d->rcpts[i].problem ? d->rcpts[i].problem : &untried);
}
