/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the queue file to a mailbox: our own lines first, then the header, an empty line and the
 * body, CRLF turned into LF. The body's checksum is compared at the end, before the caller
 * makes the message visible.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/file.h"
#include "base/mem.h"
#include "local/deliver_file.h"
#include "mail/mbox.h"

#define CHUNK (128 * 1024)

struct copy {
	struct deliver_file *d;
	int fd;
	struct mbox_encoder encoder;
	struct buf out; /* encoded, not written yet */
	char *in;       /* CHUNK bytes */
	uint32_t crc;
};

uint64_t
content_size(const struct mailbox_job *job)
{
	return job->prefix.n + job->header_length + 2 + job->body_length;
}

static bool
copy_flush(struct copy *c)
{
	bool ok = c->out.len == 0 || file_write_all(c->fd, c->out.data, c->out.len);

	buf_clear(&c->out);
	return ok || deliver_fail_errno(c->d, "write", "mailbox", errno);
}

static bool
copy_extent(struct copy *c, uint64_t offset, uint64_t length, bool with_crc)
{
	while (length) {
		size_t n = length < CHUNK ? (size_t)length : CHUNK;

		if (!file_pread_all(c->d->job->message, c->in, n, (off_t)offset)) {
			if (errno)
				return deliver_fail_errno(c->d, "read", "queue file", errno);
			return deliver_fail(c->d, DELIVER_DEFERRED, "4.3.0",
			    "the queue file is shorter than it says");
		}
		if (with_crc)
			c->crc = crc32c(c->crc, c->in, n);
		mbox_encoder_feed(&c->encoder, (struct view){ c->in, n }, &c->out);
		if (c->out.len >= CHUNK && !copy_flush(c))
			return false;
		offset += n;
		length -= n;
	}
	return true;
}

static bool
copy_all(struct copy *c)
{
	const struct mailbox_job *job = c->d->job;

	buf_append_view(&c->out, job->prefix);
	if (!copy_extent(c, job->header_offset, job->header_length, false))
		return false;
	mbox_encoder_feed(&c->encoder, VIEW("\r\n"), &c->out);
	if (!copy_extent(c, job->body_offset, job->body_length, true))
		return false;
	mbox_encoder_end(&c->encoder, &c->out);
	if (c->encoder.quote_from)
		buf_append_char(&c->out, '\n');
	if (c->crc != (uint32_t)job->body_crc)
		return deliver_fail(c->d, DELIVER_DEFERRED, "4.3.0",
		    "the queue file is damaged: its body has the wrong checksum");
	return copy_flush(c);
}

bool
content_copy(struct deliver_file *d, int fd, bool quote_from)
{
	uint64_t most = d->job->header_length > d->job->body_length ? d->job->header_length
								    : d->job->body_length;
	struct copy c = { .d = d, .fd = fd, .in = mem_alloc(most < CHUNK ? most + 1 : CHUNK) };
	bool ok;

	buf_init(&c.out, 4 * CHUNK + d->job->prefix.n);
	mbox_encoder_init(&c.encoder, quote_from);
	ok = copy_all(&c);
	buf_done(&c.out);
	mem_free(c.in);
	return ok;
}
