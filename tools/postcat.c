/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postcat [-bdehoqrv] [-c dir] [file...]: shows queue files in the layout of Postfix's postcat,
 * which scripts cut apart: envelope records, the message with LF line ends, what was extracted
 * (nothing here), the end. -q takes ids and looks them up in the queue. Without a file it reads
 * standard input. -b, -e, -h choose parts; -o and -d put offset and record type before each
 * line; -r is accepted, for records are always in file order.
 *
 * A file that cannot be shown is one warning, and the others are still shown.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cursor.h"
#include "base/escape.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "mail/date.h"
#include "queue/attributes.h"
#include "queue/queue.h"
#include "queue/queue_file.h"
#include "queue/record.h"

#define CHUNK 65536

enum part { PART_ENVELOPE = 1, PART_HEADER = 2, PART_BODY = 4, PART_ALL = 7 };

/* The record types of Postfix's file format, for -d. */
enum shown_type {
	SHOWN_SIZE = 'C',
	SHOWN_TIME = 'T',
	SHOWN_FULL_NAME = 'F',
	SHOWN_FILTER = 'L',
	SHOWN_ATTRIBUTE = 'A',
	SHOWN_SENDER = 'S',
	SHOWN_ORIGINAL = 'O',
	SHOWN_RECIPIENT = 'R',
	SHOWN_DONE = 'D',
	SHOWN_MESSAGE = 'M',
	SHOWN_LINE = 'N',
	SHOWN_EXTRACTED = 'X',
	SHOWN_END = 'E',
};

struct options {
	unsigned parts;
	bool offsets;
	bool types;
	bool by_id;
	bool verbose;
};

/* One file being shown. */
struct shown {
	const struct options *options;
	const char *path;
	const struct queue_message *m;
};

static void
print_prefix(const struct shown *s, uint64_t offset, enum shown_type type)
{
	if (s->options->offsets)
		printf("%9" PRIu64 " ", offset);
	if (s->options->types)
		printf("%3d ", type);
}

static void
print_marker(const struct shown *s, uint64_t offset, enum shown_type type, const char *text)
{
	if (!(s->options->parts & PART_ENVELOPE))
		return;
	print_prefix(s, offset, type);
	printf("*** %s %s ***\n", text, s->path);
}

/* Envelope text comes from outside: it must not command the terminal. */
static void
print_field(const struct shown *s, uint64_t offset, enum shown_type type, const char *name,
    struct view value)
{
	struct buf text = BUF_INIT(SIZE_MAX);

	escape_printable(&text, value, SIZE_MAX);
	print_prefix(s, offset, type);
	printf("%s: %s\n", name, buf_str(&text));
	buf_done(&text);
}

/* ---- envelope ---- */

static void
print_facts(const struct shown *s)
{
	const struct queue_message *m = s->m;
	char date[DATE_SIZE];

	print_prefix(s, 0, SHOWN_SIZE);
	printf("message_size: %15" PRIu64 " %15" PRIu64 " %15" PRIu32 " %15d %15" PRIu64
	       " %15d\n",
	    m->size, m->header_offset, m->recipient_count, 0, m->size,
	    m->flags & QUEUE_FLAG_SMTPUTF8 ? 1 : 0);
	print_prefix(s, 0, SHOWN_TIME);
	date_print_asctime(m->arrival, date);
	printf("message_arrival_time: %s\n", date);
}

static void
print_attribute(const struct shown *s, uint64_t offset, struct view name, struct view value)
{
	struct buf pair = BUF_INIT(SIZE_MAX);

	if (view_eq(name, VIEW(ATTR_FULL_NAME))) {
		print_field(s, offset, SHOWN_FULL_NAME, "sender_fullname", value);
	} else if (view_eq(name, VIEW(ATTR_FILTER))) {
		print_field(s, offset, SHOWN_FILTER, "content_filter", value);
	} else {
		buf_printf(&pair, "%.*s=%.*s", VIEW_ARG(name), VIEW_ARG(value));
		print_field(s, offset, SHOWN_ATTRIBUTE, "named_attribute", buf_view(&pair));
	}
	buf_done(&pair);
}

