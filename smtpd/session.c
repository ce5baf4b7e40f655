/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection from greeting to the last log line, written as the protocol is: read a line,
 * run it, until somebody has had enough. Replies wait in the stream's buffer until the session
 * waits for input; a client that does not read its replies therefore stops being read itself.
 */
#include <sys/socket.h>

#include "base/log.h"
#include "smtpd/smtpd.h"

#define LONG_LINE_CAP (64 * 1024) /* bytes of one command line that are read at most */
#define LINGER_TIME   (2 * SECOND)
#define LINGER_BYTES  (1024 * 1024)
#define FAREWELL_TIME (5 * SECOND)

static enum bare_newline
bare_newline_for(const struct session *s)
{
	const char *why = NULL;

	if (s->is_local)
		return BARE_NO;
	if (match_list_has_address(server.bare_newline_exclusions,
		(const struct sockaddr *)&s->peer.sa, view_of(s->peer.name),
		&why) == TABLE_FOUND)
		return BARE_NO;
	return server.bare_newline;
}

static struct session *
session_new(const struct service_connection *c)
{
	struct session *s = NEW(struct session);

	s->stream = stream_new_nonblocking(c->fd);
	s->where = "CONNECT";
	s->is_local = service_is_stand_alone();
	s->state = server.v->smtpd_helo_required ? STATE_START : STATE_GREETED;
	s->deadline = clock_deadline(server.v->smtpd_timeout);
	peer_init(&s->peer, c);
	s->bare_newline = bare_newline_for(s);
	return s;
}

static void
session_free(struct session **s)
{
	client_uncount(*s);
	transaction_free(&(*s)->transaction);
	stream_free(&(*s)->stream);
	arena_reset(&(*s)->arena);
	buf_done(&(*s)->transcript);
	peer_done(&(*s)->peer);
	mem_free((*s)->helo);
	mem_free(*s);
	*s = NULL;
}

void
session_reset(struct session *s)
{
	transaction_free(&s->transaction);
	if (s->state != STATE_START)
		s->state = STATE_GREETED;
}

void
session_lost(struct session *s, enum stream_result r)
{
	s->closing = true;
	if (s->broken)
		return;
	if (r == STREAM_TIMEOUT && !s->reason) {
		s->reason = "timeout";
		s->deadline = clock_deadline(FAREWELL_TIME);
		reply(s, "421 4.4.2 %s Error: timeout exceeded", server.v->myhostname);
		return;
	}
	s->broken = true;
	if (!s->reason && r != STREAM_CANCELLED)
		s->reason = "lost connection";
}

/* Refuses a line without end, reading on to its end, but not for ever. */
static void
long_line_refuse(struct session *s, size_t max)
{
	bool logged = false, ended = false;
	struct view bytes;
	size_t total = 0;

	while (!ended && total < LONG_LINE_CAP) {
		enum stream_result r = stream_read_some(s->stream, max, &bytes, s->deadline);
		size_t end;

		if (r != STREAM_OK) {
			session_lost(s, r);
			return;
		}
		if (!logged)
			log_warn("%s: request longer than %zu: %.*s...", s->peer.label, max,
			    (int)(bytes.n < 30 ? bytes.n : 30), bytes.p);
		logged = true;
		end = view_find(bytes, '\n');
		ended = end < bytes.n;
		if (ended)
			stream_unread(s->stream, bytes.n - end - 1);
		total += bytes.n;
	}
	s->errors++;
	reply(s, "500 5.5.2 Error: line too long");
	if (!ended)
		s->closing = true;
}

static void
bare_newline_refuse(struct session *s)
{
	struct buf context = BUF_INIT(LOG_LINE_MAX);

	session_log_context(s, VIEW_NONE, false, &context);
	log_info("%s: reject: %s from %s: bare <LF> received%s", session_queue_id(s), s->where,
	    s->peer.label, buf_str(&context));
	buf_done(&context);
	reply(s, "%d 5.5.2 %s Error: bare <LF> received",
	    server.v->smtpd_forbid_bare_newline_reject_code, server.v->myhostname);
	s->closing = true;
}

