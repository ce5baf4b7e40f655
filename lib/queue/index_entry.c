/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The form of an entry: place, due time and length first, at fixed offsets; numbers, sender,
 * reasons, each once, recipients with the number of their reason, the domains when they cannot
 * be told from the recipients that are there, and a checksum over all of it.
 */
#include "queue/index_entry.h"

#include <stdlib.h>

#include "base/crc32c.h"
#include "base/cursor.h"
#include "base/mem.h"

#define FORM        2
#define REASONS_MAX 8
#define REASON_MAX  400  /* longer ones are in the file */
#define TEXT_MAX    1500 /* of all recipients and reasons */
#define DOMAINS_MAX 1500
#define DUE_AT      2
#define CRC_SIZE    4

enum entry_flags { ENTRY_EXPIRE = 1, ENTRY_PARTIAL = 2, ENTRY_MORE_DOMAINS = 4 };

/* ---- encoding ---- */

struct draft {
	struct index_entry e;
	struct view reasons[REASONS_MAX];
	size_t reason_count;
	uint8_t reason_of[INDEX_RECIPIENTS_MAX];
	size_t text, domain_text;
	char domains[DOMAINS_MAX]; /* lower case */
};

/* Its number from 1; 0: no room. */
static uint8_t
reason_number(struct draft *d, struct view reason)
{
	for (size_t i = 0; i < d->reason_count; i++) {
		if (view_eq(d->reasons[i], reason))
			return (uint8_t)(i + 1);
	}
	if (d->reason_count == REASONS_MAX || reason.n > REASON_MAX ||
	    d->text + reason.n > TEXT_MAX)
		return 0;
	d->text += reason.n;
	d->reasons[d->reason_count++] = reason;
	return (uint8_t)d->reason_count;
}

static void
add_recipient(struct draft *d, const struct queue_recipient *r, struct view reason)
{
	struct index_entry *e = &d->e;
	struct view original = view_eq(r->original, r->address) ? VIEW_NONE : r->original;
	size_t n = r->address.n + original.n;
	uint8_t number;

	if (e->count == INDEX_RECIPIENTS_MAX || d->text + n > TEXT_MAX) {
		e->partial = true;
		return;
	}
	d->text += n;
	number = reason.n ? reason_number(d, reason) : 0;
	if (reason.n && number == 0)
		e->partial = true;
	e->recipients[e->count] = (struct index_recipient){ r->address, original, VIEW_NONE };
	d->reason_of[e->count++] = number;
}

static void
add_domain(struct draft *d, struct view address)
{
	struct index_entry *e = &d->e;
	size_t at = view_find_last(address, '@');
	struct view domain = view_sub(address, at + 1, address.n);
	char *copy = d->domains + d->domain_text;

	for (size_t i = 0; i < e->domain_count; i++) {
		if (view_eq_nocase(e->domains[i], domain))
			return;
	}
	if (e->domain_count == INDEX_DOMAINS_MAX || domain.n > 255 ||
	    d->domain_text + domain.n > DOMAINS_MAX) {
		e->more_domains = true;
		return;
	}
	for (size_t i = 0; i < domain.n; i++)
		copy[i] = char_lower(domain.p[i]);
	d->domain_text += domain.n;
	e->domains[e->domain_count++] = (struct view){ copy, domain.n };
}

static int
compare_views(const void *a, const void *b)
{
	return view_compare(*(const struct view *)a, *(const struct view *)b);
}

static void
gather(struct draft *d, const struct queue_message *m)
{
	struct queue_recipient r;
	size_t position = 0;

	for (uint32_t i = 0; queue_message_recipient(m, &position, &r); i++) {
		if (m->status[i].state != QUEUE_RCPT_PENDING)
			continue;
		if (d->e.partial && d->e.more_domains)
			break;
		add_recipient(d, &r, m->status[i].reason);
		add_domain(d, r.address);
	}
	qsort(d->e.domains, d->e.domain_count, sizeof(struct view), compare_views);
}

static void
append_text(struct buf *b, struct view v)
{
	buf_append_u16(b, (uint16_t)v.n);
	buf_append_view(b, v);
}

static void
append_lists(struct buf *b, const struct draft *d)
{
	const struct index_entry *e = &d->e;

	buf_append_char(b, (char)d->reason_count);
	for (size_t i = 0; i < d->reason_count; i++)
		append_text(b, d->reasons[i]);
	buf_append_char(b, (char)e->count);
	for (size_t i = 0; i < e->count; i++) {
		append_text(b, e->recipients[i].address);
		append_text(b, e->recipients[i].original);
		buf_append_char(b, (char)d->reason_of[i]);
	}
	buf_append_char(b, (char)e->domain_count);
	for (size_t i = 0; i < e->domain_count; i++) {
		buf_append_char(b, (char)e->domains[i].n);
		buf_append_view(b, e->domains[i]);
	}
}

