/* SPDX-License-Identifier: Apache-2.0 */
/* The small commands: RSET, NOOP, VRFY, HELP, QUIT, and those that only have a refusal. */
#include "base/log.h"
#include "mail/address.h"
#include "smtpd/smtpd.h"

enum outcome
cmd_rset(struct session *s, struct view argument)
{
	if (argument.n) {
		reply(s, "501 5.5.4 Syntax: RSET");
		return REFUSED;
	}
	session_reset(s);
	reply(s, "250 2.0.0 Ok");
	return DONE_OTHERWISE;
}

enum outcome
cmd_noop(struct session *s, struct view argument)
{
	(void)argument;
	reply(s, "250 2.0.0 Ok");
	return DONE;
}

/* "address [SMTPUTF8]" of VRFY; false: it was refused. */
static bool
vrfy_parse(struct session *s, struct view argument, struct path *path)
{
	unsigned flags = server.v->smtputf8_enable ? PATH_UTF8 : 0;
	struct cursor c = cursor_of(argument);
	const char *why = NULL;

	if (argument.n > 9 && view_has_suffix_nocase(argument, VIEW(" SMTPUTF8")))
		c = cursor_of(view_trim(view_sub(argument, 0, argument.n - 9)));
	if (path_parse(&c, flags, &s->arena, path, &why) && cursor_at_end(&c) &&
	    path->address.n > 0)
		return true;
	log_warn("Illegal address syntax from %s in VRFY command: %.*s", s->peer.label,
	    (int)(argument.n < 100 ? argument.n : 100), argument.p);
	reply(s, "501 5.1.3 Bad recipient address syntax");
	return false;
}

/* VRFY says yes to every address that RCPT would take, and expands nothing. */
enum outcome
cmd_vrfy(struct session *s, struct view argument)
{
	struct buf full = BUF_INIT(2 * ADDRESS_MAX);
	const char *refused;
	struct path path;

	if (server.v->disable_vrfy_command) {
		reply(s, "502 5.5.1 VRFY command is disabled");
		return REFUSED;
	}
	if (argument.n == 0) {
		reply(s, "501 5.5.4 Syntax: VRFY address%s",
		    server.v->smtputf8_enable ? " [SMTPUTF8]" : "");
		return REFUSED;
	}
	/* Asking is as good a way to find addresses as sending. */
	if (!client_event(s, ANVIL_RECIPIENT, server.v->smtpd_client_recipient_rate_limit)) {
		reply(s, "450 4.7.1 Error: too many recipients from %s", s->peer.address);
		return REFUSED;
	}
	if (!vrfy_parse(s, argument, &path))
		return REFUSED;
	route_standard_form(server.v, path.address, &full);
	refused = access_vrfy(s, path.address, arena_view(&s->arena, buf_view(&full)));
	buf_done(&full);
	if (refused) {
		reply_refusal(s, refused);
		return REFUSED;
	}
	reply(s, "252 2.0.0 %.*s", VIEW_ARG(argument));
	return DONE;
}

enum outcome
cmd_help(struct session *s, struct view argument)
{
	(void)argument;
	reply_lines(s, 214,
	    VIEW("2.0.0 Commands: HELO EHLO MAIL RCPT DATA BDAT RSET NOOP VRFY ETRN HELP QUIT\n"
		 "2.0.0 See RFC 5321"));
	return DONE;
}

enum outcome
cmd_quit(struct session *s, struct view argument)
{
	(void)argument;
	reply(s, "221 2.0.0 Bye");
	s->has_quit = true;
	s->closing = true;
	return DONE;
}

enum outcome
cmd_not_built(struct session *s, struct view argument)
{
	(void)argument;
	reply(s, "502 5.5.1 Error: command not implemented");
	return REFUSED;
}

enum outcome
cmd_auth(struct session *s, struct view argument)
{
	(void)argument;
	reply(s, "503 5.5.1 Error: authentication not enabled");
	return REFUSED;
}

/* XCLIENT and XFORWARD: nobody is authorized yet. */
enum outcome
cmd_unauthorized(struct session *s, struct view argument)
{
	(void)argument;
	reply(s, "550 5.7.0 Error: insufficient authorization");
	return REFUSED;
}
