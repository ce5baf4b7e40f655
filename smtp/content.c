/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The message on its way to the server. Header and body lie next to each other in the queue
 * file: a message that fits one chunk is read with one call and written with one, end of data
 * included.
 *
 * What must be changed for this server goes through filters, each from one buffer to the next.
 * BDAT announces the size before the first byte, so nothing may change it then: text that is
 * not as the queue promised breaks the session off, as does a body whose checksum is wrong.
 * Either is noticed before the end of data, and the server drops the message.
 */
#include <errno.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/file.h"
#include "base/mem.h"
#include "mail/to_7bit.h"
#include "queue/queue_file.h"
#include "smtp/client.h"
#include "smtp/data_decoder.h"
#include "smtp/data_encoder.h"
#include "smtp/line_folder.h"
#include "task/task.h"

#define AT_ONCE_MAX ((size_t)128 * 1024)
#define CHUNK       ((size_t)64 * 1024) /* of a longer message: a slow server holds it long */
#define OUT_MAX     (16 * AT_ONCE_MAX)  /* four times as long by encoding, with dots */
#define LINE_USUAL  998                 /* RFC 5321 4.5.3.1.6 */
#define DOING       "sending message body"

struct extent {
	uint64_t offset, length;
};

struct content {
	struct delivery *d;
	struct session *s;
	const struct content_plan *plan;
	struct extent header, body;
	char *in; /* a chunk as it was read */
	uint32_t crc;

	struct to_7bit *to_7bit;
	struct line_folder folder;
	struct data_encoder encoder;
	struct line_normalizer normalizer;
	struct buf converted, folded;
	struct buf out; /* not written yet */

	uint64_t announced; /* by BDAT: bytes left */
	nanoseconds deadline;
	struct problem *problem;
};

struct content_plan
content_plan(const struct delivery *d, const struct session *s)
{
	uint64_t flags = d->job->request.flags;
	unsigned offered = s->ehlo.features;
	int limit = client.options.line_length_limit;
	struct content_plan plan;

	plan.to_7bit = (flags & QUEUE_FLAG_8BIT) && !(offered & EHLO_8BITMIME) &&
	    !client.conf->disable_mime_output_conversion;
	plan.folds_lines = limit > 0 && ((flags & QUEUE_FLAG_LONG_LINES) || limit < LINE_USUAL);
	plan.by_bdat = client.options.chunking && (offered & EHLO_CHUNKING) && !plan.to_7bit &&
	    !plan.folds_lines;
	return plan;
}

/* ---- writing ---- */

/* With a deadline for the whole, what was sent in time buys more of it. */
static nanoseconds
write_time(const struct content *c)
{
	nanoseconds left = c->deadline - clock_now();

	if (!client.options.per_request_deadline)
		return client.options.data_xfer_timeout;
	return left > 0 ? left : 0;
}

static void
deadline_extend(struct content *c, size_t sent)
{
	nanoseconds most = clock_deadline(client.options.data_xfer_timeout);

	c->deadline +=
	    (nanoseconds)(sent * (uint64_t)SECOND / (uint64_t)client.options.min_data_rate);
	if (c->deadline > most)
		c->deadline = most;
}

static bool
flush(struct content *c)
{
	enum stream_result result = chat_write(c->s, buf_view(&c->out), write_time(c));

	deadline_extend(c, c->out.len);
	buf_clear(&c->out);
	if (result == STREAM_OK)
		return true;
	c->problem = problem_of_stream(c->d, c->s, result, DOING);
	return false;
}

static bool
is_damaged(struct content *c, const char *what)
{
	c->problem = problem_new(c->d, NULL, "4.3.0", "the queue file is damaged: %s", what);
	c->problem->is_final = true;
	return false;
}

/* ---- filters ---- */

static void
wire_feed(struct content *c, struct view piece)
{
	if (c->plan->by_bdat)
		line_normalizer_feed(&c->normalizer, piece, &c->out);
	else
		data_encoder_feed(&c->encoder, piece, &c->out);
}

