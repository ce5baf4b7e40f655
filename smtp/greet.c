/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an open connection to one where MAIL may be said: a table of stages, each of which may
 * end the session. TLS and authentication will be stages behind the first EHLO.
 */
#include "base/mem.h"
#include "smtp/client.h"

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
	enum stream_result result = chat_read(s, client.options.helo_timeout);

	if (result != STREAM_OK)
		return problem_of_stream(d, s, result, BANNER_DOING);
	return server_reply_class(&s->reply) == 2 ? NULL : refused(d, s, true);
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
	buf_done(&line);
	buf_done(&doing);
	return p;
}

static struct problem *
hello_stage(struct delivery *d, struct session *s)
{
	struct problem *p = say_hello(d, s, client.options.is_lmtp ? "LHLO" : "EHLO");

	if (p)
		return p;
	if (server_reply_class(&s->reply) == 2) {
		features_read(s);
		return NULL;
	}
	if (client.options.is_lmtp || s->reply.code == 421)
		return refused(d, s, false);
	s->ehlo = (struct ehlo){ 0 };
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
		hello_stage,
	};
	struct problem *p = NULL;

	for (size_t i = 0; i < ARRAY_LEN(stages) && !p; i++)
		p = stages[i](d, s);
	return p;
}
