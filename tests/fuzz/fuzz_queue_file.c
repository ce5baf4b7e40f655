/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue file reader. An input is either a file as it is, or, after a first byte 'R', parts
 * of one around which a preamble and checksums are put that are right: otherwise nearly every
 * mutation would end at the first checksum. What can be opened must be consistent, and what is
 * appended to its journal must be there when it is opened again.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/file.h"
#include "base/mem.h"
#include "queue/preamble.h"
#include "queue/queue_private.h"
#include "queue/record.h"

#define ID "4bXzTq1234z000000000000"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static uint32_t
count_recipients(struct view envelope)
{
	struct cursor c = cursor_of(envelope);
	struct record r;
	uint32_t n = 0;

	while (record_next(&c, &r))
		n += r.type == RECORD_RECIPIENT;
	return n;
}

static void
put_u32(unsigned char *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (unsigned char)(value >> (24 - 8 * i));
}

/* Gives each journal record that has room for one its checksum. */
static void
repair_journal(unsigned char *p, size_t n, uint32_t crc)
{
	while (n >= 9) {
		struct cursor c = cursor_of((struct view){ (char *)p + 1, 4 });
		size_t length = cursor_u32(&c);

		if (length > n - 9)
			return;
		crc = crc32c(crc, p, 5 + length);
		put_u32(p + 5 + length, crc);
		p += 9 + length;
		n -= 9 + length;
	}
}

/* u16 body, u16 header, u16 envelope lengths, then these parts, then the journal. */
static int
repaired_file(struct view input)
{
	unsigned char first[QUEUE_PREAMBLE_SIZE];
	struct cursor c = cursor_of(input);
	struct preamble p = { .arrival = 1, .id = ID };
	size_t body = cursor_u16(&c), header = cursor_u16(&c), envelope = cursor_u16(&c);
	struct view rest = cursor_rest(&c), part;
	char *journal;
	int fd;

	if (c.failed || body + header + envelope > rest.n)
		return -1;
	p.body_length = body;
	p.body_crc = crc32c(0, rest.p, body);
	p.header_length = header;
	p.header_crc = crc32c(0, rest.p + body, header);
	p.envelope_length = envelope;
	part = view_sub(rest, body + header, envelope);
	p.envelope_crc = crc32c(0, part.p, part.n);
	p.recipient_count = count_recipients(part);
	p.size = header + 2 + body;
	preamble_encode(&p, first);
	part = view_sub(rest, body + header + envelope, rest.n);
	journal = mem_dup(part.p, part.n);
	repair_journal((unsigned char *)journal, part.n, p.own_crc);
	fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (!file_pwrite_all(fd, first, sizeof(first), 0) ||
	    !file_pwrite_all(fd, rest.p, rest.n - part.n, QUEUE_PREAMBLE_SIZE) ||
	    !file_pwrite_all(
		fd, journal, part.n, (off_t)(QUEUE_PREAMBLE_SIZE + rest.n - part.n)))
		file_close(&fd);
	mem_free(journal);
	return fd;
}

static void
check_message(const struct queue_message *m)
{
	struct queue_recipient r;
	uint32_t count = 0, pending = 0;
	size_t position = 0;
	const char *why;

	while (queue_message_recipient(m, &position, &r))
		count++;
	assert(count == m->recipient_count);
	for (uint32_t i = 0; i < count; i++)
		pending += m->status[i].state == QUEUE_RCPT_PENDING;
	assert(pending == m->pending_count);
	assert(m->size == m->header_length + 2 + m->body_length);
	queue_message_attribute(m, VIEW("client_name"));
	queue_message_check_body(m, &why);
}

/* A journal that was read can be continued. */
static void
check_append(struct queue_message *m)
{
	struct queue q = { .sync = false };
	struct queue_journal_entry e = { 0, QUEUE_RCPT_BOUNCED, 7, VIEW("5.0.0"), VIEW("no") };
	uint32_t attempts = m->attempts, pending;
	struct queue_message again;
	const char *why;
	int fd = dup(m->fd);

	assert(queue_journal_attempt(&q, m, 12345, &why) == QUEUE_OK);
	if (m->recipient_count)
		assert(queue_journal_append(&q, m, &e, 1, false, &why) == QUEUE_OK);
	pending = m->pending_count;
	assert(queue_message_from_fd(fd, m->id, &again, &why) == QUEUE_OK);
	assert(again.attempts == attempts + 1 && again.due == 12345);
	assert(again.pending_count == pending);
	if (m->recipient_count)
		assert(again.status[0].state == QUEUE_RCPT_BOUNCED);
	queue_message_done(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct view input = { (const char *)data, n };
	struct queue_message m;
	const char *why = NULL;
	int fd;

	if (n && data[0] == 'R') {
		fd = repaired_file(view_sub(input, 1, n));
	} else {
		fd = memfd_create("fuzz", MFD_CLOEXEC);
		if (!file_pwrite_all(fd, data, n, 0))
			file_close(&fd);
	}
	if (fd < 0)
		return 0;
	if (queue_message_from_fd(fd, NULL, &m, &why) != QUEUE_OK) {
		assert(why && m.fd < 0);
		return 0;
	}
	check_message(&m);
	check_append(&m);
	queue_message_done(&m);
	return 0;
}
