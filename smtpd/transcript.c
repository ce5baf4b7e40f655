/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was said in a session, for the postmaster: when something went wrong of a kind that
 * notify_classes names, the transcript goes out as a message at the end of the session. Its
 * sender is double_bounce_sender, so that nobody is told when it cannot be delivered.
 *
 * Only the end of a long session is kept. A client who makes errors on purpose must not fill
 * the postmaster's mailbox: there are so many messages a minute and no more.
 */
#include "base/escape.h"
#include "base/log.h"
#include "mail/address.h"
#include "mail/header.h"
#include "proto/submit.h"
#include "smtpd/smtpd.h"

#define KEPT            (8 * 1024)
#define LINE_SHOWN      300
#define SEND_TIME       (30 * SECOND)
#define EACH_MINUTE_MAX 20

static const struct {
	const char *name;
	unsigned trouble;
} classes[] = {
	{ "bounce", TROUBLE_BOUNCE },
	{ "data", TROUBLE_DATA },
	{ "policy", TROUBLE_POLICY },
	{ "protocol", TROUBLE_PROTOCOL },
	{ "resource", TROUBLE_RESOURCE },
	{ "software", TROUBLE_SOFTWARE },
};

unsigned
trouble_classes(struct view text)
{
	struct view word;
	unsigned wanted = 0;

	while (view_next_word(&text, ", \t\r\n", &word))
		for (size_t i = 0; i < ARRAY_LEN(classes); i++)
			if (view_eq_nocase(word, view_of(classes[i].name)))
				wanted |= classes[i].trouble;
	return wanted;
}

/* The first row counts whose text is in the status code behind its class digit. */
static const struct {
	const char *status;
	unsigned trouble;
} troubles[] = {
	{ ".1.3", TROUBLE_PROTOCOL }, /* bad address syntax */
	{ ".1.7", TROUBLE_PROTOCOL },
	{ ".1.", TROUBLE_BOUNCE },
	{ ".2.", TROUBLE_BOUNCE },
	{ ".3.1", TROUBLE_RESOURCE },
	{ ".3.4", TROUBLE_POLICY }, /* larger than allowed */
	{ ".3.", TROUBLE_SOFTWARE },
	{ ".4.2", 0 }, /* the network's */
	{ ".4.", TROUBLE_BOUNCE },
	{ ".5.", TROUBLE_PROTOCOL },
	{ ".6.", TROUBLE_DATA },
	{ ".7.", TROUBLE_POLICY },
};

unsigned
trouble_of_reply(struct view line, const char *where)
{
	struct view status = view_sub(line, 5, line.n);

	if (line.n < 4 || (line.p[0] != '4' && line.p[0] != '5'))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(troubles); i++) {
		if (!view_has_prefix(status, view_of(troubles[i].status)))
			continue;
		if (troubles[i].trouble == TROUBLE_POLICY &&
		    view_eq(view_of(where), VIEW("END-OF-MESSAGE")))
			return TROUBLE_DATA;
		return troubles[i].trouble;
	}
	return TROUBLE_PROTOCOL;
}

/* ---- keeping ---- */

/* Without the first half, from the start of a line on. */
static void
make_room(struct buf *b)
{
	struct view second = view_sub(buf_view(b), b->len / 2, b->len);

	buf_consume(b, b->len / 2 + view_find(second, '\n') + 1);
}

static void
keep(struct session *s, const char *who, struct view line)
{
	struct buf *b = &s->transcript;

	if (!server.notify_classes || s->is_local)
		return;
	if (!b->max)
		buf_init(b, KEPT);
	if (b->len + LINE_SHOWN + 10 > KEPT)
		make_room(b);
	buf_append_str(b, who);
	line = view_trim(view_sub(line, 0, LINE_SHOWN));
	for (size_t i = 0; i < line.n; i++)
		buf_append_char(b, line.p[i] >= ' ' && line.p[i] <= '~' ? line.p[i] : '?');
	buf_append_char(b, '\n');
}

/* What follows AUTH may be a password. */
void
transcript_command(struct session *s, struct view line)
{
	if (view_has_prefix_nocase(line, VIEW("AUTH ")))
		line = VIEW("AUTH (not shown)");
	keep(s, " In:  ", line);
}

void
transcript_reply(struct session *s, struct view line)
{
	s->trouble |= trouble_of_reply(line, s->where);
	keep(s, " Out: ", line);
}

void
transcript_forget(struct session *s)
{
	if (!(s->trouble & server.notify_classes))
		buf_clear(&s->transcript);
}

/* ---- sending ---- */

