/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a message. Nothing in the file is believed before its checksum has been compared, and
 * no length before the file's own size: a file that is cut, damaged, or somebody else's gives
 * one of a few results and never a message with other recipients.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/file.h"
#include "base/mem.h"
#include "queue/preamble.h"
#include "queue/queue_private.h"
#include "queue/record.h"

#define CHUNK ((size_t)65536)

static enum queue_result
damaged(const char *text, const char **why)
{
	*why = text;
	return QUEUE_DAMAGED;
}

/* Where a message is read from: a file, or all of its bytes when those are in memory. */
struct source {
	int fd;
	struct view bytes;
	uint64_t size;
};

/* A read that fails is the disk's fault, one that ends early is the file's. */
static enum queue_result
read_at(const struct source *from, void *out, size_t n, uint64_t at, const char **why)
{
	if (from->bytes.p) {
		if (at > from->size || n > from->size - at)
			return damaged("the file is cut short", why);
		if (n)
			memcpy(out, from->bytes.p + at, n);
		return QUEUE_OK;
	}
	if (file_pread_all(from->fd, out, n, (off_t)at))
		return QUEUE_OK;
	if (errno == 0)
		return damaged("the file is cut short", why);
	return queue_system_error(errno, why);
}

/* ---- checksums of what is not kept ---- */

static enum queue_result
check_extent(const struct source *from, uint64_t at, uint64_t length, uint32_t expected,
    const char *text, const char **why)
{
	size_t room = length < CHUNK ? (size_t)length : CHUNK;
	enum queue_result r = QUEUE_OK;
	char *chunk = mem_alloc(room);
	uint32_t crc = 0;

	while (length && r == QUEUE_OK) {
		size_t n = length < room ? (size_t)length : room;

		r = read_at(from, chunk, n, at, why);
		if (r == QUEUE_OK)
			crc = crc32c(crc, chunk, n);
		at += n;
		length -= n;
	}
	mem_free(chunk);
	if (r == QUEUE_OK && crc != expected)
		return damaged(text, why);
	return r;
}

enum queue_result
queue_message_check_body(const struct queue_message *m, const char **why)
{
	struct source from = { .fd = m->fd };

	return check_extent(&from, m->body_offset, m->body_length, m->body_crc,
	    "the body's checksum is wrong", why);
}

void
queue_body_check_init(struct queue_body_check *c, const struct queue_message *m)
{
	*c = (struct queue_body_check){ .left = m->body_length, .expected = m->body_crc };
}

void
queue_body_check_update(struct queue_body_check *c, struct view bytes)
{
	/* More than there should be never becomes right again. */
	if (bytes.n > c->left) {
		c->left = UINT64_MAX;
		return;
	}
	c->crc = crc32c(c->crc, bytes.p, bytes.n);
	c->left -= bytes.n;
}

bool
queue_body_check_ok(const struct queue_body_check *c)
{
	return c->left == 0 && c->crc == c->expected;
}

/* ---- opening ---- */

static enum queue_result
read_preamble(const struct source *from, struct preamble *p, const char **why)
{
	char first[QUEUE_PREAMBLE_SIZE];
	size_t n = from->size < sizeof(first) ? (size_t)from->size : sizeof(first);
	enum queue_result r = read_at(from, first, n, 0, why);

	if (r != QUEUE_OK)
		return r;
	switch (preamble_decode((struct view){ first, n }, p, why)) {
	case PREAMBLE_VALID:
		return QUEUE_OK;
	case PREAMBLE_ABSENT:
		*why = "never finished by its writer";
		return QUEUE_INCOMPLETE;
	case PREAMBLE_WRONG:
		break;
	}
	return QUEUE_DAMAGED;
}

