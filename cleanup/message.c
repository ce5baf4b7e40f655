/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of one message in cleanup. The header is kept until it is complete; the body streams
 * into the queue writer; `end` finishes the header, the envelope and the file.
 *
 * Once refused, whatever still comes is read and dropped: the client learns the verdict at
 * `end`.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "cleanup/cleanup.h"
#include "ipc/ipc_own.h"
#include "ipc/ipc_pool.h"
#include "mail/address.h"
#include "mail/header.h"
#include "proto/queuectl.h"
#include "queue/attributes.h"
#include "route/route.h"
#include "task/task.h"

#define ANNOUNCE_TIME (5 * SECOND)

bool
message_is_refused(const struct message *m)
{
	return m->verdict.result != SUBMIT_OK;
}

void
message_refuse(struct message *m, enum submit_result result, const char *dsn, const char *text)
{
	if (message_is_refused(m))
		return;
	m->verdict = (struct verdict){ result, dsn, text };
	queue_writer_free(&m->writer);
	buf_done(&m->header);
}

static bool
wants_mime(const struct conf_values *v)
{
	return v->strict_8bitmime || v->strict_7bit_headers || v->strict_8bitmime_body ||
	    v->strict_mime_encoding_domain;
}

static struct mime_state *
mime_open(const struct conf_values *v)
{
	struct mime_limits limits = {
		.nesting = (unsigned)v->mime_nesting_limit,
		.boundary_length = (size_t)v->mime_boundary_length_limit,
		.header_size = (size_t)v->header_size_limit,
	};

	return wants_mime(v) && !v->disable_mime_input_processing ? mime_new(&limits) : NULL;
}

void
message_begin(struct message *m, const struct submit_begin *begin)
{
	const struct conf_values *v = cleanup.conf;

	memset(m, 0, sizeof(*m));
	m->facts = *begin;
	ipc_own(&submit_begin_message, &m->facts, &m->arena);
	m->verdict.result = SUBMIT_OK;
	buf_init(&m->header, CLEANUP_HEADER_MAX);
	buf_init(&m->out, 2 * CLEANUP_HEADER_MAX);
	buf_init(&m->mime_line, (size_t)v->line_length_limit);
	m->mime = mime_open(v);
	m->writer = queue_writer_new(cleanup.queue, QUEUE_INCOMING);
	if (m->facts.queue_id.n && !queue_writer_set_id(m->writer, m->facts.queue_id)) {
		log_warn("submission with a malformed queue id \"%.*s\"",
		    VIEW_ARG(m->facts.queue_id));
		message_refuse(m, SUBMIT_RETRY, "4.3.0", "Error: queue file write error");
		return;
	}
	if (m->facts.hold)
		queue_writer_set_place(m->writer, QUEUE_HOLD);
}

void
message_recipient(struct message *m, const struct submit_recipient *r)
{
	if (!message_is_refused(m))
		recipient_add(m, r);
}

static bool
size_is_over(struct message *m, size_t more)
{
	long long limit = cleanup.conf->message_size_limit;

	m->content_size += more;
	return limit > 0 && m->facts.source != SUBMIT_NOTICE &&
	    m->content_size > (uint64_t)limit;
}

/*
 * How many bytes of the header buffer are header: up to the empty line, or up to the first line
 * that can be neither a field nor a continuation. False while that is not known yet. *skip is
 * the empty line's own length.
 */
static bool
header_end_find(struct view text, size_t from, size_t *length, size_t *skip)
{
	size_t at = from;

	while (at < text.n) {
		struct view rest = view_sub(text, at, text.n - at);
		size_t eol = view_find(rest, '\n');
		struct view line, name;

		if (eol == rest.n)
			return false;
		line = view_sub(rest, 0, eol);
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		*length = at;
		*skip = 0;
		if (line.n == 0) {
			*skip = eol + 1;
			return true;
		}
		if (!header_line_is_field(line, &name) &&
		    !(at > 0 && (line.p[0] == ' ' || line.p[0] == '\t')) &&
		    !(at == 0 && line_is_separator(line)))
			return true;
		at += eol + 1;
	}
	return false;
}

/* The last line of what has arrived may be incomplete: the search starts there again. */
static size_t
header_search_start(const struct buf *header)
{
	struct view text = buf_view(header);
	size_t last = view_find_last(text, '\n');

	return last == text.n ? 0 : last + 1;
}

static void
header_content(struct message *m, struct view bytes)
{
	size_t from = header_search_start(&m->header), length, skip;
	struct view rest;

	if (!buf_append_view(&m->header, bytes)) {
		message_refuse(m, SUBMIT_TOO_BIG, "5.3.4", "Error: message header too large");
		return;
	}
	if (!header_end_find(buf_view(&m->header), from, &length, &skip))
		return;
	body_begin(m, view_sub(buf_view(&m->header), 0, length));
	rest = view_sub(buf_view(&m->header), length + skip, SIZE_MAX);
	body_content(m, rest);
	buf_truncate(&m->header, length);
}

/* The content ended inside the header: its last line may have no end, or be no header at all.
 */
static void
header_content_end(struct message *m)
{
	struct view text = buf_view(&m->header);
	size_t last = header_search_start(&m->header);
	struct view line = view_sub(text, last, SIZE_MAX), name;

	if (line.n && !header_line_is_field(line, &name) &&
	    !(last > 0 && char_is_blank(line.p[0]))) {
		body_begin(m, view_sub(text, 0, last));
		body_content(m, line);
		buf_truncate(&m->header, last);
		return;
	}
	if (line.n)
		buf_append_str(&m->header, "\r\n");
	body_begin(m, buf_view(&m->header));
}

