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

/* What the strict_ parameters make of the errors found so far; NULL: nothing. */
static const char *
mime_complaint(const struct message *m)
{
	const struct conf_values *v = cleanup.conf;
	unsigned errors = mime_errors(m->mime);

	if (errors & MIME_ERROR_NESTING)
		return "MIME nesting exceeds safety limit";
	if ((errors & MIME_ERROR_8BIT_IN_HEADER) &&
	    (v->strict_7bit_headers || v->strict_8bitmime))
		return "improper use of 8-bit data in message header";
	if ((errors & MIME_ERROR_8BIT_IN_7BIT) &&
	    (v->strict_8bitmime_body || v->strict_8bitmime))
		return "improper use of 8-bit data in message body";
	if ((errors & MIME_ERROR_ENCODING_DOMAIN) && v->strict_mime_encoding_domain)
		return "invalid message/* or multipart/* encoding domain";
	return NULL;
}

static void
mime_line(struct message *m, struct view line)
{
	const char *complaint;

	mime_feed(m->mime, line);
	if (mime_errors(m->mime) && (complaint = mime_complaint(m)) != NULL)
		message_reject_mime(m, complaint, line);
}

/* A line in pieces is judged by what fits into mime_line. */
static void
mime_part(struct message *m, struct view part, bool is_complete)
{
	struct view line = part;

	if (m->mime_line.len || !is_complete) {
		buf_append_view(
		    &m->mime_line, view_sub(part, 0, m->mime_line.max - m->mime_line.len));
		line = buf_view(&m->mime_line);
	}
	if (!is_complete)
		return;
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	mime_line(m, line);
	buf_clear(&m->mime_line);
}

static void
mime_content(struct message *m, struct view bytes)
{
	while (bytes.n && !message_is_refused(m)) {
		size_t eol = view_find(bytes, '\n');

		mime_part(m, view_sub(bytes, 0, eol), eol < bytes.n);
		bytes = view_sub(bytes, eol + 1, SIZE_MAX);
	}
}

void
body_begin(struct message *m, struct view header)
{
	m->phase = MESSAGE_BODY;
	if (!m->mime)
		return;
	mime_content(m, view_sub(header, header_separator_length(header), SIZE_MAX));
	mime_line(m, VIEW(""));
}

void
body_content(struct message *m, struct view bytes)
{
	struct append a = { m->writer, bytes, QUEUE_OK, NULL };

	if (m->mime)
		mime_content(m, bytes);
	if (bytes.n == 0 || message_is_refused(m))
		return;
	if (queue_writer_would_write(m->writer, bytes.n))
		task_offload(append_run, &a);
	else
		append_run(&a);
	if (a.result != QUEUE_OK)
		message_refuse_disk(m, a.result, a.why);
}

void
body_end(struct message *m)
{
	if (m->mime && m->mime_line.len)
		mime_part(m, VIEW(""), true);
}