static void
take_preamble(struct queue_message *m, const struct preamble *p)
{
	memcpy(m->id, p->id, sizeof(m->id));
	m->flags = p->flags;
	m->arrival = p->arrival;
	m->body_offset = QUEUE_PREAMBLE_SIZE;
	m->body_length = p->body_length;
	m->body_crc = p->body_crc;
	m->header_offset = m->body_offset + p->body_length;
	m->header_length = p->header_length;
	m->envelope_offset = m->header_offset + p->header_length;
	m->envelope_length = p->envelope_length;
	m->journal_offset = m->envelope_offset + p->envelope_length;
	m->journal_end = m->journal_offset;
	m->journal_crc = p->own_crc;
	m->size = p->size;
	m->recipient_count = p->recipient_count;
	m->pending_count = p->recipient_count;
}

static enum queue_result
read_envelope(
    const struct source *from, struct queue_message *m, uint32_t crc, const char **why)
{
	size_t n = (size_t)m->envelope_length;
	char *bytes = arena_alloc(&m->arena, n);
	enum queue_result r = read_at(from, bytes, n, m->envelope_offset, why);

	if (r != QUEUE_OK)
		return r;
	if (crc32c(0, bytes, n) != crc)
		return damaged("the envelope's checksum is wrong", why);
	m->envelope = (struct view){ bytes, n };
	if (!record_check_envelope(m->envelope, m->recipient_count, &m->sender))
		return damaged("the envelope's records are wrong", why);
	return QUEUE_OK;
}

static enum queue_result
message_load(
    const struct source *from, struct queue_message *m, const char *id, const char **why)
{
	struct preamble p;
	enum queue_result r = read_preamble(from, &p, why);

	if (r != QUEUE_OK)
		return r;
	take_preamble(m, &p);
	if (id && strcmp(id, m->id) != 0)
		return damaged("the file says that it is another message", why);
	if (m->journal_offset > from->size)
		return damaged("the file is cut short", why);
	if (m->envelope_length > QUEUE_ENVELOPE_MAX)
		return damaged("the envelope is too large", why);
	r = check_extent(from, m->header_offset, m->header_length, p.header_crc,
	    "the header's checksum is wrong", why);
	if (r == QUEUE_OK)
		r = read_envelope(from, m, p.envelope_crc, why);
	if (r != QUEUE_OK)
		return r;
	m->status = arena_alloc(&m->arena, m->recipient_count * sizeof(*m->status));
	return queue_journal_replay(m, from->size, why);
}

/* Everything after the descriptor is there. */
static enum queue_result
file_load(struct queue_message *m, const char *id, const char **why)
{
	struct source from = { .fd = m->fd };
	struct stat st;

	if (fstat(m->fd, &st) < 0)
		return queue_system_error(errno, why);
	if (!S_ISREG(st.st_mode))
		return damaged("not a regular file", why);
	from.size = (uint64_t)st.st_size;
	return message_load(&from, m, id, why);
}

enum queue_result
queue_message_from_fd(int fd, const char *id, struct queue_message *m, const char **why)
{
	enum queue_result r;

	*m = (struct queue_message){ .fd = fd };
	r = file_load(m, id, why);
	if (r != QUEUE_OK)
		queue_message_done(m);
	return r;
}

/* Whether a writer still holds it; the lock taken here goes with the descriptor. */
static enum queue_result
check_finished(int fd, const char **why)
{
	if (flock(fd, LOCK_SH | LOCK_NB) == 0)
		return QUEUE_OK;
	if (errno != EWOULDBLOCK)
		return queue_system_error(errno, why);
	*why = "still being written";
	return QUEUE_BUSY;
}

enum queue_result
queue_file_open(struct queue *q, enum queue_place place, const char *id, bool for_journal,
    struct queue_message *m, const char **why)
{
	struct queue_dir *dir = queue_dir_of(q, place, id);
	enum queue_result r;

