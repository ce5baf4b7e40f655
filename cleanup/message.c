/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of one message in cleanup. The header is kept until it is complete; the body streams
 * into the queue writer; `end` finishes the header, the envelope and the file.
 *
 * Once refused, whatever still comes is read and dropped: the client learns the verdict at
 * `end`. The refusal comes from deep inside, where views of the message's text are in use, so
 * it only notes the verdict: message_content and message_end let go what is no longer needed.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "cleanup/cleanup.h"
#include "ipc/ipc_own.h"
#include "ipc/ipc_pool.h"
#include "mail/address.h"
#include "proto/queuectl.h"
#include "queue/attributes.h"
#include "route/route.h"
#include "task/task.h"

#define ANNOUNCE_TIME     (5 * SECOND)
#define SPACE_WARN_PERIOD (60 * SECOND)
#define EXCERPT_MAX       100

struct cleanup cleanup;

bool
message_is_refused(const struct message *m)
{
	return m->verdict.result != SUBMIT_OK;
}

void
message_refuse(struct message *m, enum submit_result result, const char *dsn, const char *text)
{
	if (!message_is_refused(m))
		m->verdict = (struct verdict){ result, dsn, text };
}

void
message_reject_mime(struct message *m, const char *text, struct view line)
{
	const struct submit_begin *f = &m->facts;

	if (message_is_refused(m))
		return;
	line = view_sub(line, 0, EXCERPT_MAX);
	if (f->source == SUBMIT_SMTP)
		log_info("%s: reject: mime-error %s: %.*s from %.*s[%.*s]; from=<%.*s> "
			 "to=<%.*s>",
		    queue_writer_id(m->writer), text, VIEW_ARG(line), VIEW_ARG(f->client_name),
		    VIEW_ARG(f->client_address), VIEW_ARG(f->sender),
		    VIEW_ARG(m->first_recipient));
	else
		log_info("%s: reject: mime-error %s: %.*s from local; from=<%.*s> to=<%.*s>",
		    queue_writer_id(m->writer), text, VIEW_ARG(line), VIEW_ARG(f->sender),
		    VIEW_ARG(m->first_recipient));
	message_refuse(m, SUBMIT_REJECT, "5.6.0", text);
}

void
message_refuse_disk(struct message *m, enum queue_result result, const char *why)
{
	const char *id = queue_writer_id(m->writer);

	if (result == QUEUE_NO_SPACE) {
		log_warn("%s: no space for the queue file: %s", id, why);
		message_refuse(m, SUBMIT_FULL, "4.3.1", "Insufficient system storage");
	} else {
		log_warn("%s: write queue file: %s", id, why);
		message_refuse(m, SUBMIT_RETRY, "4.3.0", "Error: queue file write error");
	}
}

static void
writer_free_run(void *argument)
{
	queue_writer_free(argument);
}

/* An unfinished body may have met the disk: then there is a file to remove. */
static void
writer_let_go(struct message *m)
{
	if (m->writer && !queue_writer_is_finished(m->writer) &&
	    queue_writer_body_size(m->writer))
		task_offload(writer_free_run, &m->writer);
	else
		queue_writer_free(&m->writer);
}

