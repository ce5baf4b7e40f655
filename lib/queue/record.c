/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Envelope records. Every text has an explicit length, so no byte in an address or an attribute
 * can look like the start of something else. A reader takes what its type demands and nothing
 * more or less: an envelope is right to its last byte or wrong.
 */
#include "queue/record.h"

static void
append_header(struct buf *out, enum record_type type, size_t payload)
{
	if (payload > UINT32_MAX)
		out->overflow = true;
	buf_append_char(out, (char)type);
	buf_append_u32(out, (uint32_t)payload);
}

static void
append_text(struct buf *out, struct view v)
{
	buf_append_u32(out, (uint32_t)v.n);
	buf_append_view(out, v);
}

void
record_append_sender(struct buf *out, struct view address)
{
	append_header(out, RECORD_SENDER, address.n);
	buf_append_view(out, address);
}

void
record_append_attribute(struct buf *out, struct view name, struct view value)
{
	append_header(out, RECORD_ATTRIBUTE, 4 + name.n + 4 + value.n);
	append_text(out, name);
	append_text(out, value);
}

void
record_append_recipient(struct buf *out, const struct queue_recipient *r)
{
	append_header(out, RECORD_RECIPIENT,
	    4 + 4 + r->address.n + 4 + r->original.n + 4 + r->dsn_orcpt.n);
	buf_append_u32(out, r->notify);
	append_text(out, r->address);
	append_text(out, r->original);
	append_text(out, r->dsn_orcpt);
}

bool
record_next(struct cursor *c, struct record *out)
{
	struct record r;

	if (c->failed || cursor_at_end(c))
		return false;
	r.type = cursor_u8(c);
	r.payload = cursor_take_n(c, cursor_u32(c));
	if (c->failed)
		return false;
	*out = r;
	return true;
}

static struct view
take_text(struct cursor *c)
{
	return cursor_take_n(c, cursor_u32(c));
}

bool
record_parse_attribute(struct view payload, struct view *name, struct view *value)
{
	struct cursor c = cursor_of(payload);
	struct view n = take_text(&c);
	struct view v = take_text(&c);

	if (c.failed || !cursor_at_end(&c))
		return false;
	*name = n;
	*value = v;
	return true;
}

bool
record_parse_recipient(struct view payload, struct queue_recipient *out)
{
	struct cursor c = cursor_of(payload);
	struct queue_recipient r;

	r.notify = cursor_u32(&c);
	r.address = take_text(&c);
	r.original = take_text(&c);
	r.dsn_orcpt = take_text(&c);
	if (c.failed || !cursor_at_end(&c))
		return false;
	*out = r;
	return true;
}

bool
record_check_envelope(struct view envelope, uint32_t recipient_count, struct view *sender)
{
	struct cursor c = cursor_of(envelope);
	struct queue_recipient recipient;
	uint64_t recipients = 0, senders = 0;
	struct view name, value;
	struct record r;
	bool good = true;

	while (good && record_next(&c, &r)) {
		switch (r.type) {
		case RECORD_SENDER:
			senders++;
			*sender = r.payload;
			break;
		case RECORD_ATTRIBUTE:
			good = record_parse_attribute(r.payload, &name, &value);
			break;
		case RECORD_RECIPIENT:
			recipients++;
			good = record_parse_recipient(r.payload, &recipient);
			break;
		default:
			good = false;
		}
	}
	return good && !c.failed && senders == 1 && recipients == recipient_count;
}