static void
fold_feed(struct content *c, struct view piece)
{
	if (!c->plan->folds_lines) {
		wire_feed(c, piece);
		return;
	}
	buf_clear(&c->folded);
	line_folder_feed(&c->folder, piece, &c->folded);
	wire_feed(c, buf_view(&c->folded));
}

static void
text_feed(struct content *c, struct view piece)
{
	if (!c->plan->to_7bit) {
		fold_feed(c, piece);
		return;
	}
	buf_clear(&c->converted);
	to_7bit_feed(c->to_7bit, piece, &c->converted);
	fold_feed(c, buf_view(&c->converted));
}

static void
body_feed(struct content *c, struct view piece)
{
	c->crc = crc32c(c->crc, piece.p, piece.n);
	text_feed(c, piece);
}

static void
scan_feed(struct content *c, struct view piece)
{
	to_7bit_scan(c->to_7bit, piece);
}

static bool
has_overflow(const struct content *c)
{
	return c->out.overflow || c->folded.overflow || c->converted.overflow;
}

/* ---- reading ---- */

static bool
read_at(struct content *c, uint64_t offset, size_t n)
{
	if (file_pread_all(c->d->job->request.message, c->in, n, (off_t)offset))
		return true;
	if (!errno)
		return is_damaged(c, "it is shorter than it says");
	c->problem =
	    problem_new(c->d, NULL, "4.3.0", "cannot read the queue file: %s", strerror(errno));
	c->problem->is_final = true;
	return false;
}

/* Writes what has gathered; by BDAT never more than was announced. */
static bool
write_gathered(struct content *c)
{
	if (has_overflow(c))
		return is_damaged(c, "its text cannot be converted");
	if (c->plan->by_bdat) {
		if (c->out.len > c->announced)
			return is_damaged(c, "its lines have other ends than CRLF");
		c->announced -= c->out.len;
	}
	return flush(c);
}

static bool
extent_walk(struct content *c, struct extent e, void (*feed)(struct content *, struct view))
{
	while (e.length) {
		size_t n = e.length < CHUNK ? (size_t)e.length : CHUNK;

		if (!read_at(c, e.offset, n))
			return false;
		feed(c, (struct view){ c->in, n });
		if (c->out.len >= CHUNK && !write_gathered(c))
			return false;
		e.offset += n;
		e.length -= n;
	}
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
	return both->length <= AT_ONCE_MAX;
}

/* The header of the file, or the one that was made for this server. */
static bool
header_walk(struct content *c, void (*feed)(struct content *, struct view))
{
	if (!c->d->header.p)
		return extent_walk(c, c->header, feed);
	for (size_t at = 0; at < c->d->header.n; at += CHUNK) {
		feed(c, view_sub(c->d->header, at, CHUNK));
		if (c->out.len >= CHUNK && !write_gathered(c))
			return false;
	}
	return true;
}

static bool
scan(struct content *c)
{
	if (!header_walk(c, scan_feed))
		return false;
	scan_feed(c, VIEW("\r\n"));
	if (!extent_walk(c, c->body, scan_feed))
		return false;
	to_7bit_start(c->to_7bit);
	return true;
}

static bool
send_pieces(struct content *c)
{
	if (!header_walk(c, text_feed))
		return false;
	text_feed(c, VIEW("\r\n"));
	return extent_walk(c, c->body, body_feed);
}

static bool
send_at_once(struct content *c, struct extent both)
{
	struct view all = { c->in, (size_t)both.length };
	size_t header = (size_t)(c->header.offset - both.offset);
	size_t body = (size_t)(c->body.offset - both.offset);

	if (!read_at(c, both.offset, (size_t)both.length))
		return false;
	text_feed(
	    c, c->d->header.p ? c->d->header : view_sub(all, header, (size_t)c->header.length));
	text_feed(c, VIEW("\r\n"));
	body_feed(c, view_sub(all, body, (size_t)c->body.length));
	return true;
}

/* ---- the end ---- */

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

