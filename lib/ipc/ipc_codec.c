/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames and messages as bytes. Everything is driven by the table of a message; nothing here
 * waits, allocates (but in the caller's buffer) or knows a connection.
 *
 * Fields are written in the order of the table, so the reader looks first at the row behind the
 * last one it found; any other order is understood too.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/cursor.h"
#include "base/number.h"
#include "ipc/ipc_private.h"

#define DIGITS_MAX 21 /* a sign and 20 digits */

void
ipc_frame_header(char header[IPC_HEADER_SIZE], enum ipc_kind kind, size_t n)
{
	uint32_t length = (uint32_t)n + 1;

	header[0] = (char)(length >> 24);
	header[1] = (char)(length >> 16);
	header[2] = (char)(length >> 8);
	header[3] = (char)length;
	header[4] = (char)kind;
}

enum ipc_taken
ipc_frame_take(struct view in, struct ipc_frame *frame, size_t *total, const char **why)
{
	struct cursor c = cursor_of(in);
	uint32_t length = cursor_u32(&c);
	char kind = cursor_take(&c);
	struct view payload;

	*total = 0;
	if (c.failed)
		return IPC_TAKE_MORE;
	if (kind != IPC_KIND_MESSAGE && kind != IPC_KIND_DATA) {
		*why = "frame of an unknown kind";
		return IPC_TAKE_REFUSED;
	}
	if (length < 2 ||
	    length - 1 > (kind == IPC_KIND_DATA ? IPC_DATA_MAX : IPC_MESSAGE_MAX)) {
		*why = "frame of a wrong length";
		return IPC_TAKE_REFUSED;
	}
	*total = (size_t)length + 4;
	payload = cursor_take_n(&c, length - 1);
	if (c.failed)
		return IPC_TAKE_MORE;
	*frame = (struct ipc_frame){ 0 };
	if (kind == IPC_KIND_DATA) {
		frame->data = payload;
		return IPC_TAKEN;
	}
	frame->payload = payload;
	frame->message = ipc_message_name(payload);
	if (frame->message.n == 0) {
		*why = "message without a name";
		return IPC_TAKE_REFUSED;
	}
	return IPC_TAKEN;
}

/* The decimal digits of a value, written to the end of text. */
static struct view
digits(char text[DIGITS_MAX], bool negative, uint64_t value)
{
	size_t at = DIGITS_MAX;

	do {
		text[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	if (negative)
		text[--at] = '-';
	return (struct view){ text + at, DIGITS_MAX - at };
}

static bool
append_pair(struct buf *out, size_t start, struct view name, struct view value)
{
	if (value.n > IPC_VALUE_MAX || name.n > UINT16_MAX ||
	    out->len - start + 6 + name.n + value.n > IPC_MESSAGE_MAX)
		return false;
	return buf_append_u16(out, (uint16_t)name.n) && buf_append_view(out, name) &&
	    buf_append_u32(out, (uint32_t)value.n) && buf_append_view(out, value);
}

/* The value of a field as on the wire. False: it is the empty value of its type. */
static bool
field_value(
    const struct ipc_field *f, const void *member, char text[DIGITS_MAX], struct view *value)
{
	uint64_t u;
	int64_t i;
	bool b;
	int fd;

	switch (f->type) {
	case IPC_VIEW:
		memcpy(value, member, sizeof(*value));
		return value->n > 0;
	case IPC_U64:
		memcpy(&u, member, sizeof(u));
		*value = digits(text, false, u);
		return u != 0;
	case IPC_I64:
		memcpy(&i, member, sizeof(i));
		*value = digits(text, i < 0, i < 0 ? -(uint64_t)i : (uint64_t)i);
		return i != 0;
	case IPC_BOOL:
		memcpy(&b, member, sizeof(b));
		*value = b ? VIEW("1") : VIEW("0");
		return b;
	case IPC_FD:
		memcpy(&fd, member, sizeof(fd));
		*value = VIEW_NONE;
		return fd >= 0;
	}
	return false;
}

bool
ipc_encode(const struct ipc_message *m, const void *value, struct buf *out)
{
	size_t start = out->len;
	bool fine = append_pair(out, start, view_of(m->name), VIEW_NONE);

	for (size_t i = 0; fine && i < m->field_count; i++) {
		const struct ipc_field *f = &m->fields[i];
		char text[DIGITS_MAX];
		struct view v;

		if (field_value(f, (const char *)value + f->offset, text, &v))
			fine = append_pair(out, start, view_of(f->name), v);
		else if (f->required)
			fine =
			    f->type != IPC_FD && append_pair(out, start, view_of(f->name), v);
	}
	if (!fine)
		buf_truncate(out, start);
	return fine;
}

struct view
ipc_message_name(struct view payload)
{
	struct cursor c = cursor_of(payload);
	struct view name = cursor_take_n(&c, cursor_u16(&c));
	uint32_t value_length = cursor_u32(&c);

	if (c.failed || value_length != 0)
		return VIEW_NONE;
	return name;
}

static bool
parse_u64(struct view v, uint64_t max, uint64_t *out)
{
	/* One form for each number: no leading zeros. */
	return !(v.n > 1 && v.p[0] == '0') && number_parse(v, max, out);
}

static bool
parse_i64(struct view v, int64_t *out)
{
	bool negative = v.n > 0 && v.p[0] == '-';
	uint64_t u;

	if (negative)
		v = (struct view){ v.p + 1, v.n - 1 };
	if (!parse_u64(v, (uint64_t)INT64_MAX + (negative ? 1 : 0), &u) || (negative && u == 0))
		return false;
	*out = negative ? (int64_t)-u : (int64_t)u;
	return true;
}

struct decoder {
	const struct ipc_message *m;
	char *value;
	const int *fds;
	size_t fd_count;
	size_t fds_used;
	size_t next;   /* the row to look at first */
	uint64_t seen; /* a bit for each row */
	const char *why;
};

static bool
refuse(struct decoder *d, const char *why)
{
	d->why = why;
	return false;
}

static bool
store(struct decoder *d, const struct ipc_field *f, struct view v)
{
	void *member = d->value + f->offset;
	bool b = v.n == 1 && v.p[0] == '1';
	uint64_t u;
	int64_t i;

	switch (f->type) {
	case IPC_VIEW:
		memcpy(member, &v, sizeof(v));
		return true;
	case IPC_U64:
		if (!parse_u64(v, UINT64_MAX, &u))
			return refuse(d, "value is not a number");
		memcpy(member, &u, sizeof(u));
		return true;
	case IPC_I64:
		if (!parse_i64(v, &i))
			return refuse(d, "value is not a number");
		memcpy(member, &i, sizeof(i));
		return true;
	case IPC_BOOL:
		if (!b && !(v.n == 1 && v.p[0] == '0'))
			return refuse(d, "value is not a boolean");
		memcpy(member, &b, sizeof(b));
		return true;
	case IPC_FD:
		if (v.n != 0)
			return refuse(d, "value of a descriptor is not empty");
		if (d->fds_used == d->fd_count)
			return refuse(d, "descriptor did not come along");
		memcpy(member, &d->fds[d->fds_used++], sizeof(int));
		return true;
	}
	return false;
}

static const struct ipc_field *
field_find(struct decoder *d, struct view name)
{
	for (size_t n = 0; n < d->m->field_count; n++) {
		size_t i = (d->next + n) % d->m->field_count;

		if (view_eq(name, view_of(d->m->fields[i].name))) {
			d->next = i + 1;
			return &d->m->fields[i];
		}
	}
	return NULL;
}

static bool
decode_pair(struct decoder *d, struct cursor *c)
{
	struct view name = cursor_take_n(c, cursor_u16(c));
	uint32_t length = cursor_u32(c);
	struct view value = cursor_take_n(c, length);
	const struct ipc_field *f;
	uint64_t bit;

	if (c->failed)
		return refuse(d, "message is cut short");
	if (length > IPC_VALUE_MAX)
		return refuse(d, "value is too long");
	f = field_find(d, name);
	if (f == NULL)
		return true;
	bit = UINT64_C(1) << (f - d->m->fields);
	if (d->seen & bit)
		return refuse(d, "field is there twice");
	d->seen |= bit;
	return store(d, f, value);
}

static void
value_clear(const struct ipc_message *m, void *value)
{
	const int none = -1;

	memset(value, 0, m->size);
	for (size_t i = 0; i < m->field_count; i++) {
		if (m->fields[i].type == IPC_FD)
			memcpy((char *)value + m->fields[i].offset, &none, sizeof(none));
	}
}

static bool
decode(struct decoder *d, struct view payload)
{
	struct cursor c = cursor_of(payload);
	struct view name = ipc_message_name(payload);

	if (payload.n > IPC_MESSAGE_MAX)
		return refuse(d, "message is too long");
	if (name.n == 0 || !view_eq(name, view_of(d->m->name)))
		return refuse(d, "another message was expected");
	(void)cursor_take_n(&c, 6 + name.n);
	while (!cursor_at_end(&c)) {
		if (!decode_pair(d, &c))
			return false;
	}
	for (size_t i = 0; i < d->m->field_count; i++) {
		if (d->m->fields[i].required && !(d->seen & UINT64_C(1) << i))
			return refuse(d, "required field is missing");
	}
	return true;
}

bool
ipc_decode(const struct ipc_message *m, struct view payload, int *fds, size_t fd_count,
    void *value, const char **why)
{
	struct decoder d = { .m = m, .value = value, .fds = fds, .fd_count = fd_count };

	assert(m->field_count <= 64);
	value_clear(m, value);
	if (!decode(&d, payload)) {
		value_clear(m, value);
		*why = d.why;
		return false;
	}
	for (size_t i = 0; i < d.fds_used; i++)
		fds[i] = -1;
	return true;
}
