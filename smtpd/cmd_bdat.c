/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BDAT (RFC 3030). The octets that a chunk declares are always read, whatever becomes of the
 * chunk; only a chunk that declares far more than any message may have ends the session. A
 * chunk that fails destroys the transaction, and until its last chunk (or RSET) nothing but
 * further chunks is taken for what the client believes to be the same message.
 */
#include "base/log.h"
#include "smtpd/smtpd.h"

#define CHUNKS_FREE 1000 /* chunks of any size ... */
#define CHUNK_LEAST 64   /* ... after which they must have this many bytes on average */

static void
bdat_fail(struct session *s, bool is_last)
{
	session_reset(s);
	if (!is_last && s->state != STATE_START)
		s->state = STATE_BDAT_FAILED;
}

static bool
bdat_take_size(struct session *s, struct view argument, uint64_t *n, bool *is_last)
{
	if (bdat_parse(argument, INT64_MAX, n, is_last))
		return true;
	/* How many octets follow cannot be known, so neither where the next command is. */
	log_warn("%s: malformed BDAT command syntax from %s: BDAT %.*s", session_queue_id(s),
	    s->peer.label, (int)(argument.n < 100 ? argument.n : 100), argument.p);
	reply(s, "501 5.5.4 Syntax: BDAT count [LAST]");
	session_reset(s);
	s->closing = true;
	return false;
}

void
bdat_refuse(struct session *s, struct view argument, const char *text)
{
	bool is_last = false;
	uint64_t n = 0;

	if (!bdat_take_size(s, argument, &n, &is_last))
		return;
	s->in_content = true;
	if (!content_discard(s, n))
		return;
	s->in_content = false;
	if (text[0])
		reply(s, "%s", text);
	else
		reply(s, "551 5.0.0 Discarded %llu bytes after earlier error",
		    (unsigned long long)n);
	bdat_fail(s, is_last);
}

/* What is wrong with the chunk before any of it was read, or NULL. */
static const char *
chunk_refusal(struct session *s, uint64_t n, bool is_last)
{
	struct transaction *t = s->transaction;
	uint64_t limit = (uint64_t)server.v->message_size_limit;
	uint64_t size = content_size(t->content);

	if (n == 0 && !is_last) {
		log_warn("%s: null BDAT request from %s", session_queue_id(s), s->peer.label);
		return "551 5.7.1 Null BDAT request";
	}
	if (limit > 0 && (n > limit || size > limit - n)) {
		log_warn("%s: BDAT request from %s exceeds message size limit",
		    session_queue_id(s), s->peer.label);
		return "552 5.3.4 Chunk exceeds message size limit";
	}
	if (++t->chunk_count > CHUNKS_FREE && size / CHUNK_LEAST < t->chunk_count) {
		log_warn("%s: too many small BDAT requests from %s", session_queue_id(s),
		    s->peer.label);
		return "552 5.3.4 Error: too many small chunks";
	}
	return NULL;
}

static bool
chunk_has_bare_newline(struct session *s)
{
	return s->bare_newline == BARE_REJECT &&
	    (content_notes(s->transaction->content) & DATA_BARE_LF);
}

enum outcome
cmd_bdat(struct session *s, struct view argument)
{
	struct transaction *t = s->transaction;
	const char *refused = NULL;
	enum outcome outcome;
	bool is_last = false;
	uint64_t n = 0;

	if (!bdat_take_size(s, argument, &n, &is_last))
		return REFUSED;
	if (!t->content) {
		refused = access_data(s);
		content_begin(s, t);
	}
	if (!refused)
		refused = chunk_refusal(s, n, is_last);
	s->in_content = true;
	if (!(refused ? content_discard(s, n) : content_read_octets(s, t->content, n)))
		return REFUSED;
	s->in_content = false;
	s->deadline = clock_deadline(server.v->smtpd_timeout);
	if (refused) {
		reply_refusal(s, refused);
		bdat_fail(s, is_last);
		return REFUSED;
	}
	if (is_last || chunk_has_bare_newline(s)) {
		outcome = content_finish(s, t, true);
		bdat_fail(s, is_last);
		return outcome == DONE ? DONE_OTHERWISE : outcome;
	}
	reply(s, "250 2.0.0 Ok: %llu bytes", (unsigned long long)n);
	return DONE;
}
