/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an open connection to one where MAIL may be said: a table of stages, each of which may
 * end the session. TLS and authentication will be stages behind the first EHLO.
 */
#include "base/log.h"
#include "base/mem.h"
#include "smtp/client.h"

#define SMTP_PORT    25
#define BANNER_DOING "receiving the initial server greeting"

static struct problem *
refused(struct delivery *d, const struct session *s, bool soften)
{
	struct buf text = BUF_INIT(SERVER_REPLY_SHOWN_MAX + 1);
	char dsn[DSN_SIZE], own[DSN_SIZE];
	struct problem *p;

	server_reply_print(&s->reply, &text);
	server_reply_dsn(&s->reply, dsn);
	dsn_with_class(
	    view_of(dsn), server_reply_class(&s->reply) == 5 && !soften ? '5' : '4', own);
	p = problem_new(
	    d, s, own, "host %s refused to talk to me: %s", s->namaddr, buf_str(&text));
	p->host = arena_dup(&d->arena, view_of(s->host));
	p->is_site = true;
	buf_done(&text);
	return p;
}

static struct problem *
banner_stage(struct delivery *d, struct session *s)
{
	const struct client_options *o = &client.options;
	enum stream_result result = chat_read(s, o->helo_timeout);
	struct view rest = buf_view(&s->reply.lines_text), line;

	if (result != STREAM_OK)
		return problem_of_stream(d, s, result, BANNER_DOING);
	if (server_reply_class(&s->reply) != 2)
		return refused(d, s, o->skip_5xx_greeting);
	s->wants_ehlo = o->is_lmtp || (o->always_send_ehlo && !o->never_send_ehlo);
	while (server_reply_next(&rest, &line))
		if (!o->never_send_ehlo && ehlo_banner_has_esmtp(line))
			s->wants_ehlo = true;
	return NULL;
}

static struct problem *
firewall_stage(struct delivery *d, struct session *s)
{
	struct problem *p = pix_find(d, s);

	if (s->pix & PIX_DISABLE_ESMTP)
		s->wants_ehlo = client.options.is_lmtp;
	return p;
}

static void
features_read(struct session *s)
{
	struct view rest = buf_view(&s->reply.lines_text), line;

	s->ehlo = (struct ehlo){ 0 };
	(void)server_reply_next(&rest, &line);
	while (server_reply_next(&rest, &line))
		ehlo_line(&s->ehlo, line);
}

/* Keywords that the administrator does not believe, of every server or of this one. */
static struct problem *
features_discard(struct delivery *d, struct session *s)
{
	struct buf listed = BUF_INIT(TABLE_VALUE_MAX);
	const char *list = client.options.discard_ehlo_keywords, *why = "";
	char address[ENDPOINT_TEXT_SIZE];
	enum table_result found;
	struct problem *p = NULL;
	bool is_silent;
	unsigned discarded;

	endpoint_text(&s->endpoint, address);
	found = table_list_find(client.discard_maps, view_of(address), &listed, &why);
	if (found == TABLE_FOUND)
		list = buf_str(&listed);
	discarded = s->ehlo.features & ehlo_features_of_list(view_of(list), &is_silent);
	s->ehlo.features &= ~discarded;
	if (discarded & EHLO_SIZE)
		s->ehlo.size = 0;
	if (discarded & EHLO_XFORWARD)
		s->ehlo.xforward = 0;
	if (discarded && !is_silent)
		log_info("%.*s: discarding EHLO keywords of %s: %s",
		    VIEW_ARG(d->job->request.queue_id), s->namaddr, list);
	if (found == TABLE_CANNOT_TELL)
		p = problem_new(d, NULL, "4.3.0", "%s lookup error: %s",
		    client.options.is_lmtp ? "lmtp_discard_lhlo_keyword_address_maps"
					   : "smtp_discard_ehlo_keyword_address_maps",
		    why);
	buf_done(&listed);
	return p;
}

/* A server on the standard port that has our name is ourselves. */
static bool
is_own_greeting(const struct session *s)
{
	struct view rest = buf_view(&s->reply.lines_text), line, name;

	return !client.options.is_lmtp && endpoint_port(&s->endpoint) == SMTP_PORT &&
	    server_reply_next(&rest, &line) && view_next_word(&line, " \t", &name) &&
	    view_eq_nocase(name, view_of(client.conf->myhostname));
}

static struct problem *
say_hello(struct delivery *d, struct session *s, const char *verb)
{
	struct buf line = BUF_INIT(1024), doing = BUF_INIT(100);
	struct problem *p = NULL;
	enum stream_result result;

	buf_printf(&line, "%s %s", verb, client.options.helo_name);
	result = chat_ask(s, buf_view(&line), client.options.helo_timeout);
	buf_printf(&doing, "performing the %s handshake", verb);
	if (result != STREAM_OK)
		p = problem_of_stream(d, s, result, buf_str(&doing));
	else if (server_reply_class(&s->reply) == 2 && is_own_greeting(s))
		p = problem_new(d, s, "5.4.6", "mail for %.*s loops back to myself",
		    VIEW_ARG(d->job->request.nexthop));
	buf_done(&line);
	buf_done(&doing);
	return p;
}

static struct problem *
hello_stage(struct delivery *d, struct session *s)
{
	struct problem *p = NULL;

	s->ehlo = (struct ehlo){ 0 };
	if (s->wants_ehlo) {
		p = say_hello(d, s, client.options.is_lmtp ? "LHLO" : "EHLO");
		if (p)
			return p;
		if (server_reply_class(&s->reply) == 2) {
			features_read(s);
			return features_discard(d, s);
		}
		if (client.options.is_lmtp || s->reply.code == 421)
			return refused(d, s, false);
	}
	p = say_hello(d, s, "HELO");
	if (p || server_reply_class(&s->reply) == 2)
		return p;
	return refused(d, s, false);
}

struct problem *
session_greet(struct delivery *d, struct session *s)
{
	static struct problem *(*const stages[])(struct delivery *, struct session *) = {
		banner_stage,
		firewall_stage,
		hello_stage,
	};
	struct problem *p = NULL;

	for (size_t i = 0; i < ARRAY_LEN(stages) && !p; i++)
		p = stages[i](d, s);
	return p;
}
