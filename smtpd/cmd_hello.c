/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HELO and EHLO. Either one ends a transaction (RFC 5321 4.1.4). What EHLO offers is a table;
 * smtpd_discard_ehlo_keywords takes rows out.
 */
#include <stdio.h>

#include "base/log.h"
#include "smtpd/smtpd.h"

#define HELO_MAX 512 /* bytes of the name that are kept */

enum ehlo_keyword {
	EHLO_PIPELINING,
	EHLO_SIZE,
	EHLO_VRFY,
	EHLO_ETRN,
	EHLO_XVERP,
	EHLO_ENHANCED,
	EHLO_8BITMIME,
	EHLO_DSN,
	EHLO_SMTPUTF8,
	EHLO_CHUNKING,
	EHLO_COUNT
};

/* In the order in which they are shown. */
static const char *const ehlo_names[EHLO_COUNT] = {
	[EHLO_PIPELINING] = "PIPELINING",
	[EHLO_SIZE] = "SIZE",
	[EHLO_VRFY] = "VRFY",
	[EHLO_ETRN] = "ETRN",
	[EHLO_XVERP] = "XVERP",
	[EHLO_ENHANCED] = "ENHANCEDSTATUSCODES",
	[EHLO_8BITMIME] = "8BITMIME",
	[EHLO_DSN] = "DSN",
	[EHLO_SMTPUTF8] = "SMTPUTF8",
	[EHLO_CHUNKING] = "CHUNKING",
};

/* Known to Postfix and not offered here in the first place. */
static const char *const ehlo_never[] = { "STARTTLS", "AUTH", "VERP", "XCLIENT", "XFORWARD",
	"REQUIRETLS" };

static bool
word_is_known(struct view word)
{
	for (size_t i = 0; i < ARRAY_LEN(ehlo_never); i++)
		if (view_eq_nocase(word, view_of(ehlo_never[i])))
			return true;
	return false;
}

unsigned
ehlo_hidden_parse(struct view text, bool *quietly)
{
	struct view word;
	unsigned hidden = 0;

	*quietly = false;
	while (view_next_word(&text, ", \t\r\n", &word)) {
		size_t i = 0;

		while (i < EHLO_COUNT && !view_eq_nocase(word, view_of(ehlo_names[i])))
			i++;
		if (i < EHLO_COUNT)
			hidden |= 1U << i;
		else if (view_eq_nocase(word, VIEW("silent-discard")))
			*quietly = true;
		else if (!word_is_known(word))
			log_warn("unknown EHLO keyword \"%.*s\"", VIEW_ARG(word));
	}
	return hidden;
}

static bool
is_hidden(enum ehlo_keyword keyword)
{
	return server.ehlo_hidden & (1U << keyword);
}

bool
ehlo_is_hidden(const char *name)
{
	for (size_t i = 0; i < EHLO_COUNT; i++)
		if (view_eq(view_of(name), view_of(ehlo_names[i])))
			return is_hidden((enum ehlo_keyword)i);
	return false;
}

bool
client_may_verp(const struct session *s)
{
	const char *why;

	return !is_hidden(EHLO_XVERP) &&
	    match_list_has_address(server.verp_clients, (const struct sockaddr *)&s->peer.sa,
		view_of(s->peer.name), &why) == TABLE_FOUND;
}

static bool
is_offered(const struct session *s, enum ehlo_keyword keyword)
{
	if (is_hidden(keyword))
		return false;
	if (keyword == EHLO_VRFY)
		return !server.v->disable_vrfy_command;
	if (keyword == EHLO_XVERP)
		return client_may_verp(s);
	if (keyword == EHLO_SMTPUTF8)
		return server.v->smtputf8_enable;
	return true;
}

static void
ehlo_answer(struct session *s)
{
	struct buf lines = BUF_INIT(4096);

	buf_append_str(&lines, server.v->myhostname);
	for (int k = 0; k < EHLO_COUNT; k++) {
		if (!is_offered(s, (enum ehlo_keyword)k))
			continue;
		buf_printf(&lines, "\n%s", ehlo_names[k]);
		if (k == EHLO_SIZE && server.v->message_size_limit > 0)
			buf_printf(&lines, " %lld", server.v->message_size_limit);
	}
	reply_lines(s, 250, buf_view(&lines));
	buf_done(&lines);
	if (server.ehlo_hidden && !server.ehlo_hidden_quietly)
		log_info("discarding EHLO keywords: %s", server.v->smtpd_discard_ehlo_keywords);
}

/* The name as it may be shown in a header and a log line: no byte that has a meaning there. */
static char *
helo_clean(struct view name)
{
	static const char meaning[] = "<>()\\\";@";
	char *clean;

	name = view_sub(name, 0, HELO_MAX);
	clean = mem_dup(name.p, name.n);
	for (size_t i = 0; i < name.n; i++) {
		unsigned char c = (unsigned char)clean[i];

		if (c < 32 || c == 127 || memchr(meaning, c, sizeof(meaning) - 1))
			clean[i] = '?';
	}
	return clean;
}

static enum outcome
hello(struct session *s, struct view argument, bool is_esmtp)
{
	struct view rest = argument, name;
	const char *refused;

	if (!view_next_word(&rest, " \t", &name)) {
		reply(s, "501 Syntax: %s hostname", is_esmtp ? "EHLO" : "HELO");
		return REFUSED;
	}
	session_reset(s);
	mem_free(s->helo);
	s->helo = helo_clean(name);
	refused = access_helo(s);
	if (refused) {
		mem_free(s->helo);
		s->helo = NULL;
		if (server.v->smtpd_helo_required)
			s->state = STATE_START;
		reply_refusal(s, refused);
		return REFUSED;
	}
	s->is_esmtp = is_esmtp;
	if (is_esmtp)
		ehlo_answer(s);
	else
		reply(s, "250 %s", server.v->myhostname);
	return DONE;
}

enum outcome
cmd_helo(struct session *s, struct view argument)
{
	return hello(s, argument, false);
}

enum outcome
cmd_ehlo(struct session *s, struct view argument)
{
	return hello(s, argument, true);
}
