/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happened to a message, appended to its file: an outcome per recipient, attempts, the
 * delay warning, forced expiry. The journal is allowed to lose its end: then something is done
 * twice. It is not allowed to say what did not happen, so each record's checksum continues that
 * of the record before it, and reading stops at the first one that is not right.
 */
#include <assert.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/crc32c.h"
#include "base/cursor.h"
#include "base/file.h"
#include "base/mem.h"
#include "queue/queue_private.h"

enum journal_type {
	/* u32 recipient, u8 state, u64 when, u16+dsn, u16+reason; u16+remote host, if any */
	JOURNAL_OUTCOME = 'O',
	JOURNAL_ATTEMPT = 'A', /* u64 due */
	JOURNAL_WARNED = 'W',
	JOURNAL_EXPIRED = 'X',
};

#define HEAD_SIZE  5 /* type, length */
#define DSN_MAX    16
#define REASON_MAX 1000
#define HOST_MAX   300

/* ---- effects ---- */

static void
apply_outcome(struct queue_message *m, const struct queue_journal_entry *e)
{
	struct queue_rcpt_status *s = &m->status[e->recipient];

	if (s->state == QUEUE_RCPT_PENDING)
		m->pending_count--;
	if (e->state == QUEUE_RCPT_PENDING)
		m->pending_count++;
	s->state = e->state;
	s->when = e->when;
	s->dsn = e->dsn;
	s->reason = e->reason;
	s->remote_host = e->remote_host;
}

static bool
parse_outcome(struct queue_message *m, struct cursor *c, struct queue_journal_entry *e)
{
	e->recipient = cursor_u32(c);
	e->state = cursor_u8(c);
	e->when = (microseconds)cursor_u64(c);
	e->dsn = cursor_take_n(c, cursor_u16(c));
	e->reason = cursor_take_n(c, cursor_u16(c));
	e->remote_host = VIEW_NONE;
	if (!cursor_at_end(c))
		e->remote_host = cursor_take_n(c, cursor_u16(c));
	return !c->failed && e->recipient < m->recipient_count &&
	    e->state <= QUEUE_RCPT_TELL_EXPANDED && e->dsn.n <= DSN_MAX &&
	    e->reason.n <= REASON_MAX && e->remote_host.n <= HOST_MAX;
}

/* One payload whose checksum was right; false: not something this version wrote. */
static bool
apply_record(struct queue_message *m, uint8_t type, struct view payload)
{
	struct cursor c = cursor_of(payload);
	struct queue_journal_entry e;
	microseconds due;

	switch (type) {
	case JOURNAL_OUTCOME:
		if (!parse_outcome(m, &c, &e) || !cursor_at_end(&c))
			return false;
		apply_outcome(m, &e);
		return true;
	case JOURNAL_ATTEMPT:
		due = (microseconds)cursor_u64(&c);
		if (c.failed || !cursor_at_end(&c))
			return false;
		m->attempts++;
		m->due = due;
		return true;
	case JOURNAL_WARNED:
		m->delay_warned = true;
		return cursor_at_end(&c);
	case JOURNAL_EXPIRED:
		m->forced_expire = true;
		return cursor_at_end(&c);
	default:
		return false;
	}
}

/* ---- reading ---- */

static bool
replay_next(struct queue_message *m, struct cursor *c)
{
	const char *start = c->p;
	uint8_t type = cursor_u8(c);
	struct view payload = cursor_take_n(c, cursor_u32(c));
	size_t covered = (size_t)(c->p - start);
	uint32_t stored = cursor_u32(c);
	uint32_t crc;

	if (c->failed)
		return false;
	crc = crc32c(m->journal_crc, start, covered);
	if (crc != stored || !apply_record(m, type, payload))
		return false;
	m->journal_crc = crc;
	m->journal_end += covered + 4;
	return true;
}

/* The texts move from the journal's bytes to the arena; neighbours often say the same. */
static void
keep_texts(struct queue_message *m)
{
	struct view dsn = VIEW_NONE, reason = VIEW_NONE, host = VIEW_NONE;

	for (uint32_t i = 0; i < m->recipient_count; i++) {
		struct queue_rcpt_status *s = &m->status[i];

		if (!s->when && !s->dsn.n && !s->reason.n)
			continue;
		if (!view_eq(s->dsn, dsn))
			dsn = arena_view(&m->arena, s->dsn);
		if (!view_eq(s->reason, reason))
			reason = arena_view(&m->arena, s->reason);
		if (!view_eq(s->remote_host, host))
			host = arena_view(&m->arena, s->remote_host);
		s->dsn = dsn;
		s->reason = reason;
		s->remote_host = host;
	}
}

enum queue_result
queue_journal_replay(struct queue_message *m, uint64_t file_size, const char **why)
{
	uint64_t length = file_size - m->journal_offset;
	struct cursor c;
	char *bytes;

	if (length == 0)
		return QUEUE_OK;
	if (length > QUEUE_JOURNAL_MAX)
		length = QUEUE_JOURNAL_MAX;
	bytes = mem_alloc((size_t)length);
	if (!file_pread_all(m->fd, bytes, (size_t)length, (off_t)m->journal_offset)) {
		mem_free(bytes);
		return queue_system_error(errno ? errno : EIO, why);
	}
	c = cursor_of((struct view){ bytes, (size_t)length });
	while (!cursor_at_end(&c) && replay_next(m, &c))
		;
	keep_texts(m);
	mem_free(bytes);
	return QUEUE_OK;
}

/* ---- writing ---- */