/* For a refused message: what nobody looks at any more. */
static void
message_let_go(struct message *m)
{
	writer_let_go(m);
	buf_done(&m->header);
	buf_done(&m->out);
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

/*
 * Whether strangers may fill the disk further: queue_minfree, and as in Postfix room for one
 * and a half of the largest message. Mail that is ours already is stored while there is any
 * room.
 */
static bool
has_room(const struct submit_begin *f)
{
	const struct conf_values *v = cleanup.conf;
	unsigned long long free_bytes, limit = (unsigned long long)v->message_size_limit;
	unsigned long long least = (unsigned long long)v->queue_minfree;
	static nanoseconds quiet_until;

	if (least < limit + limit / 2)
		least = limit + limit / 2;
	if (f->source != SUBMIT_SMTP || !least ||
	    !queue_free_space(cleanup.queue, &free_bytes) || free_bytes > least)
		return true;
	if (clock_now() >= quiet_until) {
		log_warn("not enough free space in mail queue: %llu bytes < %llu", free_bytes,
		    least);
		quiet_until = clock_deadline(SPACE_WARN_PERIOD);
	}
	return false;
}

void
message_begin(struct message *m, const struct submit_begin *begin)
{
	const struct conf_values *v = cleanup.conf;

	memset(m, 0, sizeof(*m));
	m->facts = *begin;
	ipc_own(&submit_begin_message, &m->facts, &m->arena);
	m->verdict.result = SUBMIT_OK;
	buf_init(&m->header, CLEANUP_HEADER_MAX + IPC_DATA_MAX);
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
	if (!has_room(begin))
		message_refuse(m, SUBMIT_FULL, "4.3.1", "Insufficient system storage");
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

static void
content_take(struct message *m, struct view bytes)
{
	if (size_is_over(m, bytes.n))
		message_refuse(m, SUBMIT_TOO_BIG, "5.3.4", "Error: message file too big");
	else if (m->phase == MESSAGE_HEADER)
		header_content(m, bytes);
	else
		body_content(m, bytes);
}

void
message_content(struct message *m, struct view bytes)
{
	if (!message_is_refused(m))
		content_take(m, bytes);
	if (message_is_refused(m))
		message_let_go(m);
}

static void
recipients_need_one(struct message *m)
{
	if (queue_writer_recipient_count(m->writer) == 0)
		message_refuse(m, SUBMIT_REJECT, "5.1.0", "No recipients specified");
}

static void
sender_store(struct message *m)
{
	struct buf sender = BUF_INIT(2 * ADDRESS_MAX);

	if (m->facts.sender.n)
		route_standard_form(cleanup.conf, m->facts.sender, &sender);
	if (sender.overflow || sender.len > ADDRESS_MAX)
		message_refuse(m, SUBMIT_REJECT, "5.1.7", "bad sender address syntax");
	queue_writer_sender(m->writer, buf_view(&sender));
	buf_done(&sender);
}

static bool
has_verp(const struct submit_begin *f)
{
	return f->verp.n == 2 && f->sender.n > 0;
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
		{ ATTR_VERP, has_verp(f) ? f->verp : VIEW_NONE },
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
	if (has_verp(f))
		queue_writer_add_flags(m->writer, QUEUE_FLAG_VERP);
	if (f->trace)
		queue_writer_add_flags(m->writer, QUEUE_FLAG_TRACE);
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

/* All that have come to their end while others were synced. */
static void
commit_small(void **arguments, size_t count)
{
	struct queue_writer *writers[TASK_BATCH_MAX];

	for (size_t i = 0; i < count; i++)
		writers[i] = ((struct commit *)arguments[i])->m->writer;
	queue_writer_commit_small(writers, count);
}

/* qmgr finds the message by itself when this does not arrive. */
static void
announce(const char *id, uint64_t slot, bool held)
{
	struct queuectl_arrived arrived = { view_of(id), slot, held };
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
	static struct task_batch *batch;
	struct commit c = { .m = m };
	char id[QUEUE_ID_SIZE];

	snprintf(id, sizeof(id), "%s", queue_writer_id(m->writer));
	if (m->hold)
		queue_writer_set_place(m->writer, QUEUE_HOLD);
	if (!batch)
		batch = task_batch_new(commit_small);
	if (queue_writer_is_small(m->writer))
		task_batch_run(batch, &c);
	if (queue_writer_is_finished(m->writer))
		commit_run(&c);
	else
		task_offload(commit_run, &c);
	if (c.result != QUEUE_OK) {
		message_refuse_disk(m, c.result, c.why);
		return;
	}
	m->content_size = c.size;
	announce(id, queue_writer_slot(m->writer), m->hold);
}

/* All of the content is here: each step may refuse, and then the later ones are not taken. */
static void
message_finish(struct message *m)
{
	static void (*const steps[])(struct message *) = {
		header_survey,
		recipients_need_one,
		recipients_add_always_bcc,
		header_write,
		envelope_finish,
		commit,
	};

	if (m->phase == MESSAGE_HEADER)
		header_content_end(m);
	body_end(m);
	for (size_t i = 0; i < ARRAY_LEN(steps) && !message_is_refused(m); i++)
		steps[i](m);
}

void
message_end(struct message *m, struct submit_status *status)
{
	if (!message_is_refused(m))
		message_finish(m);
	if (message_is_refused(m))
		message_let_go(m);
	status->result = m->verdict.result;
	status->size = m->content_size;
	status->dsn = view_of(message_is_refused(m) ? m->verdict.dsn : "2.0.0");
	status->text = view_of(m->verdict.text);
}

void
message_done(struct message *m)
{
	writer_let_go(m);
	hash_free(&m->recipients_seen, NULL);
	mime_free(&m->mime);
	buf_done(&m->mime_line);
	buf_done(&m->header);
	buf_done(&m->out);
	arena_reset(&m->arena);
}
