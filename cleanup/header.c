/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the header block as it came to the one that is stored: our Received: on top, fields that
 * must not travel dropped, over-long fields cut, what is missing added at the end. Hops are
 * counted on the way, and -t recipients collected.
 */
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "cleanup/cleanup.h"
#include "mail/address.h"
#include "mail/header.h"
#include "mail/mbox.h"
#include "mail/trace.h"

enum field_note {
	NOTE_DATE,
	NOTE_MESSAGE_ID,
	NOTE_FROM,
	NOTE_DESTINATION,
	NOTE_RESENT_DATE,
	NOTE_RESENT_MESSAGE_ID,
	NOTE_RESENT_FROM,
	NOTE_RESENT_DESTINATION,
	NOTE_RECEIVED,
};

static const struct known_field {
	struct view name;
	enum field_note note;
} known_fields[] = {
	{ { "Received", 8 }, NOTE_RECEIVED },
	{ { "Date", 4 }, NOTE_DATE },
	{ { "Message-Id", 10 }, NOTE_MESSAGE_ID },
	{ { "From", 4 }, NOTE_FROM },
	{ { "To", 2 }, NOTE_DESTINATION },
	{ { "Cc", 2 }, NOTE_DESTINATION },
	{ { "Bcc", 3 }, NOTE_DESTINATION },
	{ { "Resent-Date", 11 }, NOTE_RESENT_DATE },
	{ { "Resent-Message-Id", 17 }, NOTE_RESENT_MESSAGE_ID },
	{ { "Resent-From", 11 }, NOTE_RESENT_FROM },
	{ { "Resent-To", 9 }, NOTE_RESENT_DESTINATION },
	{ { "Resent-Cc", 9 }, NOTE_RESENT_DESTINATION },
	{ { "Resent-Bcc", 10 }, NOTE_RESENT_DESTINATION },
};

static const struct known_field *
known_field_find(const struct header_field *f)
{
	for (size_t i = 0; i < ARRAY_LEN(known_fields); i++)
		if (header_is(f, known_fields[i].name))
			return &known_fields[i];
	return NULL;
}

/* The id as logged: the value on one line, without what a log reader could stumble over. */
static void
message_id_note(struct message *m, struct view value)
{
	struct buf line = BUF_INIT(1000);

	header_unfold(&line, view_sub(value, 0, 900));
	m->message_id = arena_view(&m->arena, view_trim(buf_view(&line)));
	buf_done(&line);
}

static void
field_note(struct message *m, const struct header_field *f, struct header_seen *seen)
{
	const struct known_field *known = known_field_find(f);

	if (!known)
		return;
	switch (known->note) {
	case NOTE_RECEIVED:
		seen->received++;
		break;
	case NOTE_DATE:
		seen->date = true;
		break;
	case NOTE_MESSAGE_ID:
		if (!seen->message_id)
			message_id_note(m, f->value);
		seen->message_id = true;
		break;
	case NOTE_FROM:
		seen->from = true;
		break;
	case NOTE_DESTINATION:
		seen->destination = true;
		break;
	case NOTE_RESENT_DATE:
		seen->is_resent = seen->resent_date = true;
		break;
	case NOTE_RESENT_MESSAGE_ID:
		seen->is_resent = seen->resent_message_id = true;
		break;
	case NOTE_RESENT_FROM:
		seen->is_resent = seen->resent_from = true;
		break;
	case NOTE_RESENT_DESTINATION:
		seen->is_resent = true;
		break;
	}
}

static bool
is_dropped(const struct header_field *f)
{
	char name[64];

	if (f->name.n >= sizeof(name))
		return false;
	for (size_t i = 0; i < f->name.n; i++)
		name[i] = char_lower(f->name.p[i]);
	return hash_find(cleanup.drop_headers, (struct view){ name, f->name.n }) != NULL;
}

/* header_size_limit: the rest of an over-long field is discarded, at the end of a line if any.
 */
static struct view
field_cut(struct view raw)
{
	size_t limit = (size_t)cleanup.conf->header_size_limit, eol;

	if (raw.n <= limit)
		return raw;
	raw = view_sub(raw, 0, limit);
	eol = view_find_last(raw, '\n');
	return eol < raw.n ? view_sub(raw, 0, eol + 1) : raw;
}

static void
field_store(struct message *m, struct view raw)
{
	buf_append_view(&m->out, raw);
	if (raw.n && raw.p[raw.n - 1] != '\n')
		buf_append_str(&m->out, "\r\n");
}

/* -t takes the Resent- destinations of a resent message and the others of an original one. */
static void
extract_all(struct message *m, bool is_resent)
{
	struct view block = buf_view(&m->header);
	struct header_field f;

	while (header_next(&block, &f)) {
		const struct known_field *known = known_field_find(&f);

		if (known &&
		    known->note == (is_resent ? NOTE_RESENT_DESTINATION : NOTE_DESTINATION))
			recipients_extract(m, f.value);
	}
}

static void
received_add(struct message *m)
{
	const struct submit_begin *f = &m->facts;
	struct received_facts facts = {
		.is_local = f->source != SUBMIT_SMTP,
		.helo_name = f->helo_name,
		.client_name = f->client_name,
		.client_address = view_find(f->client_address, ':') < f->client_address.n
		    ? view_of(arena_printf(&m->arena, "IPv6:%.*s", VIEW_ARG(f->client_address)))
		    : f->client_address,
		.hostname =
		    f->server_name.n ? f->server_name : view_of(cleanup.conf->myhostname),
		.mail_name = view_of(cleanup.conf->mail_name),
		.protocol = f->protocol_name,
		.queue_id = view_of(queue_writer_id(m->writer)),
		.recipient = m->first_recipient,
		.recipient_count = queue_writer_recipient_count(m->writer),
		.uid = f->uid,
		.when = queue_writer_arrival(m->writer),
	};

	received_print(&m->out, &facts);
}

bool
line_is_separator(struct view line)
{
	while (line.n && line.p[0] == '>')
		line = view_sub(line, 1, SIZE_MAX);
	return mbox_is_from_line(line);
}

/* A mailbox separator that slipped in on top of a message is kept as a field. */
static void
mbox_from_convert(struct message *m, struct view *block)
{
	size_t eol = view_find(*block, '\n');
	struct view line = view_trim(view_sub(*block, 0, eol));

	if (!line_is_separator(line))
		return;
	header_build(&m->out, "X-Mailbox-Line", line);
	*block = view_sub(*block, eol + 1, SIZE_MAX);
}

void
header_finish(struct message *m)
{
	struct header_seen seen = { 0 };
	struct view block = buf_view(&m->header);
	struct header_field f;

	while (header_next(&block, &f))
		field_note(m, &f, &seen);
	if (m->facts.extract_recipients)
		extract_all(m, seen.is_resent);

	block = buf_view(&m->header);
	received_add(m);
	mbox_from_convert(m, &block);
	seen = (struct header_seen){ 0 };
	while (header_next(&block, &f)) {
		field_note(m, &f, &seen);
		if (!is_dropped(&f))
			field_store(m, field_cut(f.raw));
	}
	if (seen.received >= (unsigned)cleanup.conf->hopcount_limit) {
		message_refuse(m, SUBMIT_LOOP, "5.4.0", "Error: too many hops");
		return;
	}
	header_add_missing(m, &seen);
	if (m->out.overflow)
		message_refuse(m, SUBMIT_TOO_BIG, "5.3.4", "Error: message header too large");
	else
		queue_writer_header(m->writer, buf_view(&m->out));
}