static void
seal(struct buf *b)
{
	buf_append_u32(b, crc32c(0, b->data, b->len));
}

void
index_entry_encode(
    const struct queue_message *m, enum queue_place place, microseconds due, struct buf *out)
{
	struct draft *d = NEW(struct draft);
	unsigned flags = m->forced_expire ? ENTRY_EXPIRE : 0;

	gather(d, m);
	flags |= d->e.partial ? ENTRY_PARTIAL : 0;
	flags |= d->e.more_domains ? ENTRY_MORE_DOMAINS : 0;
	buf_clear(out);
	buf_append_char(out, FORM);
	buf_append_char(out, (char)place);
	buf_append_u64(out, (uint64_t)due);
	buf_append_u64(out, m->journal_end);
	buf_append_char(out, (char)flags);
	buf_append_u64(out, (uint64_t)m->arrival);
	buf_append_u64(out, m->size);
	buf_append_u32(out, m->pending_count);
	buf_append_u32(out, m->attempts);
	append_text(out, view_sub(m->sender, 0, 1000));
	append_lists(out, d);
	seal(out);
	mem_free(d);
}

/* ---- decoding ---- */

static struct view
take_text(struct cursor *c)
{
	return cursor_take_n(c, cursor_u16(c));
}

static void
take_lists(struct cursor *c, struct index_entry *e)
{
	struct view reasons[REASONS_MAX];
	size_t reason_count = cursor_u8(c);

	if (reason_count > REASONS_MAX)
		cursor_fail(c);
	for (size_t i = 0; !c->failed && i < reason_count; i++)
		reasons[i] = take_text(c);
	e->count = cursor_u8(c);
	if (e->count > INDEX_RECIPIENTS_MAX)
		cursor_fail(c);
	for (size_t i = 0; !c->failed && i < e->count; i++) {
		struct index_recipient *r = &e->recipients[i];
		size_t number;

		r->address = take_text(c);
		r->original = take_text(c);
		number = cursor_u8(c);
		if (number > reason_count)
			cursor_fail(c);
		r->reason = number && !c->failed ? reasons[number - 1] : VIEW_NONE;
	}
	e->domain_count = cursor_u8(c);
	if (e->domain_count > INDEX_DOMAINS_MAX)
		cursor_fail(c);
	for (size_t i = 0; !c->failed && i < e->domain_count; i++)
		e->domains[i] = cursor_take_n(c, cursor_u8(c));
}

/* The value without its checksum, when that is right. */
static bool
is_sound(struct view value, struct cursor *c)
{
	struct cursor crc;

	if (value.n <= CRC_SIZE)
		return false;
	*c = cursor_of(view_sub(value, 0, value.n - CRC_SIZE));
	crc = cursor_of(view_sub(value, value.n - CRC_SIZE, CRC_SIZE));
	return crc32c(0, value.p, value.n - CRC_SIZE) == cursor_u32(&crc);
}

bool
index_entry_decode(struct view value, struct index_entry *e)
{
	struct cursor c;
	unsigned flags;

	if (!is_sound(value, &c) || cursor_u8(&c) != FORM)
		return false;
	e->place = cursor_u8(&c);
	e->due = (microseconds)cursor_u64(&c);
	e->length = cursor_u64(&c);
	flags = cursor_u8(&c);
	e->forced_expire = flags & ENTRY_EXPIRE;
	e->partial = flags & ENTRY_PARTIAL;
	e->more_domains = flags & ENTRY_MORE_DOMAINS;
	e->arrival = (microseconds)cursor_u64(&c);
	e->size = cursor_u64(&c);
	e->pending = cursor_u32(&c);
	e->attempts = cursor_u32(&c);
	e->sender = take_text(&c);
	take_lists(&c, e);
	return !c.failed && cursor_at_end(&c) &&
	    (e->place == QUEUE_DEFERRED || e->place == QUEUE_HOLD);
}

bool
index_entry_peek(struct view value, struct index_head *out)
{
	struct cursor c = cursor_of(value);

	cursor_u8(&c);
	out->place = cursor_u8(&c);
	out->due = (microseconds)cursor_u64(&c);
	out->length = cursor_u64(&c);
	return !c.failed;
}

bool
index_entry_set_due(struct buf *value, microseconds due)
{
	struct cursor c;

	if (!is_sound(buf_view(value), &c))
		return false;
	for (size_t i = 0; i < 8; i++)
		value->data[DUE_AT + i] = (char)((uint64_t)due >> (56 - 8 * i));
	buf_truncate(value, value->len - CRC_SIZE);
	seal(value);
	return true;
}