static bool
is_too_many(void)
{
	static nanoseconds minute;
	static unsigned count;

	if (clock_now() >= minute) {
		minute = clock_deadline(60 * SECOND);
		count = 0;
	}
	if (++count == EACH_MINUTE_MAX + 1)
		log_warn("more than %d sessions with errors in a minute: no transcripts of the "
			 "others",
		    EACH_MINUTE_MAX);
	return count > EACH_MINUTE_MAX;
}

/* An address of main.cf, completed, in internal form. */
static void
configured_address(const char *text, struct buf *out)
{
	struct buf internal = BUF_INIT(ADDRESS_MAX);

	if (!address_unquote(&internal, view_of(text)))
		buf_append_str(&internal, "postmaster");
	route_standard_form(server.v, buf_view(&internal), out);
	buf_done(&internal);
}

static void
text_build(const struct session *s, struct view to, struct buf *out)
{
	struct buf value = BUF_INIT(4 * ADDRESS_MAX + 1000);
	struct view rest = buf_view(&s->transcript), line;

	buf_printf(&value, "Mail Delivery System <MAILER-DAEMON@%s>", server.v->myorigin);
	header_build(out, "From", buf_view(&value));
	buf_clear(&value);
	address_quote(&value, to);
	header_build(out, "To", buf_view(&value));
	buf_clear(&value);
	buf_printf(
	    &value, "%s SMTP server: errors from %s", server.v->mail_name, s->peer.label);
	header_build(out, "Subject", buf_view(&value));
	header_build(out, "Auto-Submitted", VIEW("auto-generated"));
	buf_append_str(out, "\r\nTranscript of session follows.\r\n\r\n");
	while (view_next_word(&rest, "\n", &line))
		buf_printf(out, "%.*s\r\n", VIEW_ARG(line));
	if (s->reason)
		buf_printf(out, "\r\nSession aborted, reason: %s\r\n", s->reason);
	buf_append_str(out, "\r\nFor other details, see the local mail logfile\r\n");
	buf_done(&value);
}

struct notice {
	char id[QUEUE_ID_SIZE];
	struct buf sender, to, text;
};

static bool
submit(struct ipc *cleanup, const struct notice *n, nanoseconds deadline)
{
	struct submit_begin begin = {
		.source = SUBMIT_SMTP, /* all that this user may */
		.queue_id = view_of(n->id),
		.sender = buf_view(&n->sender),
		.client_name = view_of(server.v->myhostname),
		.client_address = VIEW("127.0.0.1"),
		.helo_name = view_of(server.v->myhostname),
		.protocol_name = VIEW("local"),
		.server_name = view_of(server.v->myhostname),
	};
	struct submit_recipient to = { .address = buf_view(&n->to) };
	struct submit_end end = { 0 };
	struct submit_status status;

	return ipc_send(cleanup, &submit_begin_message, &begin, deadline) == IPC_OK &&
	    ipc_send(cleanup, &submit_recipient_message, &to, deadline) == IPC_OK &&
	    ipc_send_data(cleanup, buf_view(&n->text), deadline) == IPC_OK &&
	    ipc_send(cleanup, &submit_end_message, &end, deadline) == IPC_OK &&
	    ipc_expect(cleanup, &submit_status_message, &status, deadline) == IPC_OK &&
	    status.result == SUBMIT_OK;
}

void
transcript_send(struct session *s)
{
	unsigned told = s->trouble & server.notify_classes;
	nanoseconds deadline = clock_deadline(SEND_TIME);
	struct notice n = {
		.sender = BUF_INIT(2 * ADDRESS_MAX),
		.to = BUF_INIT(2 * ADDRESS_MAX),
		.text = BUF_INIT(4 * KEPT),
	};
	struct ipc *cleanup;

	if (!told || s->is_local || is_too_many())
		return;
	queue_id_new(clock_wall(), n.id);
	configured_address(server.v->double_bounce_sender, &n.sender);
	configured_address(told == TROUBLE_BOUNCE ? server.v->bounce_notice_recipient
						  : server.v->error_notice_recipient,
	    &n.to);
	text_build(s, buf_view(&n.to), &n.text);
	cleanup = ipc_pool_take(server.cleanup, deadline, NULL);
	if (cleanup && submit(cleanup, &n, deadline)) {
		ipc_pool_give(server.cleanup, &cleanup);
	} else {
		log_warn("no transcript for %s of the session with %s: cleanup did not take it",
		    told == TROUBLE_BOUNCE ? "bounce_notice_recipient"
					   : "error_notice_recipient",
		    s->peer.label);
		ipc_free(&cleanup);
	}
	buf_done(&n.sender);
	buf_done(&n.to);
	buf_done(&n.text);
}
