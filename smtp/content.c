/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The message on its way to the server. Header and body lie next to each other in the queue
 * file: a message that fits one chunk is read with one call and written with one, end of data
 * included.
 *
 * The body's checksum is compared before the end of data is said: a damaged message is broken
 * off, and the server drops it.
 */
#include <errno.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/file.h"
#include "base/mem.h"
#include "smtp/client.h"
#include "smtp/data_encoder.h"

#define CHUNK ((size_t)128 * 1024)
#define DOING "sending message body"

struct extent {
	uint64_t offset, length;
};

struct content {
	struct delivery *d;
	struct session *s;
	struct data_encoder encoder;
	struct buf out; /* encoded, not written yet */
	char *in;
	uint32_t crc;
	struct problem *problem;
};

static bool
read_at(struct content *c, uint64_t offset, size_t n)
{
	if (file_pread_all(c->d->job->request.message, c->in, n, (off_t)offset))
		return true;
	c->problem = problem_new(c->d, NULL, "4.3.0", "cannot read the queue file: %s",
	    errno ? strerror(errno) : "it is shorter than it says");
	c->problem->is_final = true;
	return false;
}

static bool
flush(struct content *c)
{
	enum stream_result result =
	    chat_write(c->s, buf_view(&c->out), client.options.data_xfer_timeout);

	buf_clear(&c->out);
	if (result == STREAM_OK)
		return true;
	c->problem = problem_of_stream(c->d, c->s, result, DOING);
	return false;
}

static void
header_feed(struct content *c, struct view piece)
{
	data_encoder_feed(&c->encoder, piece, &c->out);
}

static void
body_feed(struct content *c, struct view piece)
{
	c->crc = crc32c(c->crc, piece.p, piece.n);
	data_encoder_feed(&c->encoder, piece, &c->out);
}

static bool
extent_send(struct content *c, struct extent e, void (*feed)(struct content *, struct view))
{
	while (e.length) {
		size_t n = e.length < CHUNK ? (size_t)e.length : CHUNK;

		if (!read_at(c, e.offset, n))
			return false;
		feed(c, (struct view){ c->in, n });
		if (c->out.len >= CHUNK && !flush(c))
			return false;
		e.offset += n;
		e.length -= n;
	}
	return true;
}

static bool
send_pieces(struct content *c, struct extent header, struct extent body)
{
	c->in = mem_alloc(CHUNK);
	if (!extent_send(c, header, header_feed))
		return false;
	header_feed(c, VIEW("\r\n"));
	return extent_send(c, body, body_feed);
}

static bool
send_at_once(struct content *c, struct extent header, struct extent body, struct extent both)
{
	struct view all;

	c->in = mem_alloc((size_t)both.length + 1);
	if (!read_at(c, both.offset, (size_t)both.length))
		return false;
	all = (struct view){ c->in, (size_t)both.length };
	header_feed(c, view_sub(all, (size_t)(header.offset - both.offset), header.length));
	header_feed(c, VIEW("\r\n"));
	body_feed(c, view_sub(all, (size_t)(body.offset - both.offset), body.length));
	return true;
}

/* The stretch of the file that holds both; false when it is too long for one read. */
static bool
extents_join(struct extent a, struct extent b, struct extent *both)
{
	uint64_t a_end, b_end;

	if (__builtin_add_overflow(a.offset, a.length, &a_end) ||
	    __builtin_add_overflow(b.offset, b.length, &b_end))
		return false;
	both->offset = a.offset < b.offset ? a.offset : b.offset;
	both->length = (a_end > b_end ? a_end : b_end) - both->offset;
	return both->length <= CHUNK;
}

/* A server that answers before the end of data has its reasons, or is out of step. */
static bool
server_is_silent(struct content *c)
{
	enum stream_result result;

	if (!stream_has_input(c->s->stream))
		return true;
	result = chat_read(c->s, client.options.data_done_timeout);
	if (result == STREAM_OK && server_reply_class(&c->s->reply) >= 4)
		c->problem = problem_of_reply(c->d, c->s, "message body");
	else
		c->problem = problem_of_stream(
		    c->d, c->s, result == STREAM_OK ? STREAM_TOO_LONG : result, DOING);
	return false;
}

static bool
send_all(struct content *c)
{
	const struct deliver_request *r = &c->d->job->request;
	struct extent header = { r->header_offset, r->header_length };
	struct extent body = { r->body_offset, r->body_length }, both;
	bool ok = extents_join(header, body, &both) ? send_at_once(c, header, body, both)
						    : send_pieces(c, header, body);

	if (!ok)
		return false;
	if (c->crc != (uint32_t)r->body_crc) {
		c->problem = problem_new(c->d, NULL, "4.3.0",
		    "the queue file is damaged: its body has the wrong checksum");
		c->problem->is_final = true;
		return false;
	}
	data_encoder_end(&c->encoder, &c->out);
	return server_is_silent(c) && flush(c);
}

struct problem *
content_send(struct delivery *d, struct session *s)
{
	struct content c = { .d = d, .s = s };

	buf_init(&c.out, 4 * CHUNK);
	data_encoder_init(&c.encoder);
	(void)send_all(&c);
	buf_done(&c.out);
	mem_free(c.in);
	return c.problem;
}