static void
session_turn(struct session *s)
{
	size_t max = (size_t)server.v->line_length_limit;
	enum stream_result r;
	struct view line;
	bool ended_with_crlf = true;

	if (max > STREAM_INPUT_SIZE - 2)
		max = STREAM_INPUT_SIZE - 2;
	s->deadline = clock_deadline(server.v->smtpd_timeout);
	r = stream_read_line(s->stream, max, &line, &ended_with_crlf, s->deadline);
	if (r == STREAM_TOO_LONG) {
		long_line_refuse(s, max);
		return;
	}
	if (r != STREAM_OK) {
		session_lost(s, r);
		return;
	}
	s->deadline = clock_deadline(server.v->smtpd_timeout);
	if (!ended_with_crlf) {
		s->bare_newline_seen = true;
		if (s->bare_newline == BARE_REJECT) {
			bare_newline_refuse(s);
			return;
		}
	}
	transcript_command(s, line);
	/* A handler may wait on the stream, and the line is in the stream's buffer. */
	command_run(s, arena_view(&s->arena, line));
	arena_reset(&s->arena);
}

static void
session_loop(struct session *s)
{
	while (!s->closing) {
		if (s->errors >= (uint32_t)server.v->smtpd_hard_error_limit) {
			s->reason = "too many errors";
			s->closing = true;
			reply(s, "421 4.7.0 %s Error: too many errors", server.v->myhostname);
			return;
		}
		session_turn(s);
	}
}

/* Everything that is decided before the greeting. */
static void
session_greet(struct session *s)
{
	const char *refused;

	if (!client_count(s)) {
		reply(s, "421 4.7.0 %s Error: too many connections from %s",
		    server.v->myhostname, s->peer.address);
		s->closing = true;
		return;
	}
	if (session_check_pipelining(s) && server.v->smtpd_forbid_unauth_pipelining) {
		reply(s, "554 5.5.0 Error: SMTP protocol synchronization");
		s->closing = true;
		return;
	}
	refused = access_connect(s);
	if (refused) {
		s->access_denied = true;
		reply_refusal(s, refused);
	} else {
		reply(s, "220 %s", server.v->smtpd_banner);
	}
	arena_reset(&s->arena);
}

/*
 * Says goodbye so that the last reply arrives: with input unread, a close would make the kernel
 * send a reset that overtakes it. A client that has said QUIT sends no more.
 */
static void
session_linger(struct session *s)
{
	nanoseconds deadline = clock_deadline(LINGER_TIME);
	struct view bytes;
	size_t total = 0;

	if (s->broken || stream_flush(s->stream, clock_deadline(FAREWELL_TIME)) != STREAM_OK ||
	    s->is_local || (s->has_quit && stream_buffered(s->stream) == 0) ||
	    shutdown(stream_fd(s->stream), SHUT_WR) < 0)
		return;
	while (total < LINGER_BYTES &&
	    stream_read_some(s->stream, STREAM_INPUT_SIZE, &bytes, deadline) == STREAM_OK)
		total += bytes.n;
}

/* A client that hangs up instead of QUIT once its mail is safe: nothing was lost. */
static bool
is_farewell(const struct session *s)
{
	return view_eq(view_of(s->where), VIEW("END-OF-MESSAGE")) &&
	    view_eq(view_of(s->reason), VIEW("lost connection"));
}

static void
session_log_end(const struct session *s)
{
	if (s->reason && s->in_content)
		log_info("%s after %s (%llu bytes) from %s", s->reason, s->where,
		    (unsigned long long)s->content_bytes, s->peer.label);
	else if (s->reason && !is_farewell(s))
		log_info("%s after %s from %s", s->reason, s->where, s->peer.label);
	session_log_disconnect(s);
}

void
session_run(const struct service_connection *c)
{
	struct session *s = session_new(c);

	log_info("connect from %s", s->peer.label);
	session_greet(s);
	session_loop(s);
	transaction_free(&s->transaction);
	session_log_end(s);
	session_linger(s);
	transcript_send(s);
	session_free(&s);
}
