/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request of qmgr: recipient after recipient, and what they share, which is the header
 * block and the memory that ends with the request.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/file.h"
#include "local/local.h"
#include "service/deliver_server.h"

static void
job_run(struct deliver_job *job)
{
	struct delivery d = { .request = job->request };
	bool go_on = true;

	for (size_t i = 0; i < job->count && go_on; i++) {
		struct outcome o = recipient_deliver(&d, &job->recipients[i]);
		struct deliver_answer answer = {
			.result = o.result,
			.dsn = view_of(o.dsn),
			.reason = view_of(o.reason),
			.relay = view_of(service_name()),
			.dsn_passed_on = o.dsn_passed_on,
			.expanded = o.expanded,
		};

		go_on = deliver_answer_send(job, &job->recipients[i], &answer);
	}
	buf_done(&d.header);
	arena_reset(&d.arena);
}

void
session_run(const struct service_connection *c)
{
	deliver_serve(c, job_run);
}

struct view
delivery_header(struct delivery *d, const char **why)
{
	size_t n = d->request.header_length < HEADER_MAX ? (size_t)d->request.header_length
							 : HEADER_MAX;
	char *room;

	if (d->has_header)
		return buf_view(&d->header);
	buf_init(&d->header, n);
	room = buf_reserve(&d->header, n);
	if (!room ||
	    !file_pread_all(d->request.message, room, n, (off_t)d->request.header_offset)) {
		*why = errno ? strerror(errno) : "unexpected end of file";
		return VIEW_NONE;
	}
	buf_commit(&d->header, n);
	d->has_header = true;
	return buf_view(&d->header);
}

struct outcome
outcome_make(
    struct arena *a, enum deliver_result result, const char *dsn, const char *format, ...)
{
	struct buf text = BUF_INIT(4096);
	struct outcome o = { .result = result, .dsn = dsn };
	va_list ap;

	va_start(ap, format);
	buf_vprintf(&text, format, ap);
	va_end(ap);
	o.reason = arena_dup(a, buf_view(&text));
	buf_done(&text);
	return o;
}
