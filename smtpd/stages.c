/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which lists are evaluated when. With smtpd_delay_reject (the default) the client, HELO and
 * sender lists wait for RCPT, so that the log can say who wanted to send what to whom; a permit
 * ends one list, a refusal ends everything. Local submissions (sendmail -bs) are not
 * restricted.
 */
#include "smtpd/restrictions.h"

static struct evaluation
evaluation_begin(struct session *s, const char *where)
{
	return (struct evaluation){ .s = s, .where = where };
}

static bool
is_refused(enum restriction_result r)
{
	return r == RESTRICTION_REJECT || r == RESTRICTION_DEFER;
}

static enum restriction_result
list_run(struct evaluation *e, enum list_id id)
{
	e->list = id;
	if (!server.lists[id])
		return RESTRICTION_DUNNO;
	return restriction_list_run(e, server.lists[id]);
}

/* defer_if_reject counts to the end of its stage; defer_if_permit to the end of all. */
static enum restriction_result
stage_run(struct evaluation *e, enum list_id id)
{
	e->defer_if_reject = NULL;
	return list_run(e, id);
}

/* A stage that nothing refused, but that was asked to defer instead of permitting. */
static const char *
stage_end(struct evaluation *e, enum restriction_result r)
{
	if (is_refused(r))
		return e->reply;
	if (!e->defer_if_permit)
		return NULL;
	restriction_log(e, "reject", e->defer_if_permit);
	return e->defer_if_permit;
}

static const char *
stage_of_one(struct session *s, const char *where, enum list_id id)
{
	struct evaluation e = evaluation_begin(s, where);

	return stage_end(&e, list_run(&e, id));
}

const char *
access_connect(struct session *s)
{
	if (s->is_local || server.v->smtpd_delay_reject)
		return NULL;
	return stage_of_one(s, "CONNECT", LIST_CLIENT);
}

const char *
access_helo(struct session *s)
{
	if (s->is_local || server.v->smtpd_delay_reject)
		return NULL;
	return stage_of_one(s, s->where, LIST_HELO);
}

static enum restriction_result
sender_run(struct evaluation *e)
{
	enum restriction_result r = stage_run(e, LIST_SENDER);

	if (is_refused(r) || e->sender_checked || !server.v->smtpd_reject_unlisted_sender ||
	    !e->s->transaction || e->s->transaction->sender.n == 0)
		return r;
	e->sender_checked = true;
	return restrict_unlisted(e, e->s->transaction->sender_full, true);
}

const char *
access_mail(struct session *s)
{
	struct evaluation e = evaluation_begin(s, "MAIL");

	if (s->is_local || server.v->smtpd_delay_reject)
		return NULL;
	return stage_end(&e, sender_run(&e));
}

static bool
is_discarded(const struct session *s)
{
	return s->transaction && s->transaction->discard;
}

static enum restriction_result
delayed_run(struct evaluation *e)
{
	enum restriction_result r = stage_run(e, LIST_CLIENT);

	if (!is_refused(r))
		r = stage_run(e, LIST_HELO);
	if (!is_refused(r) && e->s->transaction)
		r = sender_run(e);
	return r;
}

/* The lists about a recipient, and the implicit test that it exists. */
static enum restriction_result
recipient_run(struct evaluation *e)
{
	bool relay_first = server.v->smtpd_relay_before_recipient_restrictions;
	enum restriction_result r = RESTRICTION_DUNNO;

	if (server.v->smtpd_delay_reject)
		r = delayed_run(e);
	if (!is_refused(r) && !is_discarded(e->s))
		r = stage_run(e, relay_first ? LIST_RELAY : LIST_RECIPIENT);
	if (!is_refused(r) && !is_discarded(e->s))
		r = list_run(e, relay_first ? LIST_RECIPIENT : LIST_RELAY);
	/* A client that is asked to come back learns then who exists. */
	if (is_refused(r) || is_discarded(e->s) || e->defer_if_permit || e->recipient_checked ||
	    !server.v->smtpd_reject_unlisted_recipient)
		return r;
	e->list = LIST_RECIPIENT;
	return restrict_unlisted(e, e->recipient, false);
}

static const char *
recipient_stage(struct session *s, const char *where, struct view given, struct view recipient)
{
	struct evaluation e = evaluation_begin(s, where);

	/* RFC 5321 4.5.1: always, from everybody, and without a domain. */
	if (s->is_local || view_eq_nocase(given, VIEW("postmaster")))
		return NULL;
	e.has_recipient = true;
	e.given = given;
	e.recipient = recipient;
	return stage_end(&e, recipient_run(&e));
}

const char *
access_rcpt(struct session *s, struct view given, struct view recipient)
{
	return recipient_stage(s, "RCPT", given, recipient);
}

const char *
access_vrfy(struct session *s, struct view given, struct view recipient)
{
	return recipient_stage(s, "VRFY", given, recipient);
}

const char *
access_etrn(struct session *s, struct view domain)
{
	struct evaluation e = evaluation_begin(s, "ETRN");
	enum restriction_result r = RESTRICTION_DUNNO;

	if (s->is_local)
		return NULL;
	e.given = domain;
	if (server.v->smtpd_delay_reject)
		r = delayed_run(&e);
	if (!is_refused(r))
		r = stage_run(&e, LIST_ETRN);
	return stage_end(&e, r);
}

static const char *
message_stage(struct session *s, const char *where, enum list_id id)
{
	struct evaluation e = evaluation_begin(s, where);
	const struct transaction *t = s->transaction;

	if (s->is_local || is_discarded(s))
		return NULL;
	if (t->recipient_count == 1) { /* with several there is no "the recipient" */
		e.has_recipient = true;
		e.given = t->recipients->original;
		e.recipient = t->recipients->address;
	}
	return stage_end(&e, list_run(&e, id));
}

const char *
access_data(struct session *s)
{
	return message_stage(s, s->where, LIST_DATA);
}

const char *
access_end_of_data(struct session *s)
{
	return message_stage(s, "END-OF-MESSAGE", LIST_END_OF_DATA);
}
