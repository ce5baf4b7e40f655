/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MAIL FROM: makes the transaction. Everything it says is parsed into a transaction that the
 * session does not have yet, so a refused MAIL leaves nothing behind.
 */
#include "base/log.h"
#include "base/number.h"
#include "mail/address.h"
#include "mail/dsn.h"
#include "mail/verp.h"
#include "smtpd/smtpd.h"

#define ENVID_MAX 100 /* RFC 3461 4.4, before and after xtext */

enum mail_param {
	PARAM_SIZE,
	PARAM_BODY,
	PARAM_RET,
	PARAM_ENVID,
	PARAM_SMTPUTF8,
	PARAM_AUTH,
	PARAM_XVERP,
};

static const char *const mail_params[] = { "SIZE", "BODY", "RET", "ENVID", "SMTPUTF8", "AUTH",
	"XVERP" };

/* What is said of a value that is missing, wrong, or given twice. */
static const struct param_text mail_refusals[] = {
	{ "SIZE", "501 5.5.4 Bad message size syntax" },
	{ "RET", "501 5.5.4 Bad RET parameter syntax" },
	{ "ENVID", "501 5.5.4 Bad ENVID parameter syntax" },
	{ "AUTH", "501 5.5.4 Bad AUTH parameter syntax" },
};

struct mail {
	struct session *s;
	struct transaction *t;
	const char *refusal;
	bool too_big;
};

static void
param_size(struct mail *m, const struct esmtp_param *p)
{
	uint64_t limit = (uint64_t)server.v->message_size_limit;
	bool digits = p->has_value;

	for (size_t i = 0; i < p->value.n; i++)
		digits = digits && char_is_digit(p->value.p[i]);
	if (!digits)
		m->refusal = "501 5.5.4 Bad message size syntax";
	else if (!number_parse(p->value, INT64_MAX, &m->t->declared_size))
		m->refusal = "552 5.3.4 Message size exceeds file system imposed limit";
	else if (limit > 0 && m->t->declared_size > limit)
		m->too_big = true;
}

static void
param_body(struct mail *m, const struct esmtp_param *p)
{
	if (view_eq_nocase(p->value, VIEW("8BITMIME")))
		m->t->is_8bit = true;
	else if (!view_eq_nocase(p->value, VIEW("7BIT")))
		m->refusal =
		    arena_printf(&m->s->arena, "555 5.5.4 Unsupported option: %.*s=%.*s",
			VIEW_ARG(p->keyword), VIEW_ARG(p->value));
}

static void
param_ret(struct mail *m, const struct esmtp_param *p)
{
	if (view_eq_nocase(p->value, VIEW("FULL")))
		m->t->dsn_ret = "FULL";
	else if (view_eq_nocase(p->value, VIEW("HDRS")))
		m->t->dsn_ret = "HDRS";
	else
		m->refusal = "501 5.5.4 Bad RET parameter syntax";
}

static void
param_envid(struct mail *m, const struct esmtp_param *p)
{
	struct buf decoded = BUF_INIT(ENVID_MAX);

	if (p->value.n == 0 || p->value.n > ENVID_MAX || !xtext_decode(&decoded, p->value))
		m->refusal = "501 5.5.4 Bad ENVID parameter syntax";
	else
		m->t->envelope_id = arena_view(&m->t->arena, buf_view(&decoded));
	buf_done(&decoded);
}

/* RFC 4954 5: checked, and not believed, since nobody has authenticated. */
static void
param_auth(struct mail *m, const struct esmtp_param *p)
{
	struct buf decoded = BUF_INIT(2 * ADDRESS_MAX);

	if (!xtext_decode(&decoded, p->value))
		m->refusal = "501 5.5.4 Bad AUTH parameter syntax";
	buf_done(&decoded);
}

static void
param_xverp(struct mail *m, const struct esmtp_param *p)
{
	const char *filter = server.v->verp_delimiter_filter;
	struct view delimiters =
	    p->has_value ? p->value : view_of(server.v->default_verp_delimiters);

	if (verp_delimiters_are_valid(delimiters, filter))
		m->t->verp = arena_view(&m->t->arena, delimiters);
	else
		m->refusal = arena_printf(&m->s->arena,
		    "501 5.5.4 Error: XVERP needs two characters from %s", filter);
}

static bool
param_is_offered(const struct session *s, int index, const struct esmtp_param *p)
{
	switch (index) {
	case PARAM_RET:
	case PARAM_ENVID:
		return p->has_value && !ehlo_is_hidden("DSN");
	case PARAM_SMTPUTF8:
		return !p->has_value && server.v->smtputf8_enable &&
		    !ehlo_is_hidden("SMTPUTF8");
	case PARAM_BODY:
		return p->has_value && !ehlo_is_hidden("8BITMIME");
	case PARAM_SIZE:
		return p->has_value && !ehlo_is_hidden("SIZE");
	case PARAM_XVERP:
		return client_may_verp(s);
	default:
		return p->has_value;
	}
}

