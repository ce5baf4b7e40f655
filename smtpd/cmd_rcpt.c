/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RCPT TO: one recipient. The first one that is accepted gives the message its queue id and its
 * "client=" line in the log.
 */
#include "base/clock.h"
#include "base/log.h"
#include "mail/address.h"
#include "mail/dsn.h"
#include "smtpd/smtpd.h"

#define ORCPT_MAX       500          /* RFC 3461 4.2 */
#define RECIPIENT_BYTES 256          /* of memory, on average */
#define ENVELOPE_LEAST  (256 * 1024) /* 100 of the longest fit (RFC 5321 4.5.3.1.8) */

enum rcpt_param { PARAM_NOTIFY, PARAM_ORCPT };

static const char *const rcpt_params[] = { "NOTIFY", "ORCPT" };

static const struct param_text rcpt_refusals[] = {
	{ "NOTIFY", "501 5.5.4 Error: Bad NOTIFY parameter syntax" },
	{ "ORCPT", "501 5.5.4 Error: Bad ORCPT parameter syntax" },
};

struct rcpt {
	struct session *s;
	struct transaction *t;
	struct path path;
	struct recipient r; /* of the command's arena: what is refused must cost nothing */
	const char *refusal;
};

static void
param_notify(struct rcpt *q, const struct esmtp_param *p)
{
	q->r.notify = p->has_value ? dsn_notify_parse(p->value) : 0;
	if (q->r.notify == 0)
		q->refusal = "501 5.5.4 Error: Bad NOTIFY parameter syntax";
}

static void
param_orcpt(struct rcpt *q, const struct esmtp_param *p)
{
	struct buf decoded = BUF_INIT(2 * ORCPT_MAX);

	if (!p->has_value || p->value.n > ORCPT_MAX ||
	    !dsn_orcpt_decode(&decoded, p->value, q->t->smtputf8))
		q->refusal = "501 5.5.4 Error: Bad ORCPT parameter syntax";
	else
		q->r.orcpt = arena_view(&q->s->arena, buf_view(&decoded));
	buf_done(&decoded);
}

static void
params_parse(struct rcpt *q, struct cursor *c)
{
	struct esmtp_param param;
	uint32_t seen = 0;

	while (!q->refusal) {
		struct view rest = view_trim(cursor_rest(c));
		enum esmtp_result r = esmtp_param_next(c, &param);
		int index = -1;

		if (r == ESMTP_END)
			return;
		if (r == ESMTP_PARAM && !ehlo_is_hidden("DSN"))
			index = esmtp_keyword_find(
			    param.keyword, rcpt_params, ARRAY_LEN(rcpt_params));
		if (index < 0 || !esmtp_mark_first(&seen, index))
			q->refusal = param_refusal(
			    q->s, rest, rcpt_refusals, ARRAY_LEN(rcpt_refusals), index >= 0);
		else if (index == PARAM_NOTIFY)
			param_notify(q, &param);
		else
			param_orcpt(q, &param);
	}
}

static void
address_refuse(struct rcpt *q, struct view argument)
{
	log_warn("Illegal address syntax from %s in RCPT command: %.*s", q->s->peer.label,
	    (int)(argument.n < 100 ? argument.n : 100), argument.p);
	q->refusal = "501 5.1.3 Bad recipient address syntax";
}

static void
address_parse(struct rcpt *q, struct view argument, struct cursor *c)
{
	bool strict = server.v->strict_rfc821_envelopes;
	const char *why = NULL;

	if (!command_take_colon_word(c, VIEW("TO:"), strict) || cursor_at_end(c)) {
		q->refusal = "501 5.5.4 Syntax: RCPT TO:<address>";
		return;
	}
	if (!path_parse(
		c, (strict ? PATH_STRICT : 0) | PATH_UTF8, &q->s->arena, &q->path, &why) ||
	    q->path.address.n == 0)
		address_refuse(q, argument);
	else if (q->path.is_utf8 && !server.v->smtputf8_enable)
		address_refuse(q, argument);
	else if (q->path.is_utf8 && !q->t->smtputf8)
		q->refusal = "553 5.6.7 Must declare SMTPUTF8 to send unicode address";
}

static void
rcpt_parse(struct rcpt *q, struct view argument)
{
	struct cursor c = cursor_of(argument);

	address_parse(q, argument, &c);
	if (!q->refusal)
		params_parse(q, &c);
}

static void
recipient_complete(struct rcpt *q)
{
	struct buf full = BUF_INIT(2 * ADDRESS_MAX);

	route_standard_form(server.v, q->path.address, &full);
	q->r.original = q->path.address;
	q->r.address = arena_view(&q->s->arena, buf_view(&full));
	buf_done(&full);
}

static void
recipient_accept(struct rcpt *q)
{
	struct transaction *t = q->t;
	struct recipient *r = ARENA_NEW(&t->arena, struct recipient);

	r->notify = q->r.notify;
	r->orcpt = arena_view(&t->arena, q->r.orcpt);
	r->original = r->address = arena_view(&t->arena, q->r.original);
	if (!view_eq(q->r.address, q->r.original))
		r->address = arena_view(&t->arena, q->r.address);
	*t->last_recipient = r;
	t->last_recipient = &r->next;
	t->recipient_count++;
	if (t->queue_id[0])
		return;
	queue_id_new(clock_wall(), t->queue_id);
	log_info("%s: client=%s", t->queue_id, q->s->peer.label);
}

/* By number, or by what a client with thousands of sessions could make us hold. */
static bool
envelope_is_full(const struct transaction *t)
{
	size_t limit = (size_t)server.v->smtpd_recipient_limit;
	size_t bytes = limit * RECIPIENT_BYTES;

	if (bytes < ENVELOPE_LEAST)
		bytes = ENVELOPE_LEAST;
	return t->recipient_count >= limit || t->arena.used >= bytes;
}

/* Beyond the limit the first ones are forgiven: the client will send them in another message.
 */
static enum outcome
refuse_too_many(struct session *s)
{
	reply(s, "452 4.5.3 Error: too many recipients");
	if (s->overshoot++ < (uint32_t)server.v->smtpd_recipient_overshoot_limit)
		return PARDONED;
	return REFUSED;
}

enum outcome
cmd_rcpt(struct session *s, struct view argument)
{
	struct rcpt q = { .s = s, .t = s->transaction };

	if (envelope_is_full(q.t))
		return refuse_too_many(s);
	rcpt_parse(&q, argument);
	if (!q.refusal &&
	    !client_event(s, ANVIL_RECIPIENT, server.v->smtpd_client_recipient_rate_limit))
		q.refusal = arena_printf(
		    &s->arena, "450 4.7.1 Error: too many recipients from %s", s->peer.address);
	if (!q.refusal) {
		recipient_complete(&q);
		q.refusal = access_rcpt(s, q.r.original, q.r.address);
	}
	if (q.refusal) {
		reply_refusal(s, q.refusal);
		return REFUSED;
	}
	recipient_accept(&q);
	reply(s, "250 2.1.5 Ok");
	return DONE;
}
