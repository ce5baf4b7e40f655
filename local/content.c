/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the queue file to a mailbox: our own lines first, then the header, an empty line and the
 * body, CRLF turned into LF. The body's checksum is compared at the end, before the caller
 * makes the message visible.
 *
 * Header and body lie next to each other in the queue file: a message that fits one chunk is
 * read with one call and written with one.
 */
#include <errno.h>
#include <sys/types.h>

#include "base/crc32c.h"
#include "base/file.h"
#include "base/mem.h"
#include "local/deliver_file.h"
#include "mail/mbox.h"

#define CHUNK ((size_t)128 * 1024)

struct extent {
	uint64_t offset, length;
};

struct copy {
	struct deliver_file *d;
	int fd;
	uint64_t room; /* bytes that may still be written */
	struct mbox_encoder encoder;
	struct buf out; /* encoded, not written yet */
	char *in;       /* CHUNK bytes */
	uint32_t crc;
};

static bool
copy_flush(struct copy *c)
{
	bool ok;

	if (c->out.len > c->room)
		return deliver_fail_errno(c->d, "error writing message", EFBIG);
	ok = c->out.len == 0 || file_write_all(c->fd, c->out.data, c->out.len);
	c->room -= c->out.len;
	buf_clear(&c->out);
	return ok || deliver_fail_errno(c->d, "error writing message", errno);
}

static bool
copy_read(struct copy *c, uint64_t offset, size_t n)
{
	if (file_pread_all(c->d->job->message, c->in, n, (off_t)offset))
		return true;
	if (errno)
		return deliver_end(
		    c->d, DELIVER_DEFERRED, "4.3.0", "cannot read the queue file: %m");
	return deliver_end(
	    c->d, DELIVER_DEFERRED, "4.3.0", "the queue file is shorter than it says");
}

static void
copy_header(struct copy *c, struct view piece)
{
	mbox_encoder_feed(&c->encoder, piece, &c->out);
}

static void
copy_body(struct copy *c, struct view piece)
{
	c->crc = crc32c(c->crc, piece.p, piece.n);
	mbox_encoder_feed(&c->encoder, piece, &c->out);
}

static bool
copy_extent(struct copy *c, struct extent e, void (*feed)(struct copy *, struct view))
{
	while (e.length) {
		size_t n = e.length < CHUNK ? (size_t)e.length : CHUNK;

		if (!copy_read(c, e.offset, n))
			return false;
		feed(c, (struct view){ c->in, n });
		if (c->out.len >= CHUNK && !copy_flush(c))
			return false;
		e.offset += n;
		e.length -= n;
	}
	return true;
}

static bool
copy_pieces(struct copy *c, struct extent header, struct extent body)
{
	c->in = mem_alloc(CHUNK);
	if (!copy_extent(c, header, copy_header))
		return false;
	copy_header(c, VIEW("\r\n"));
	return copy_extent(c, body, copy_body);
}

static bool
copy_at_once(struct copy *c, struct extent header, struct extent body, struct extent both)
{
	struct view all;

	c->in = mem_alloc((size_t)both.length + 1);
	if (!copy_read(c, both.offset, (size_t)both.length))
		return false;
	all = (struct view){ c->in, (size_t)both.length };
	copy_header(c, view_sub(all, (size_t)(header.offset - both.offset), header.length));
	copy_header(c, VIEW("\r\n"));
	copy_body(c, view_sub(all, (size_t)(body.offset - both.offset), body.length));
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

static bool
copy_all(struct copy *c)
{
	const struct mailbox_job *job = c->d->job;
	struct extent header = { job->header_offset, job->header_length };
	struct extent body = { job->body_offset, job->body_length }, both;
	bool ok;

	buf_append_view(&c->out, job->prefix);
	ok = extents_join(header, body, &both) ? copy_at_once(c, header, body, both)
					       : copy_pieces(c, header, body);
	if (!ok)
		return false;
	mbox_encoder_end(&c->encoder, &c->out);
	if (c->encoder.quote_from)
		buf_append_char(&c->out, '\n');
	if (c->crc != (uint32_t)job->body_crc)
		return deliver_end(c->d, DELIVER_DEFERRED, "4.3.0",
		    "the queue file is damaged: its body has the wrong checksum");
	return copy_flush(c);
}

bool
content_copy(struct deliver_file *d, int fd, bool quote_from, uint64_t room)
{
	struct copy c = { .d = d, .fd = fd, .room = room };
	bool ok;

	buf_init(&c.out, 4 * CHUNK + d->job->prefix.n);
	mbox_encoder_init(&c.encoder, quote_from);
	ok = copy_all(&c);
	buf_done(&c.out);
	mem_free(c.in);
	return ok;
}
