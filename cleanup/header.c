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
	NOTE_BCC,
	NOTE_RESENT_BCC,
	NOTE_RESENT,
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
	{ { "Bcc", 3 }, NOTE_BCC },
	{ { "Resent-Date", 11 }, NOTE_RESENT_DATE },
	{ { "Resent-Message-Id", 17 }, NOTE_RESENT_MESSAGE_ID },
	{ { "Resent-From", 11 }, NOTE_RESENT_FROM },
	{ { "Resent-To", 9 }, NOTE_RESENT_DESTINATION },
	{ { "Resent-Cc", 9 }, NOTE_RESENT_DESTINATION },
	{ { "Resent-Bcc", 10 }, NOTE_RESENT_BCC },
	{ { "Resent-Sender", 13 }, NOTE_RESENT },
	{ { "Resent-Reply-To", 15 }, NOTE_RESENT },
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
message_id_note(struct message *m, struct view value, bool *seen, struct view *out)
{
	struct buf line = BUF_INIT(1000);

	if (!*seen) {
		header_unfold(&line, view_sub(value, 0, 900));
		*out = arena_view(&m->arena, view_trim(buf_view(&line)));
		buf_done(&line);
	}
	*seen = true;
}

static void
field_note(struct message *m, const struct header_field *f)
{
	const struct known_field *known = known_field_find(f);
	struct header_seen *seen = &m->seen;

	if (!known)
		return;
	if (view_has_prefix_nocase(known->name, VIEW("Resent-")))
		seen->is_resent = true;
	switch (known->note) {
	case NOTE_RECEIVED:
		seen->received++;
		break;
	case NOTE_DATE:
		seen->date = true;
		break;
	case NOTE_MESSAGE_ID:
		message_id_note(m, f->value, &seen->message_id, &m->message_id);
		break;
	case NOTE_FROM:
		seen->from = true;
		break;
	case NOTE_DESTINATION:
	case NOTE_RESENT_DESTINATION:
		seen->destination = true;
		break;
	case NOTE_RESENT_DATE:
		seen->resent_date = true;
		break;
	case NOTE_RESENT_MESSAGE_ID:
		message_id_note(m, f->value, &seen->resent_message_id, &m->resent_message_id);
		break;
	case NOTE_RESENT_FROM:
		seen->resent_from = true;
		break;
	case NOTE_RESENT:
	case NOTE_BCC:
	case NOTE_RESENT_BCC:
		break;
	}
}

struct hash *
header_names_new(const char *list)
{
	struct hash *names = hash_new();
	struct view rest = view_of(list), word;

	while (view_next_word(&rest, ", \t\r\n", &word)) {
		char *name = mem_dup(word.p, word.n);

		for (char *p = name; *p; p++)
			*p = char_lower(*p);
		hash_put(names, view_of(name), &cleanup);
		mem_free(name);
	}
	return names;
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

/* header_size_limit: the rest of an over-long field is dropped, from the end of a line if any.
 */
static struct view
field_cut(struct view raw)
{
	size_t limit = (size_t)cleanup.conf->header_size_limit, eol;

	if (raw.n <= limit)
		return raw;
	raw = view_sub(raw, 0, limit);
	eol = view_find_last(raw, '\n');
	if (eol < raw.n)
		return view_sub(raw, 0, eol + 1);
	while (raw.n && raw.p[raw.n - 1] == '\r')
		raw.n--;
	return raw;
}

static void
field_store(struct message *m, struct view raw)
{
	raw = field_cut(raw);
	buf_append_view(&m->out, raw);
	if (raw.n && raw.p[raw.n - 1] != '\n')
		buf_append_str(&m->out, "\r\n");
}

static bool
is_extracted(enum field_note note, bool is_resent)
{
	return is_resent ? note == NOTE_RESENT_DESTINATION || note == NOTE_RESENT_BCC
			 : note == NOTE_DESTINATION || note == NOTE_BCC;
}

/* -t takes the Resent- destinations of a resent message and the others of an original one. */
static void
extract_all(struct message *m, struct view block)
{
	struct header_field f;

	while (!message_is_refused(m) && header_next(&block, &f)) {
		const struct known_field *known = known_field_find(&f);

		if (known && is_extracted(known->note, m->seen.is_resent))
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
		.recipient_count = m->recipients_given,
		.uid = f->uid,
		.no_uid = f->source != SUBMIT_LOCAL,
		.when = queue_writer_arrival(m->writer),
	};

	received_print(&m->out, &facts);
}

/* A mailbox separator that slipped in on top of a message is kept as a field. */
static void
separator_convert(struct message *m, struct view *block)
{
	size_t n = header_separator_length(*block);

	if (n == 0)
		return;
	buf_append_str(&m->out, "X-Mailbox-Line: ");
	field_store(m, view_sub(*block, 0, n));
	*block = view_sub(*block, n, SIZE_MAX);
}

/* non_empty_end_of_header_action; fix_quietly needs no act: the empty line is ours anyway. */
static void
unterminated_treat(struct message *m)
{
	const char *action = cleanup.conf->non_empty_end_of_header_action;

	if (!m->header_unterminated || strcmp(action, "fix_quietly") == 0)
		return;
	if (strcmp(action, "add_header") == 0)
		header_build(&m->out, "MIME-Error",
		    VIEW("message header was not terminated by empty line"));
	else if (strcmp(action, "reject") == 0)
		message_reject_mime(
		    m, "message header was not terminated by empty line", VIEW_NONE);
	else
		log_warn("non_empty_end_of_header_action: unknown action \"%s\"", action);
}

/* As in Postfix the field of this hop counts too. */
static void
hops_check(struct message *m)
{
	if (m->seen.received + 1 < (unsigned)cleanup.conf->hopcount_limit)
		return;
	log_warn("%s: message rejected: hopcount exceeded", queue_writer_id(m->writer));
	message_refuse(m, SUBMIT_LOOP, "5.4.0", "Error: too many hops");
}

void
header_survey(struct message *m)
{
	struct view block = buf_view(&m->header), rest;
	struct header_field f;

	block = view_sub(block, header_separator_length(block), SIZE_MAX);
	rest = block;
	while (header_next(&rest, &f))
		field_note(m, &f);
	hops_check(m);
	if (m->facts.extract_recipients)
		extract_all(m, block);
}

/* Log readers pair queue ids with message ids by these lines. */
static void
message_id_log(const struct message *m)
{
	const char *id = queue_writer_id(m->writer);

	if (m->resent_message_id.n)
		log_info("%s: resent-message-id=%.*s", id, VIEW_ARG(m->resent_message_id));
	if (m->message_id.n)
		log_info("%s: message-id=%.*s", id, VIEW_ARG(m->message_id));
	else
		log_info("%s: message-id=<>", id);
}

void
header_write(struct message *m)
{
	struct view block = buf_view(&m->header);
	struct header_field f;

	received_add(m);
	separator_convert(m, &block);
	while (header_next(&block, &f))
		if (!is_dropped(&f))
			field_store(m, f.raw);
	header_add_missing(m);
	unterminated_treat(m);
	message_id_log(m);
	if (m->out.overflow)
		message_refuse(m, SUBMIT_TOO_BIG, "5.3.4", "Error: message header too large");
	else
		queue_writer_header(m->writer, buf_view(&m->out));
}