/* Begins a record; the length is filled in at its end. */
static size_t
record_begin(struct buf *b, enum journal_type type)
{
	size_t start = b->len;

	buf_append_char(b, (char)type);
	buf_append_u32(b, 0);
	return start;
}

static uint32_t
record_end(struct buf *b, size_t start, uint32_t crc)
{
	size_t length = b->len - start - HEAD_SIZE;

	if (b->overflow)
		return crc;
	for (size_t i = 0; i < 4; i++)
		b->data[start + 1 + i] = (char)(length >> (24 - 8 * i));
	crc = crc32c(crc, b->data + start, b->len - start);
	buf_append_u32(b, crc);
	return crc;
}

static uint32_t
append_outcome(struct buf *b, const struct queue_journal_entry *e, uint32_t crc)
{
	struct view dsn = view_sub(e->dsn, 0, DSN_MAX);
	struct view reason = view_sub(e->reason, 0, REASON_MAX);
	struct view host = view_sub(e->remote_host, 0, HOST_MAX);
	size_t start = record_begin(b, JOURNAL_OUTCOME);

	buf_append_u32(b, e->recipient);
	buf_append_char(b, (char)e->state);
	buf_append_u64(b, (uint64_t)e->when);
	buf_append_u16(b, (uint16_t)dsn.n);
	buf_append_view(b, dsn);
	buf_append_u16(b, (uint16_t)reason.n);
	buf_append_view(b, reason);
	if (host.n) {
		buf_append_u16(b, (uint16_t)host.n);
		buf_append_view(b, host);
	}
	return record_end(b, start, crc);
}

/* Writing moved the file's time, which in `deferred` says when the message is due. */
static bool
restore_due_time(const struct queue_message *m)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };

	if (!m->due)
		return true;
	times[1].tv_sec = m->due / 1000000;
	times[1].tv_nsec = m->due % 1000000 * 1000;
	return futimens(m->fd, times) == 0;
}

/* One write of finished records whose chain ends in crc. */
static enum queue_result
journal_write(struct queue *q, struct queue_message *m, struct buf *b, uint32_t crc,
    bool durable, const char **why)
{
	if (m->journal_broken || b->overflow)
		return queue_system_error(m->journal_broken ? EIO : EFBIG, why);
	if (m->journal_end - m->journal_offset + b->len > QUEUE_JOURNAL_MAX)
		return queue_system_error(EFBIG, why);
	if (!file_pwrite_all(m->fd, b->data, b->len, (off_t)m->journal_end))
		return queue_system_error(errno, why);
	if (durable && q->sync && fdatasync(m->fd) < 0) {
		m->journal_broken = true;
		return queue_system_error(errno, why);
	}
	m->journal_end += b->len;
	m->journal_crc = crc;
	return QUEUE_OK;
}

enum queue_result
queue_journal_append(struct queue *q, struct queue_message *m,
    const struct queue_journal_entry *entries, size_t count, bool durable, const char **why)
{
	struct buf b = BUF_INIT(QUEUE_JOURNAL_MAX);
	uint32_t crc = m->journal_crc;
	enum queue_result r;

	for (size_t i = 0; i < count; i++) {
		assert(entries[i].recipient < m->recipient_count);
		crc = append_outcome(&b, &entries[i], crc);
	}
	r = journal_write(q, m, &b, crc, durable, why);
	buf_done(&b);
	if (r != QUEUE_OK)
		return r;
	for (size_t i = 0; i < count; i++) {
		struct queue_journal_entry e = entries[i];

		e.dsn = arena_view(&m->arena, view_sub(e.dsn, 0, DSN_MAX));
		e.reason = arena_view(&m->arena, view_sub(e.reason, 0, REASON_MAX));
		e.remote_host = arena_view(&m->arena, view_sub(e.remote_host, 0, HOST_MAX));
		apply_outcome(m, &e);
	}
	/* The facts are safe; without the time, the next attempt only comes early. */
	restore_due_time(m);
	return QUEUE_OK;
}

/* A record about the whole message; *value is its payload, or there is none. */
static enum queue_result
append_fact(struct queue *q, struct queue_message *m, enum journal_type type,
    const uint64_t *value, const char **why)
{
	struct buf b = BUF_INIT(64);
	size_t start = record_begin(&b, type);
	enum queue_result r;
	uint32_t crc;

	if (value)
		buf_append_u64(&b, *value);
	crc = record_end(&b, start, m->journal_crc);
	r = journal_write(q, m, &b, crc, false, why);
	buf_done(&b);
	return r;
}

enum queue_result
queue_journal_attempt(
    struct queue *q, struct queue_message *m, microseconds due, const char **why)
{
	uint64_t value = (uint64_t)due;
	enum queue_result r = append_fact(q, m, JOURNAL_ATTEMPT, &value, why);

	if (r != QUEUE_OK)
		return r;
	m->attempts++;
	m->due = due;
	return restore_due_time(m) ? QUEUE_OK : queue_system_error(errno, why);
}

enum queue_result
queue_journal_warned(struct queue *q, struct queue_message *m, const char **why)
{
	enum queue_result r = append_fact(q, m, JOURNAL_WARNED, NULL, why);

	if (r == QUEUE_OK) {
		m->delay_warned = true;
		restore_due_time(m);
	}
	return r;
}

enum queue_result
queue_journal_expire(struct queue *q, struct queue_message *m, const char **why)
{
	enum queue_result r = append_fact(q, m, JOURNAL_EXPIRED, NULL, why);

	if (r == QUEUE_OK) {
		m->forced_expire = true;
		restore_due_time(m);
	}
	return r;
}