void
message_content(struct message *m, struct view bytes)
{
	if (message_is_refused(m))
		return;
	if (size_is_over(m, bytes.n)) {
		message_refuse(m, SUBMIT_TOO_BIG, "5.3.4", "Error: message file too big");
		return;
	}
	if (m->phase == MESSAGE_HEADER)
		header_content(m, bytes);
	else
		body_content(m, bytes);
}

static void
sender_store(struct message *m)
{
	struct buf sender = BUF_INIT(2 * ADDRESS_MAX);

	if (m->facts.sender.n)
		route_standard_form(cleanup.conf, m->facts.sender, &sender);
	queue_writer_sender(m->writer, buf_view(&sender));
	buf_done(&sender);
}

static void
envelope_finish(struct message *m)
{
	const struct submit_begin *f = &m->facts;
	const struct {
		const char *name;
		struct view value;
	} attributes[] = {
		{ ATTR_CLIENT_NAME, f->client_name },
		{ ATTR_CLIENT_ADDRESS, f->client_address },
		{ ATTR_CLIENT_PORT, f->client_port },
		{ ATTR_HELO_NAME, f->helo_name },
		{ ATTR_PROTOCOL_NAME, f->protocol_name },
		{ ATTR_ENVELOPE_ID, f->envelope_id },
		{ ATTR_DSN_RET, f->dsn_ret },
		{ ATTR_MESSAGE_ID, m->message_id },
		{ ATTR_ENCODING, f->is_8bit ? VIEW("8bit") : VIEW_NONE },
	};

	sender_store(m);
	for (size_t i = 0; i < ARRAY_LEN(attributes); i++)
		if (attributes[i].value.n)
			queue_writer_attribute(
			    m->writer, view_of(attributes[i].name), attributes[i].value);
	if (f->smtputf8)
		queue_writer_add_flags(m->writer, QUEUE_FLAG_SMTPUTF8);
	if (f->source == SUBMIT_LOCAL)
		queue_writer_add_flags(m->writer, QUEUE_FLAG_LOCAL);
	if (f->source == SUBMIT_NOTICE)
		queue_writer_add_flags(m->writer, QUEUE_FLAG_BOUNCE);
}

struct commit {
	struct message *m;
	enum queue_result result;
	uint64_t size;
	const char *why;
};

static void
commit_run(void *argument)
{
	struct commit *c = argument;

	c->result = queue_writer_commit(c->m->writer, &c->size, &c->why);
}

/* qmgr finds the message by itself when this does not arrive. */
static void
announce(const char *id)
{
	struct queuectl_arrived arrived = { view_of(id) };
	nanoseconds deadline = clock_deadline(ANNOUNCE_TIME);

	for (int attempt = 0; attempt < 2; attempt++) {
		bool reused = false;
		struct ipc *qmgr = ipc_pool_take(cleanup.qmgr, deadline, &reused);

		if (!qmgr)
			return;
		if (ipc_send(qmgr, &queuectl_arrived_message, &arrived, deadline) == IPC_OK &&
		    ipc_flush(qmgr, deadline) == IPC_OK) {
			ipc_pool_give(cleanup.qmgr, &qmgr);
			return;
		}
		ipc_free(&qmgr);
		if (!reused)
			return;
	}
}

static void
commit(struct message *m)
{
	struct commit c = { .m = m };
	char id[QUEUE_ID_SIZE];

	snprintf(id, sizeof(id), "%s", queue_writer_id(m->writer));
	log_info("%s: message-id=%.*s", id, VIEW_ARG(m->message_id));
	task_offload(commit_run, &c);
	switch (c.result) {
	case QUEUE_OK:
		m->content_size = c.size;
		if (!m->facts.hold)
			announce(id);
		return;
	case QUEUE_NO_SPACE:
		log_warn("%s: no space for the queue file: %s", id, c.why);
		message_refuse(m, SUBMIT_FULL, "4.3.1", "Error: insufficient system storage");
		return;
	default:
		log_warn("%s: write queue file: %s", id, c.why);
		message_refuse(m, SUBMIT_RETRY, "4.3.0", "Error: queue file write error");
	}
}

void
message_end(struct message *m, struct submit_status *status)
{
	if (!message_is_refused(m)) {
		if (m->phase == MESSAGE_HEADER)
			header_content_end(m);
		body_end(m);
	}
	if (!message_is_refused(m))
		recipients_add_always_bcc(m);
	if (!message_is_refused(m))
		header_finish(m);
	if (!message_is_refused(m) && queue_writer_recipient_count(m->writer) == 0)
		message_refuse(m, SUBMIT_REJECT, "5.1.0", "No recipients specified");
	if (!message_is_refused(m))
		envelope_finish(m);
	if (!message_is_refused(m))
		commit(m);

	status->result = m->verdict.result;
	status->size = m->content_size;
	status->dsn = view_of(message_is_refused(m) ? m->verdict.dsn : "2.0.0");
	status->text = view_of(m->verdict.text);
}

void
message_done(struct message *m)
{
	queue_writer_free(&m->writer);
	hash_free(&m->seen, NULL);
	mime_free(&m->mime);
	buf_done(&m->mime_line);
	buf_done(&m->header);
	buf_done(&m->out);
	arena_reset(&m->arena);
}
