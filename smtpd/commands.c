/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command table, and what is done with a command line before its handler sees it: bytes
 * that no command may have, verbs nobody should say, pipelining where it is not allowed, and
 * above all whether the verb is legal in the session's state. A handler never looks at the
 * state.
 */
#include <assert.h>

#include "base/escape.h"
#include "base/log.h"
#include "smtpd/smtpd.h"

#define UNCHANGED STATE_COUNT
#define IN_BDAT   (AT(STATE_BDAT) | AT(STATE_BDAT_FAILED))
#define CAN_MAIL  AT(STATE_GREETED)
#define CAN_RCPT  (AT(STATE_MAIL) | AT(STATE_RCPT))
#define CAN_BDAT  (AT(STATE_RCPT) | AT(STATE_BDAT))
#define JUNK_LAST (COMMAND_JUNK | COMMAND_ENDS_GROUP)

/* Rows in the order of the counters in the log line "disconnect from". */
/* clang-format off */
const struct command commands[COMMAND_MAX] = {
	/* verb       handler           legal in         state after    flags */
	{ "HELO",     cmd_helo,         AT_ANY,          STATE_GREETED, JUNK_LAST },
	{ "EHLO",     cmd_ehlo,         AT_ANY,          STATE_GREETED, JUNK_LAST },
	{ "STARTTLS", cmd_not_built,    AT_ANY,          UNCHANGED,     COMMAND_ENDS_GROUP },
	{ "AUTH",     cmd_auth,         AT_ANY,          UNCHANGED,     COMMAND_ENDS_GROUP },
	{ "MAIL",     cmd_mail,         CAN_MAIL,        STATE_MAIL,    0 },
	{ "RCPT",     cmd_rcpt,         CAN_RCPT,        STATE_RCPT,    0 },
	{ "DATA",     cmd_data,         AT(STATE_RCPT),  STATE_GREETED, COMMAND_ENDS_GROUP },
	{ "BDAT",     cmd_bdat,         CAN_BDAT,        STATE_BDAT,    COMMAND_HAS_OCTETS },
	{ "RSET",     cmd_rset,         AT_ANY,          UNCHANGED,     COMMAND_JUNK },
	{ "NOOP",     cmd_noop,         AT_ANY,          UNCHANGED,     JUNK_LAST },
	{ "VRFY",     cmd_vrfy,         AT_ANY,          UNCHANGED,     JUNK_LAST },
	{ "ETRN",     cmd_etrn,         CAN_MAIL,        UNCHANGED,     COMMAND_JUNK },
	{ "HELP",     cmd_help,         AT_ANY,          UNCHANGED,     COMMAND_JUNK },
	{ "QUIT",     cmd_quit,         AT_ANY,          UNCHANGED,     0 },
	{ "XCLIENT",  cmd_unauthorized, AT_ANY,          UNCHANGED,     COMMAND_ENDS_GROUP },
	{ "XFORWARD", cmd_unauthorized, AT_ANY,          UNCHANGED,     0 },
	{ "UNKNOWN",  NULL,             AT_ANY,          UNCHANGED,     0 },
};
const size_t command_count = 17;

/* What to say when the legality column says no: the first row that fits. */
static const struct refusal {
	const char *verb;
	unsigned states;
	const char *reply;
} refusals[] = {
	{ "MAIL", AT(STATE_START), "503 5.5.1 Error: send HELO/EHLO first" },
	{ "MAIL", IN_BDAT,         "503 5.5.1 Error: MAIL after BDAT" },
	{ "MAIL", AT_ANY,          "503 5.5.1 Error: nested MAIL command" },
	{ "ETRN", AT(STATE_START), "503 5.5.1 Error: send HELO/EHLO first" },
	{ "ETRN", AT_ANY,          "503 5.5.1 Error: MAIL transaction in progress" },
	{ "RCPT", IN_BDAT,         "503 5.5.1 Error: RCPT after BDAT" },
	{ "RCPT", AT_ANY,          "503 5.5.1 Error: need MAIL command" },
	{ "DATA", IN_BDAT,         "503 5.5.1 Error: DATA after BDAT" },
	{ "BDAT", AT(STATE_BDAT_FAILED), "" }, /* bdat_refuse says it: with the octets */
	{ "",     AT(STATE_MAIL),  "554 5.5.1 Error: no valid recipients" },
	{ "",     AT_ANY,          "503 5.5.1 Error: need RCPT command" },
};
/* clang-format on */

static const struct command *const unknown_command = &commands[16];

const struct command *
command_find(struct view verb)
{
	for (const struct command *c = commands; c < unknown_command; c++)
		if (view_eq_nocase(verb, view_of(c->verb)))
			return c;
	return unknown_command;
}

bool
command_is_legal(const struct command *c, enum smtp_state state, const char **reply_text)
{
	if (c->legal & AT(state))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		const struct refusal *r = &refusals[i];

		if (!(r->states & AT(state)) ||
		    (r->verb[0] && !view_eq(view_of(r->verb), view_of(c->verb))))
			continue;
		*reply_text = r->reply;
		return false;
	}
	assert(false);
	return false;
}

