/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log lines of a session, in the form that log readers know from Postfix. The log escapes
 * what comes from outside.
 */
#include <stdio.h>

#include "base/log.h"
#include "mail/address.h"
#include "smtpd/smtpd.h"

#define PIPELINED_SHOWN 100 /* bytes of unexpected input in the log */

const char *
session_queue_id(const struct session *s)
{
	return s->transaction && s->transaction->queue_id[0] ? s->transaction->queue_id
							     : "NOQUEUE";
}

void
session_log_context(
    const struct session *s, struct view recipient, bool has_recipient, struct buf *out)
{
	buf_append_char(out, ';');
	if (s->transaction) {
		buf_append_str(out, " from=<");
		address_quote(out, s->transaction->sender);
		buf_append_char(out, '>');
	}
	if (has_recipient) {
		buf_append_str(out, " to=<");
		address_quote(out, recipient);
		buf_append_char(out, '>');
	}
	buf_printf(out, " proto=%s", s->is_esmtp ? "ESMTP" : "SMTP");
	if (s->helo)
		buf_printf(out, " helo=<%s>", s->helo);
}

static void
count_print(struct buf *out, const char *name, const struct command_count *count)
{
	if (count->good == count->total)
		buf_printf(out, " %s=%u", name, count->total);
	else
		buf_printf(out, " %s=%u/%u", name, count->good, count->total);
}

void
session_log_disconnect(const struct session *s)
{
	struct buf out = BUF_INIT(1000);
	char name[16];

	for (size_t i = 0; i < command_count; i++) {
		size_t n = 0;

		if (s->counts[i].total == 0)
			continue;
		for (; commands[i].verb[n] && n < sizeof(name) - 1; n++)
			name[n] = char_lower(commands[i].verb[n]);
		name[n] = '\0';
		count_print(&out, name, &s->counts[i]);
	}
	if (s->all.total)
		count_print(&out, "commands", &s->all);
	else
		buf_append_str(&out, " commands=0/0");
	if (s->bare_newline_seen && s->bare_newline == BARE_NOTE)
		buf_append_str(&out, " notes=bare_lf");
	log_info("disconnect from %s%s", s->peer.label, buf_str(&out));
	buf_done(&out);
}

static void
pipelined_log(struct session *s)
{
	struct buf shown = BUF_INIT(4 * PIPELINED_SHOWN);
	struct view bytes;

	if (stream_read_some(s->stream, PIPELINED_SHOWN, &bytes, s->deadline) != STREAM_OK)
		return;
	for (size_t i = 0; i < bytes.n; i++) {
		if (bytes.p[i] == '\r')
			buf_append_str(&shown, "\\r");
		else if (bytes.p[i] == '\n')
			buf_append_str(&shown, "\\n");
		else
			buf_append_char(&shown, bytes.p[i]);
	}
	stream_unread(s->stream, bytes.n);
	log_info("improper command pipelining after %s from %s: %.*s", s->where, s->peer.label,
	    VIEW_ARG(buf_view(&shown)));
	buf_done(&shown);
}

bool
session_check_pipelining(struct session *s)
{
	if (s->is_local || !stream_has_input(s->stream))
		return false;
	if (!s->pipelining_logged)
		pipelined_log(s);
	s->pipelining_logged = true;
	return true;
}