	*m = (struct queue_message){ .fd = -1 };
	if (!dir)
		return queue_lookup_error(ENOENT, why);
	m->fd = openat(dir->fd, id,
	    (for_journal ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (m->fd < 0 && (errno == ELOOP || errno == EISDIR || errno == ENXIO))
		return damaged("not a regular file", why);
	if (m->fd < 0)
		return queue_lookup_error(errno, why);
	r = check_finished(m->fd, why);
	if (r == QUEUE_OK)
		r = file_load(m, id, why);
	if (r != QUEUE_OK)
		queue_message_done(m);
	m->place = place;
	return r;
}

/* A message in a slot is read from a copy, which the descriptor is of, too. */
static enum queue_result
slot_load(struct queue *q, uint64_t slot, const char *id, bool now, struct queue_message *m,
    const char **why)
{
	struct source from = { .fd = -1 };
	struct buf bytes;
	enum queue_result r = slot_read(&q->slots, slot, id, now, &bytes, why);

	if (r != QUEUE_OK)
		return r;
	from.bytes = buf_view(&bytes);
	from.size = bytes.len;
	r = message_load(&from, m, id, why);
	if (r == QUEUE_OK) {
		m->fd = slot_sealed_copy(from.bytes);
		if (m->fd < 0)
			r = queue_system_error(errno, why);
	}
	if (r != QUEUE_OK)
		queue_message_done(m);
	m->in_slot = r == QUEUE_OK;
	buf_done(&bytes);
	return r;
}

/*
 * With a journal the message no longer is one that leaves at once, and gets a file of its own
 * first.
 */
static enum queue_result
slot_open(struct queue *q, uint64_t slot, const char *id, bool for_journal,
    struct queue_message *m, const char **why)
{
	enum queue_result r;

	if (!for_journal)
		return slot_load(q, slot, id, false, m, why);
	r = slot_move(q, slot, id, QUEUE_INCOMING, why);
	return r == QUEUE_OK ? queue_file_open(q, QUEUE_INCOMING, id, true, m, why) : r;
}

bool
queue_message_open_now(struct queue *q, const char *id, struct queue_message *m)
{
	uint64_t slot = slot_learned(&q->slots, id);
	const char *why = NULL;

	*m = (struct queue_message){ .fd = -1 };
	return slot && slot_load(q, slot, id, true, m, &why) == QUEUE_OK;
}

enum queue_result
queue_message_open(struct queue *q, enum queue_place place, const char *id, bool for_journal,
    struct queue_message *m, const char **why)
{
	uint64_t slot = 0;
	enum queue_result r;

	*m = (struct queue_message){ .fd = -1 };
	if (place == QUEUE_INCOMING)
		slot = slot_learned(&q->slots, id);
	if (!slot) {
		r = queue_file_open(q, place, id, for_journal, m, why);
		if ((r != QUEUE_GONE && r != QUEUE_INCOMPLETE) || place != QUEUE_INCOMING)
			return r;
		/* Nor does half a file mean that there is no message. */
		slot = slot_search(&q->slots, id);
		if (!slot)
			return r;
	}
	r = slot_open(q, slot, id, for_journal, m, why);
	/* It may have got a file of its own since. */
	return r == QUEUE_GONE ? queue_file_open(q, place, id, for_journal, m, why) : r;
}

void
queue_message_done(struct queue_message *m)
{
	file_close(&m->fd);
	arena_reset(&m->arena);
	*m = (struct queue_message){ .fd = -1 };
}

/* ---- the envelope ---- */

struct view
queue_message_attribute(const struct queue_message *m, struct view name)
{
	struct cursor c = cursor_of(m->envelope);
	struct view found = VIEW_NONE, n, value;
	struct record r;

	while (record_next(&c, &r)) {
		if (r.type == RECORD_ATTRIBUTE &&
		    record_parse_attribute(r.payload, &n, &value) && view_eq(n, name))
			found = value;
	}
	return found;
}

bool
queue_message_recipient(
    const struct queue_message *m, size_t *position, struct queue_recipient *out)
{
	struct cursor c = cursor_of(view_sub(m->envelope, *position, m->envelope.n));
	struct record r;

	while (record_next(&c, &r)) {
		*position = m->envelope.n - cursor_left(&c);
		if (r.type == RECORD_RECIPIENT)
			return record_parse_recipient(r.payload, out);
	}
	return false;
}
