/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is returned of the original, straight from the descriptor that came with the request.
 * bounce_size_limit bounds it: an original that is larger returns as its header alone, and a
 * header that is larger ends behind the last field that fits.
 */
#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "bounce/bounce.h"
#include "mail/header.h"

static const char *
read_error(void)
{
	return errno ? strerror(errno) : "the queue file is shorter than it says";
}

/* The fields that are there completely. */
static struct view
whole_fields(struct view block)
{
	struct view rest = block;
	size_t last = 0;
	struct header_field f;

	while (header_next(&rest, &f)) {
		if (rest.n == 0)
			break;
		last = block.n - rest.n;
	}
	return view_sub(block, 0, last);
}

bool
original_header(struct notice *n, struct view *out, const char **why)
{
	uint64_t length = n->request.header_length;
	uint64_t limit = (uint64_t)bounce.conf->bounce_size_limit;
	size_t room = (size_t)(length < limit ? length : limit);
	char *block;

	if (n->header.p) {
		*out = n->header;
		return true;
	}
	block = arena_alloc(&n->arena, room + 1);
	if (!file_pread_all(n->request.message, block, room, (off_t)n->request.header_offset)) {
		*why = read_error();
		return false;
	}
	n->header = (struct view){ block, room };
	if (length > limit)
		n->header = whole_fields(n->header);
	*out = n->header;
	return true;
}

static bool
write_body(struct notice *n, struct report_out *o, const char **why)
{
	uint64_t offset = n->request.body_offset, left = n->request.body_length;

	while (left && !o->failed) {
		size_t size = left < REPORT_PIECE ? (size_t)left : REPORT_PIECE;
		char *room = buf_reserve(&o->text, size);

		if (!room || !file_pread_all(n->request.message, room, size, (off_t)offset)) {
			*why = room ? read_error() : "report too large";
			return false;
		}
		buf_commit(&o->text, size);
		report_out_pass(o);
		offset += size;
		left -= size;
	}
	return true;
}

bool
original_write(struct notice *n, const struct report *r, struct report_out *o, const char **why)
{
	struct view header;

	if (!original_header(n, &header, why))
		return false;
	while (header.n && !o->failed) {
		struct view piece = view_sub(header, 0, REPORT_PIECE);

		buf_append_view(&o->text, piece);
		report_out_pass(o);
		header = view_sub(header, piece.n, header.n);
	}
	if (r->original == REPORT_HEADER)
		return true;
	buf_append_str(&o->text, "\r\n");
	return write_body(n, o, why);
}