static void
print_recipient(const struct shown *s, uint64_t offset, const struct queue_recipient *r,
    const struct queue_rcpt_status *status)
{
	char notify[16];

	if (r->dsn_orcpt.n)
		print_attribute(s, offset, VIEW("dsn_orig_rcpt"), r->dsn_orcpt);
	if (r->notify) {
		snprintf(notify, sizeof(notify), "%u", r->notify);
		print_attribute(s, offset, VIEW("notify_flags"), view_of(notify));
	}
	print_field(s, offset, SHOWN_ORIGINAL, "original_recipient", r->original);
	if (status->state == QUEUE_RCPT_PENDING)
		print_field(s, offset, SHOWN_RECIPIENT, "recipient", r->address);
	else
		print_field(s, offset, SHOWN_DONE, "done", r->address);
}

static void
print_envelope(const struct shown *s)
{
	struct cursor c = cursor_of(s->m->envelope);
	uint64_t offset = s->m->envelope_offset;
	struct queue_recipient recipient;
	struct view name, value;
	struct record r;
	uint32_t index = 0;

	printf("*** ENVELOPE RECORDS %s ***\n", s->path);
	print_facts(s);
	while (record_next(&c, &r)) {
		if (r.type == RECORD_SENDER)
			print_field(s, offset, SHOWN_SENDER, "sender", r.payload);
		else if (r.type == RECORD_ATTRIBUTE &&
		    record_parse_attribute(r.payload, &name, &value))
			print_attribute(s, offset, name, value);
		else if (record_parse_recipient(r.payload, &recipient))
			print_recipient(s, offset, &recipient, &s->m->status[index++]);
		offset = s->m->envelope_offset + s->m->envelope.n - cursor_left(&c);
	}
}

/* ---- message ---- */

/* Lines on their way from CRLF to LF. */
struct lines {
	const struct shown *shown;
	uint64_t offset; /* in the file, of the next byte */
	bool mid_line;
	bool held_cr;
};

static void
lines_begin(struct lines *l)
{
	if (l->mid_line)
		return;
	print_prefix(l->shown, l->offset, SHOWN_LINE);
	if (l->shown->options->verbose)
		fputs("regular_text: ", stdout);
	l->mid_line = true;
}

static void
lines_add(struct lines *l, struct view text)
{
	for (size_t i = 0; i < text.n; i++, l->offset++) {
		char c = text.p[i];

		lines_begin(l);
		if (l->held_cr && c != '\n')
			putchar('\r');
		l->held_cr = c == '\r';
		if (!l->held_cr)
			putchar(c);
		if (c == '\n')
			l->mid_line = false;
	}
}

static void
lines_end(struct lines *l)
{
	if (l->held_cr)
		putchar('\r');
	if (l->mid_line)
		putchar('\n');
}

static void
print_extent(
    const struct shown *s, uint64_t at, uint64_t length, struct queue_body_check *check)
{
	struct lines l = { .shown = s, .offset = at };
	char *chunk = mem_alloc(CHUNK);

	while (length) {
		size_t n = length < CHUNK ? (size_t)length : CHUNK;

		if (!file_pread_all(s->m->fd, chunk, n, (off_t)at)) {
			log_warn("%s: %s", s->path, errno ? strerror(errno) : "cut short");
			break;
		}
		if (check)
			queue_body_check_update(check, (struct view){ chunk, n });
		lines_add(&l, (struct view){ chunk, n });
		at += n;
		length -= n;
	}
	lines_end(&l);
	mem_free(chunk);
}

/* The empty line counts as the body's, as Postfix has it. */
static void
print_body(const struct shown *s)
{
	struct lines separator = { .shown = s, .offset = s->m->body_offset };
	struct queue_body_check check;

	lines_begin(&separator);
	lines_end(&separator);
	queue_body_check_init(&check, s->m);
	print_extent(s, s->m->body_offset, s->m->body_length, &check);
	if (!queue_body_check_ok(&check))
		log_warn("%s: the body's checksum is wrong: the message is damaged", s->path);
}

static void
print_message(const struct options *options, const char *path, const struct queue_message *m)
{
	struct shown s = { options, path, m };

	if (options->parts & PART_ENVELOPE)
		print_envelope(&s);
	print_marker(&s, m->header_offset, SHOWN_MESSAGE, "MESSAGE CONTENTS");
	if (options->parts & PART_HEADER)
		print_extent(&s, m->header_offset, m->header_length, NULL);
	if (options->parts & PART_BODY)
		print_body(&s);
	print_marker(&s, m->envelope_offset, SHOWN_EXTRACTED, "HEADER EXTRACTED");
	print_marker(&s, m->journal_offset, SHOWN_END, "MESSAGE FILE END");
}

/* ---- where messages come from ---- */

