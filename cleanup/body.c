/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The body on its way into the queue writer, with the MIME checks that the strict_ parameters
 * ask for. What fits into the writer's buffer is a copy; anything that meets the disk is
 * offloaded.
 */
#include "cleanup/cleanup.h"
#include "task/task.h"

struct append {
	struct queue_writer *writer;
	struct view bytes;
	enum queue_result result;
	const char *why;
};

static void
append_run(void *argument)
{
	struct append *a = argument;

	a->result = queue_writer_body(a->writer, a->bytes, &a->why);
}

static void
refuse_for_mime(struct message *m)
{
	unsigned errors = mime_errors(m->mime);
	const struct conf_values *v = cleanup.conf;

	if ((errors & MIME_ERROR_8BIT_IN_HEADER) &&
	    (v->strict_7bit_headers || v->strict_8bitmime))
		message_refuse(
		    m, SUBMIT_REJECT, "5.6.0", "improper use of 8-bit data in message header");
	else if ((errors & MIME_ERROR_8BIT_IN_7BIT) &&
	    (v->strict_8bitmime_body || v->strict_8bitmime))
		message_refuse(
		    m, SUBMIT_REJECT, "5.6.0", "improper use of 8-bit data in message body");
	else if ((errors & MIME_ERROR_ENCODING_DOMAIN) && v->strict_mime_encoding_domain)
		message_refuse(m, SUBMIT_REJECT, "5.6.0",
		    "invalid message/* or multipart/* encoding domain");
}

static void
mime_feed_line(struct message *m, struct view part, bool complete)
{
	struct view line;

	/* A line beyond the limit is judged by what fits. */
	if (m->mime_line.len || !complete) {
		buf_append_view(&m->mime_line, part);
		line = buf_view(&m->mime_line);
	} else {
		line = part;
	}
	if (!complete)
		return;
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	mime_feed(m->mime, line);
	buf_clear(&m->mime_line);
}

static void
mime_content(struct message *m, struct view bytes)
{
	while (bytes.n) {
		size_t eol = view_find(bytes, '\n');

		mime_feed_line(m, view_sub(bytes, 0, eol), eol < bytes.n);
		bytes = view_sub(bytes, eol + 1, SIZE_MAX);
	}
	refuse_for_mime(m);
}

void
body_begin(struct message *m, struct view header)
{
	m->phase = MESSAGE_BODY;
	if (!m->mime)
		return;
	mime_content(m, header);
	mime_feed(m->mime, VIEW(""));
}

void
body_content(struct message *m, struct view bytes)
{
	struct append a = { m->writer, bytes, QUEUE_OK, NULL };

	if (bytes.n == 0)
		return;
	if (m->mime)
		mime_content(m, bytes);
	if (message_is_refused(m))
		return;
	if (queue_writer_would_write(m->writer, bytes.n))
		task_offload(append_run, &a);
	else
		append_run(&a);
	if (a.result == QUEUE_NO_SPACE)
		message_refuse(m, SUBMIT_FULL, "4.3.1", "Error: insufficient system storage");
	else if (a.result != QUEUE_OK)
		message_refuse(m, SUBMIT_RETRY, "4.3.0", "Error: queue file write error");
}

void
body_end(struct message *m)
{
	if (!m->mime || !m->mime_line.len)
		return;
	mime_feed_line(m, VIEW(""), true);
	refuse_for_mime(m);
}