static void
param_apply(struct mail *m, const struct esmtp_param *p, int index)
{
	switch (index) {
	case PARAM_SIZE:
		param_size(m, p);
		break;
	case PARAM_BODY:
		param_body(m, p);
		break;
	case PARAM_RET:
		param_ret(m, p);
		break;
	case PARAM_ENVID:
		param_envid(m, p);
		break;
	case PARAM_AUTH:
		param_auth(m, p);
		break;
	case PARAM_XVERP:
		param_xverp(m, p);
		break;
	default:
		m->t->smtputf8 = true;
	}
}

static bool
params_parse(struct mail *m, struct cursor *c)
{
	struct esmtp_param param;
	uint32_t seen = 0;

	while (!m->refusal) {
		struct view rest = view_trim(cursor_rest(c));
		enum esmtp_result r = esmtp_param_next(c, &param);
		int index = -1;

		if (r == ESMTP_END)
			return true;
		if (r == ESMTP_PARAM)
			index = esmtp_keyword_find(
			    param.keyword, mail_params, ARRAY_LEN(mail_params));
		if (index >= 0 && param_is_offered(m->s, index, &param) &&
		    esmtp_mark_first(&seen, index))
			param_apply(m, &param, index);
		else
			m->refusal = param_refusal(m->s, rest, mail_refusals,
			    ARRAY_LEN(mail_refusals), index >= 0 && (seen & (1U << index)));
	}
	return false;
}

static bool
sender_parse(struct mail *m, struct view argument, struct cursor *c, struct path *path)
{
	bool strict = server.v->strict_rfc821_envelopes;
	const char *why = NULL;

	*c = cursor_of(argument);
	if (!command_take_colon_word(c, VIEW("FROM:"), strict) || cursor_at_end(c)) {
		m->refusal = "501 5.5.4 Syntax: MAIL FROM:<address>";
		return false;
	}
	if (path_parse(c, (strict ? PATH_STRICT : 0) | PATH_UTF8, &m->t->arena, path, &why))
		return true;
	log_warn("Illegal address syntax from %s in MAIL command: %.*s", m->s->peer.label,
	    (int)(argument.n < 100 ? argument.n : 100), argument.p);
	m->refusal = "501 5.1.7 Bad sender address syntax";
	return false;
}

static void
sender_complete(struct transaction *t)
{
	struct buf full = BUF_INIT(2 * ADDRESS_MAX);

	if (t->sender.n)
		route_standard_form(server.v, t->sender, &full);
	t->sender_full = arena_view(&t->arena, buf_view(&full));
	buf_done(&full);
}

static bool
mail_parse(struct mail *m, struct view argument)
{
	struct path path;
	struct cursor c;

	if (!sender_parse(m, argument, &c, &path) || !params_parse(m, &c))
		return false;
	m->t->sender = path.address;
	if (m->t->verp.n && path.address.n == 0) {
		m->refusal = "503 5.5.4 Error: XVERP requires non-null sender";
		return false;
	}
	sender_complete(m->t);
	if (path.is_utf8 && !m->t->smtputf8) {
		m->refusal = server.v->smtputf8_enable
		    ? "553 5.6.7 Must declare SMTPUTF8 to send unicode address"
		    : "501 5.1.7 Bad sender address syntax";
		return false;
	}
	return true;
}

enum outcome
cmd_mail(struct session *s, struct view argument)
{
	struct mail m = { .s = s, .t = transaction_new() };
	bool parsed = mail_parse(&m, argument);

	if (parsed) {
		s->transaction = m.t; /* the checks and the log want to see it */
		if (!client_event(s, ANVIL_MESSAGE, server.v->smtpd_client_message_rate_limit))
			m.refusal = arena_printf(&s->arena,
			    "450 4.7.1 Error: too much mail from %s", s->peer.address);
		else
			m.refusal = access_mail(s);
		if (!m.refusal && m.too_big) {
			struct buf context = BUF_INIT(LOG_LINE_MAX);

			m.refusal = "552 5.3.4 Message size exceeds fixed limit";
			session_log_context(s, VIEW_NONE, false, &context);
			log_info("NOQUEUE: reject: MAIL from %s: %s%s", s->peer.label,
			    m.refusal, buf_str(&context));
			buf_done(&context);
		}
	}
	if (m.refusal) {
		s->transaction = NULL;
		transaction_free(&m.t);
		reply_refusal(s, m.refusal);
		return REFUSED;
	}
	reply(s, "250 2.1.0 Ok");
	return DONE;
}
