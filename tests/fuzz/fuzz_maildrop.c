/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of maildrop/, which any local user may write: reading one ends, and what is decoded
 * from it lies inside the frame. The same bytes go through the reading of standard input by
 * sendmail: no bare CR or LF comes out.
 */
#include <assert.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "mail/local_text.h"
#include "proto/maildrop.h"
#include "proto/submit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
check_inside(struct view part, struct view whole)
{
	assert(part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n));
}

static void
decode(const struct ipc_frame *frame)
{
	struct submit_begin begin;
	struct submit_recipient recipient;
	const char *why;

	if (ipc_decode(&submit_begin_message, frame->payload, NULL, 0, &begin, &why)) {
		check_inside(begin.sender, frame->payload);
		check_inside(begin.full_name, frame->payload);
	}
	if (ipc_decode(&submit_recipient_message, frame->payload, NULL, 0, &recipient, &why))
		check_inside(recipient.address, frame->payload);
}

static void
read_file(struct view bytes)
{
	int fd = memfd_create("maildrop", MFD_CLOEXEC);
	struct maildrop_reader reader;
	struct ipc_frame frame;
	size_t total = 0;

	assert(fd >= 0 && file_write_all(fd, bytes.p, bytes.n));
	(void)lseek(fd, 0, SEEK_SET);
	maildrop_reader_init(&reader, fd);
	while (maildrop_next(&reader, &frame) == MAILDROP_FRAME) {
		total += frame.data.n + frame.payload.n;
		assert(total <= bytes.n);
		if (frame.message.n)
			decode(&frame);
	}
	maildrop_reader_done(&reader);
	close(fd);
}

static void
read_text(struct view bytes)
{
	struct buf out = BUF_INIT(SIZE_MAX / 2);
	struct local_text text;
	size_t half = bytes.n / 2;

	local_text_init(&text, (enum local_text_cr)(bytes.n % 3), bytes.n % 2);
	local_text_feed(&text, view_sub(bytes, 0, half), &out);
	local_text_feed(&text, view_sub(bytes, half, bytes.n), &out);
	local_text_end(&text, &out);
	assert(out.len <= 2 * bytes.n);
	for (size_t i = 0; i < out.len; i++) {
		if (out.data[i] == '\n')
			assert(i > 0 && out.data[i - 1] == '\r');
		if (out.data[i] == '\r')
			assert(i + 1 < out.len && out.data[i + 1] == '\n');
	}
	buf_done(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct view bytes = { (const char *)data, n };

	read_file(bytes);
	read_text(bytes);
	return 0;
}
