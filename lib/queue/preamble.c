/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The preamble: 256 bytes, of which 104 have a meaning and the last four are the CRC of all
 * before them. Everything between is zero and covered by the CRC, so that a later version can
 * use it. The id is inside: a file found under another name is not the message it claims to be.
 */
#include "queue/preamble.h"

#include <assert.h>

#include "base/buf.h"
#include "base/crc32c.h"
#include "base/cursor.h"

#define MAGIC      VIEW("PosternQ")
#define LENGTH_MAX ((uint64_t)1 << 60)
#define CRC_OFFSET (QUEUE_PREAMBLE_SIZE - 4)

void
preamble_encode(struct preamble *p, unsigned char out[QUEUE_PREAMBLE_SIZE])
{
	struct buf b = BUF_INIT(QUEUE_PREAMBLE_SIZE);
	static const char zeros[QUEUE_PREAMBLE_SIZE];

	buf_append_view(&b, MAGIC);
	buf_append_u32(&b, QUEUE_FILE_VERSION);
	buf_append_u32(&b, p->flags);
	buf_append_u64(&b, (uint64_t)p->arrival);
	buf_append_u64(&b, p->body_length);
	buf_append_u64(&b, p->header_length);
	buf_append_u64(&b, p->envelope_length);
	buf_append_u32(&b, p->body_crc);
	buf_append_u32(&b, p->header_crc);
	buf_append_u32(&b, p->envelope_crc);
	buf_append_u32(&b, p->recipient_count);
	buf_append_u64(&b, p->size);
	buf_append(&b, p->id, QUEUE_ID_SIZE);
	buf_append(&b, zeros, CRC_OFFSET - b.len);
	p->own_crc = crc32c(0, b.data, CRC_OFFSET);
	buf_append_u32(&b, p->own_crc);
	assert(b.len == QUEUE_PREAMBLE_SIZE);
	memcpy(out, b.data, QUEUE_PREAMBLE_SIZE);
	buf_done(&b);
}

static bool
is_all_zero(struct view v)
{
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i])
			return false;
	}
	return true;
}

/* The fields behind magic and version; the CRC has vouched for the bytes. */
static bool
fields_decode(struct cursor *c, struct preamble *p)
{
	struct view id;

	p->flags = cursor_u32(c);
	p->arrival = (microseconds)cursor_u64(c);
	p->body_length = cursor_u64(c);
	p->header_length = cursor_u64(c);
	p->envelope_length = cursor_u64(c);
	p->body_crc = cursor_u32(c);
	p->header_crc = cursor_u32(c);
	p->envelope_crc = cursor_u32(c);
	p->recipient_count = cursor_u32(c);
	p->size = cursor_u64(c);
	id = cursor_take_n(c, QUEUE_ID_SIZE);
	if (c->failed || id.p[QUEUE_ID_SIZE - 1] != '\0')
		return false;
	memcpy(p->id, id.p, QUEUE_ID_SIZE);
	return queue_id_is_valid(view_of(p->id)) && p->arrival >= 0 &&
	    p->body_length < LENGTH_MAX && p->header_length < LENGTH_MAX &&
	    p->envelope_length < LENGTH_MAX && p->size == p->header_length + 2 + p->body_length;
}

enum preamble_state
preamble_decode(struct view bytes, struct preamble *out, const char **why)
{
	struct cursor tail = cursor_of(view_sub(bytes, CRC_OFFSET, 4));
	struct cursor c = cursor_of(view_sub(bytes, 0, CRC_OFFSET));
	struct preamble p = { 0 };
	uint32_t version;

	if (is_all_zero(bytes))
		return PREAMBLE_ABSENT;
	if (!view_eq(cursor_take_n(&c, MAGIC.n), MAGIC)) {
		*why = "not a queue file";
		return PREAMBLE_WRONG;
	}
	version = cursor_u32(&c);
	if (bytes.n < QUEUE_PREAMBLE_SIZE) {
		*why = "the file ends inside the preamble";
		return PREAMBLE_WRONG;
	}
	p.own_crc = cursor_u32(&tail);
	if (crc32c(0, bytes.p, CRC_OFFSET) != p.own_crc) {
		*why = "the preamble's checksum is wrong";
		return PREAMBLE_WRONG;
	}
	if (version != QUEUE_FILE_VERSION) {
		*why = "a format version that this program does not know";
		return PREAMBLE_WRONG;
	}
	if (!fields_decode(&c, &p)) {
		*why = "the preamble contradicts itself";
		return PREAMBLE_WRONG;
	}
	*out = p;
	return PREAMBLE_VALID;
}
