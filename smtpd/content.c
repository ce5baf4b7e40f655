/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The content of a message as it comes from the client. A small message is collected and handed
 * over at its end (handover.c); a larger one is passed on piece by piece, so the memory of a
 * session does not depend on the size of the message.
 *
 * Whatever goes wrong on the way, the client's bytes are read up to the end it declared: only a
 * client that goes far beyond the limit loses the connection.
 */
#include "smtpd/content.h"

#include "base/log.h"

#define READ_MAX       16384
#define COLLECT_MAX    (56 * 1024) /* held back before cleanup is asked */
#define COLLECT_ROOM   (COLLECT_MAX + 2 * READ_MAX + 16)
#define DISCARD_FACTOR 10 /* of message_size_limit ... */
#define DISCARD_LEAST  ((uint64_t)100 * 1024 * 1024)

void
content_begin(struct session *s, struct transaction *t)
{
	struct content *c = NEW(struct content);

	data_decoder_init(&c->decoder);
	line_normalizer_init(&c->normalizer);
	buf_init(&c->out, COLLECT_ROOM);
	c->started = clock_now();
	t->content = c;
	s->content_bytes = 0;
}

void
content_free(struct content **c)
{
	if (!*c)
		return;
	handover_abort(*c);
	buf_done(&(*c)->out);
	mem_free(*c);
	*c = NULL;
}

uint64_t
content_size(const struct content *c)
{
	return c->size;
}

bool
content_is_too_big(const struct content *c)
{
	return c->too_big;
}

unsigned
content_notes(const struct content *c)
{
	return c->is_bdat ? c->normalizer.notes : c->decoder.notes;
}

/* Counts what was decoded, and decides what becomes of it. */
static void
content_account(struct session *s, struct content *c, size_t decoded, size_t wire)
{
	uint64_t limit = (uint64_t)server.v->message_size_limit;

	c->size += decoded;
	c->received += wire;
	s->content_bytes += wire;
	if (limit > 0 && c->size > limit && !c->too_big) {
		c->too_big = true;
		handover_abort(c);
		log_warn("%s: queue file size limit exceeded", s->transaction->queue_id);
	}
	if (c->too_big || c->failed || s->transaction->discard)
		buf_clear(&c->out);
	else if (c->out.len > COLLECT_MAX)
		handover_collected(s, c);
}

static uint64_t
discard_cap(void)
{
	uint64_t limit = (uint64_t)server.v->message_size_limit;

	if (limit == 0 || limit > UINT64_MAX / DISCARD_FACTOR - DISCARD_LEAST)
		return UINT64_MAX;
	return limit * DISCARD_FACTOR + DISCARD_LEAST;
}

static bool
read_piece(struct session *s, struct content *c, size_t max, struct view *bytes)
{
	enum stream_result r = stream_read_some(
	    s->stream, max, bytes, content_deadline(c->started, s->content_bytes));

	if (r == STREAM_OK)
		return true;
	session_lost(s, r);
	return false;
}

bool
content_read_data(struct session *s, struct content *c)
{
	struct view bytes;

	while (!c->decoder.done) {
		size_t before = c->out.len, used;

		if (!read_piece(s, c, READ_MAX, &bytes))
			return false;
		used = data_decoder_feed(&c->decoder, bytes, &c->out);
		if (used < bytes.n)
			stream_unread(s->stream, bytes.n - used);
		content_account(s, c, c->out.len - before, used);
		if (c->too_big && c->received > discard_cap()) {
			reply(s, "552 5.3.4 Error: message file too big");
			s->closing = true;
			return false;
		}
	}
	return true;
}

bool
content_read_octets(struct session *s, struct content *c, uint64_t n)
{
	struct view bytes;

	c->is_bdat = true;
	c->started = clock_now(); /* each chunk is a request of its own */
	s->content_bytes = 0;
	while (n) {
		size_t before = c->out.len;

		if (!read_piece(s, c, n < READ_MAX ? (size_t)n : READ_MAX, &bytes))
			return false;
		n -= bytes.n;
		line_normalizer_feed(&c->normalizer, bytes, &c->out);
		content_account(s, c, c->out.len - before, bytes.n);
	}
	return true;
}

bool
content_discard(struct session *s, uint64_t n)
{
	uint64_t cap = discard_cap(), left = n < cap ? n : cap;
	nanoseconds started = clock_now();
	struct view bytes;

	s->content_bytes = 0;
	while (left) {
		enum stream_result r =
		    stream_read_some(s->stream, left < READ_MAX ? (size_t)left : READ_MAX,
			&bytes, content_deadline(started, s->content_bytes));

		if (r != STREAM_OK) {
			session_lost(s, r);
			return false;
		}
		left -= bytes.n;
		s->content_bytes += bytes.n;
	}
	if (n > cap)
		s->closing = true;
	return true;
}