static void
show_descriptor(const struct options *options, const char *path, int fd)
{
	struct queue_message m;
	const char *why = NULL;

	if (queue_message_from_fd(fd, NULL, &m, &why) != QUEUE_OK) {
		log_warn("%s: input is not a valid queue file: %s", path, why);
		return;
	}
	print_message(options, path, &m);
	queue_message_done(&m);
}

/* A pipe has no offsets: its bytes go through memory that has. */
static void
show_input(const struct options *options)
{
	int fd = memfd_create("stdin", MFD_CLOEXEC);
	char *chunk = mem_alloc(CHUNK);
	ssize_t n;

	if (fd < 0)
		log_fatal("memfd_create: %s", strerror(errno));
	while ((n = read(STDIN_FILENO, chunk, CHUNK)) > 0 || (n < 0 && errno == EINTR)) {
		if (n > 0 && !file_write_all(fd, chunk, (size_t)n))
			log_fatal("stdin: %s", strerror(errno));
	}
	if (n < 0)
		log_fatal("stdin: %s", strerror(errno));
	mem_free(chunk);
	show_descriptor(options, "stdin", fd);
}

static void
show_file(const struct options *options, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		log_fatal("open %s: %s", path, strerror(errno));
	show_descriptor(options, path, fd);
}

static void
show_id(const struct options *options, struct queue *q, const char *id)
{
	struct queue_message m;
	enum queue_place place;
	enum queue_result r = QUEUE_GONE;
	const char *why = NULL;
	char path[64];

	if (!queue_id_is_valid(view_of(id)))
		log_fatal("bad mail queue ID: %s", id);
	/* It may move between being found and being opened. */
	for (int i = 0; i < 3 && r == QUEUE_GONE && queue_find(q, id, &place); i++)
		r = queue_message_open(q, place, id, false, &m, &why);
	if (r == QUEUE_GONE)
		log_fatal("open queue file %s: No such file or directory", id);
	queue_path(place, id, path, sizeof(path));
	if (r != QUEUE_OK) {
		log_warn("%s: %s: %s", path, queue_result_text(r), why);
		return;
	}
	print_message(options, path, &m);
	queue_message_done(&m);
}

static struct queue *
open_queue(const char *directory)
{
	const struct conf_parameter *row = conf_parameter_find("config_directory");
	const char *why_not = NULL;
	struct conf *conf;
	struct queue *q;
	char *why = NULL;

	if (!directory)
		directory = getenv("MAIL_CONFIG");
	conf = conf_open(directory ? directory : row->default_text, true, &why);
	if (!conf || !conf_evaluate(conf, &why))
		log_fatal("%s", why);
	q = queue_open(conf_values_of(conf)->queue_directory, false, &why_not);
	if (!q)
		log_fatal("queue_directory: %s", why_not);
	conf_free(&conf);
	return q;
}

static void
show_all(const struct options *options, const char *directory, char **names)
{
	struct queue *q = NULL;

	if (options->by_id && *names)
		q = open_queue(directory);
	if (!*names)
		show_input(options);
	for (; *names; names++) {
		if (q)
			show_id(options, q, *names);
		else
			show_file(options, *names);
	}
	queue_close(&q);
}

static void
set_option(struct options *o, int letter)
{
	switch (letter) {
	case 'b':
		o->parts |= PART_BODY;
		break;
	case 'd':
		o->types = true;
		break;
	case 'e':
		o->parts |= PART_ENVELOPE;
		break;
	case 'h':
		o->parts |= PART_HEADER;
		break;
	case 'o':
		o->offsets = true;
		break;
	case 'q':
		o->by_id = true;
		break;
	case 'r':
		break;
	case 'v':
		o->verbose = true;
		break;
	default:
		log_fatal("usage: postcat [-b (body text)] [-c config_dir] [-d (decimal record "
			  "type)] [-e (envelope records)] [-h (header text)] [-o (offsets)] "
			  "[-q (access queue)] [-v] [file(s)...]");
	}
}

int
main(int argc, char **argv)
{
	struct options options = { 0 };
	const char *directory = NULL;
	int letter;

	log_set_tag("postcat");
	while ((letter = getopt(argc, argv, "bc:dehoqrv")) != -1) {
		if (letter == 'c')
			directory = optarg;
		else
			set_option(&options, letter);
	}
	if (options.parts == 0)
		options.parts = PART_ALL;
	show_all(&options, directory, argv + optind);
	if (fflush(stdout) != 0)
		log_fatal("standard output: %s", strerror(errno));
	return 0;
}