static void
finish_filters(struct content *c)
{
	if (c->plan->to_7bit) {
		buf_clear(&c->converted);
		to_7bit_end(c->to_7bit, &c->converted);
		fold_feed(c, buf_view(&c->converted));
	}
	if (!c->plan->by_bdat) {
		data_encoder_end(&c->encoder, &c->out);
		return;
	}
	line_normalizer_end(&c->normalizer, &c->out);
	if (c->body.length && (c->d->job->request.flags & QUEUE_FLAG_NO_FINAL_CRLF))
		buf_append_str(&c->out, "\r\n");
}

/* The text first, and the end of data in a packet of its own. */
static bool
dot_delay(struct content *c)
{
	if (!write_gathered(c))
		return false;
	if (task_sleep(client.options.pix_workaround_delay_time) == TASK_OK)
		return true;
	c->problem = problem_of_stream(c->d, c->s, STREAM_CANCELLED, DOING);
	return false;
}

static bool
send_end(struct content *c)
{
	if (c->crc != (uint32_t)c->d->job->request.body_crc)
		return is_damaged(c, "its body has the wrong checksum");
	if (pix_delays(c->d, c->s) && !dot_delay(c))
		return false;
	finish_filters(c);
	if (c->plan->by_bdat && c->out.len != c->announced)
		return is_damaged(c, "its text has another length than it says");
	return server_is_silent(c) && write_gathered(c);
}

static bool
announce(struct content *c)
{
	const struct deliver_request *r = &c->d->job->request;
	struct buf line = BUF_INIT(100);
	enum stream_result result;

	c->announced =
	    (c->d->header.p ? c->d->header.n : r->header_length) + 2 + r->body_length;
	if (r->body_length && (r->flags & QUEUE_FLAG_NO_FINAL_CRLF))
		c->announced += 2;
	buf_printf(&line, "BDAT %llu LAST\r\n", (unsigned long long)c->announced);
	/* It leaves with the first of the content. */
	result = stream_write(c->s->stream, buf_view(&line), clock_deadline(write_time(c)));
	buf_done(&line);
	if (result != STREAM_OK)
		c->problem = problem_of_stream(c->d, c->s, result, DOING);
	return result == STREAM_OK;
}

static bool
send_all(struct content *c)
{
	struct extent both = { 0 };
	bool at_once = !c->plan->to_7bit && c->d->header.n <= AT_ONCE_MAX &&
	    extents_join(c->header, c->body, &both);

	c->in = mem_alloc(at_once ? (size_t)both.length + 1 : CHUNK);
	if (c->plan->to_7bit && !scan(c))
		return false;
	if (c->plan->by_bdat && !announce(c))
		return false;
	return (at_once ? send_at_once(c, both) : send_pieces(c)) && send_end(c);
}

static struct mime_limits
mime_limits(void)
{
	return (struct mime_limits){
		.nesting = (unsigned)client.conf->mime_nesting_limit,
		.boundary_length = (size_t)client.conf->mime_boundary_length_limit,
		.header_size = (size_t)client.conf->header_size_limit,
	};
}

struct problem *
content_send(struct delivery *d, struct session *s, const struct content_plan *plan)
{
	const struct deliver_request *r = &d->job->request;
	struct mime_limits limits = mime_limits();
	struct content c = {
		.d = d,
		.s = s,
		.plan = plan,
		.header = { r->header_offset, r->header_length },
		.body = { r->body_offset, r->body_length },
		.to_7bit = plan->to_7bit ? to_7bit_new(&limits) : NULL,
		.deadline = clock_deadline(client.options.data_xfer_timeout),
	};

	buf_init(&c.converted, OUT_MAX);
	buf_init(&c.folded, OUT_MAX);
	buf_init(&c.out, OUT_MAX);
	line_folder_init(&c.folder, (size_t)client.options.line_length_limit);
	data_encoder_init(&c.encoder);
	line_normalizer_init(&c.normalizer);
	(void)send_all(&c);
	to_7bit_free(&c.to_7bit);
	buf_done(&c.converted);
	buf_done(&c.folded);
	buf_done(&c.out);
	mem_free(c.in);
	return c.problem;
}