/* True when the verb is in $smtpd_noop_commands, which goes before the table above. */
static bool
verb_is_noop(struct view verb)
{
	struct view rest = view_of(server.v->smtpd_noop_commands), word;

	while (view_next_word(&rest, ", \t\r\n", &word))
		if (view_eq_nocase(word, verb))
			return true;
	return false;
}

/* "Subject: x" where a command should be: an HTTP proxy or a mail body talks. */
static bool
verb_is_header(struct view verb)
{
	return verb.n > 1 && verb.p[verb.n - 1] == ':';
}

/*
 * $smtpd_forbidden_commands. Bytes that no table can be asked for, such as those of a TLS
 * handshake, are forbidden with whatever else is.
 */
static bool
verb_is_forbidden(struct view verb)
{
	const char *why = NULL;

	if (verb.n && (unsigned char)verb.p[0] < ' ')
		return server.v->smtpd_forbidden_commands[0] != '\0';
	return match_list_has_name(server.forbidden_commands, verb, &why) == TABLE_FOUND;
}

static void
unknown_run(struct session *s, const struct command_line *line, struct view whole)
{
	if (verb_is_header(line->verb) || verb_is_forbidden(line->verb)) {
		log_warn("non-SMTP command from %s: %.*s", s->peer.label,
		    (int)(whole.n < 100 ? whole.n : 100), whole.p);
		reply(s, "221 2.7.0 Error: I can break rules, too. Goodbye.");
		s->closing = true;
		return;
	}
	reply(s, "500 5.5.2 Error: command not recognized");
}

/* Bytes that no command has. NUL, CR and other controls are decided here, once. */
static bool
line_is_proper(struct session *s, const struct command_line *line, struct view whole)
{
	if (line->verb.n == 0 || (line->bytes & (COMMAND_HAS_NUL | COMMAND_HAS_CONTROL))) {
		reply(s, "500 5.5.2 Error: bad syntax");
		return false;
	}
	if ((line->bytes & COMMAND_HAS_8BIT) && server.v->smtputf8_enable &&
	    !utf8_is_valid(whole)) {
		reply(s, "500 5.5.2 Error: bad UTF-8 syntax");
		return false;
	}
	return true;
}

/* RFC 2920: a client that says HELO, or a command that ends a group, waits for the answer. */
static bool
pipelining_is_proper(struct session *s, const struct command *c)
{
	bool must_wait = c->flags & COMMAND_ENDS_GROUP;

	if (!s->is_esmtp && !(c->flags & COMMAND_HAS_OCTETS) && c->handler != cmd_quit)
		must_wait = true;
	if (!must_wait || !session_check_pipelining(s) ||
	    !server.v->smtpd_forbid_unauth_pipelining)
		return true;
	reply(s, "554 5.5.0 Error: SMTP protocol synchronization");
	s->closing = true;
	return false;
}

static enum outcome
command_call(struct session *s, const struct command *c, struct view argument)
{
	const char *text = NULL;

	if (s->access_denied && c->handler != cmd_quit) {
		if (c->flags & COMMAND_HAS_OCTETS)
			s->closing = true;
		reply(s, "503 5.7.0 Error: access denied for %s", s->peer.label);
		return REFUSED;
	}
	if ((c->flags & COMMAND_HAS_OCTETS) && ehlo_is_hidden("CHUNKING")) {
		s->closing = true; /* who takes chunks away wants none to be read */
		reply(s, "521 5.5.1 Error: command not implemented");
		return REFUSED;
	}
	if (command_is_legal(c, s->state, &text))
		return c->handler(s, argument);
	if (c->flags & COMMAND_HAS_OCTETS)
		bdat_refuse(s, argument, text);
	else
		reply(s, "%s", text);
	return REFUSED;
}

static void
junk_count(struct session *s)
{
	if (s->junk++ > (uint32_t)server.v->smtpd_junk_command_limit)
		s->errors++;
}

static void
command_account(struct session *s, const struct command *c, enum outcome outcome)
{
	struct command_count *count = &s->counts[c - commands];

	count->total++;
	s->all.total++;
	if (outcome == REFUSED) {
		s->errors++;
		return;
	}
	count->good++;
	s->all.good++;
	if (c->flags & COMMAND_JUNK)
		junk_count(s);
}

void
command_run(struct session *s, struct view whole)
{
	struct command_line line = command_line_split(whole);
	const struct command *c = command_find(line.verb);
	enum outcome outcome = REFUSED;

	s->where = c->verb;
	if (verb_is_noop(line.verb)) {
		reply(s, "250 2.0.0 Ok");
		junk_count(s);
		s->all.good++;
		s->all.total++;
		return;
	}
	if (c == unknown_command && line.verb.n &&
	    (verb_is_forbidden(line.verb) || !(line.bytes & COMMAND_HAS_8BIT))) {
		unknown_run(s, &line, whole);
	} else if (!line_is_proper(s, &line, whole)) {
		s->errors++;
		return;
	} else if (c == unknown_command) {
		unknown_run(s, &line, whole);
	} else if (pipelining_is_proper(s, c)) {
		outcome = command_call(s, c, line.argument);
		if (outcome == DONE && c->after != UNCHANGED)
			s->state = c->after;
	}
	command_account(s, c, outcome);
}
