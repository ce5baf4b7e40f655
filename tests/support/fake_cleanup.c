/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cleanup for tests of those who submit: it takes the part of cleanup in submit/1 and writes
 * down what it was given, QID.json (envelope) and QID.msg (content) in the directory of the
 * parameter fake_cleanup_directory; QID.aborted for a message that was given up.
 *
 * The sender's local part says what to answer: retry@, full@, toobig@, reject@, loop@,
 * discard@; die@ ends the process without an answer, text@ refuses with a text of its own,
 * drop@ closes the connection at the begin.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "mail/address.h"
#include "proto/submit.h"
#include "service/service.h"

#define MESSAGE_MAX ((size_t)512 * 1024 * 1024)
#define WAIT        (60 * SECOND)

struct message {
	char id[64];
	struct buf sender;
	struct buf envelope; /* JSON */
	struct buf content;
	size_t recipients;
};

static const char *directory;

static void
json_text(struct buf *out, const char *name, struct view value)
{
	buf_printf(out, "\"%s\": \"", name);
	escape_json(out, value);
	buf_append_str(out, "\", ");
}

static void
json_number(struct buf *out, const char *name, uint64_t value)
{
	buf_printf(out, "\"%s\": %llu, ", name, (unsigned long long)value);
}

static void
message_begin(struct message *m, const struct submit_begin *b)
{
	struct buf *out = &m->envelope;

	snprintf(m->id, sizeof(m->id), "%.*s", VIEW_ARG(b->queue_id));
	buf_append_view(&m->sender, b->sender);
	buf_append_char(out, '{');
	json_number(out, "source", b->source);
	json_text(out, "queue_id", b->queue_id);
	json_text(out, "sender", b->sender);
	json_number(out, "smtputf8", b->smtputf8);
	json_number(out, "is_8bit", b->is_8bit);
	json_text(out, "client_name", b->client_name);
	json_text(out, "client_address", b->client_address);
	json_text(out, "client_port", b->client_port);
	json_text(out, "helo_name", b->helo_name);
	json_text(out, "protocol_name", b->protocol_name);
	json_text(out, "server_name", b->server_name);
	json_text(out, "envelope_id", b->envelope_id);
	json_text(out, "dsn_ret", b->dsn_ret);
	json_number(out, "keep_missing_headers", b->keep_missing_headers);
	buf_append_str(out, "\"recipients\": [");
}

static void
message_recipient(struct message *m, const struct submit_recipient *r)
{
	struct buf *out = &m->envelope;

	buf_append_str(out, m->recipients++ ? ", {" : "{");
	json_text(out, "address", r->address);
	json_text(out, "original", r->original);
	json_text(out, "orcpt", r->dsn_orcpt);
	buf_printf(out, "\"notify\": %llu}", (unsigned long long)r->notify);
}

static void
file_write(const struct message *m, const char *suffix, struct view bytes)
{
	char *path = mem_printf("%s/%s.%s", directory, m->id, suffix);
	char *temporary = mem_printf("%s.tmp", path);
	int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || !file_write_all(fd, bytes.p, bytes.n) || rename(temporary, path) != 0)
		log_fatal("write %s: %s", path, strerror(errno));
	file_close(&fd);
	mem_free(temporary);
	mem_free(path);
}

static void
message_record(struct message *m, bool hold)
{
	buf_printf(&m->envelope, "], \"hold\": %d}\n", hold);
	file_write(m, "msg", buf_view(&m->content));
	file_write(m, "json", buf_view(&m->envelope));
}

static void
message_done(struct message *m)
{
	buf_done(&m->sender);
	buf_done(&m->envelope);
	buf_done(&m->content);
}

static void
message_answer(struct message *m, const struct submit_end *end, struct ipc *client)
{
	static const struct {
		const char *user;
		enum submit_result result;
		const char *dsn;
		const char *text;
	} rows[] = {
		{ "retry", SUBMIT_RETRY, "", "" },
		{ "full", SUBMIT_FULL, "", "" },
		{ "toobig", SUBMIT_TOO_BIG, "", "" },
		{ "reject", SUBMIT_REJECT, "", "" },
		{ "loop", SUBMIT_LOOP, "", "" },
		{ "discard", SUBMIT_DISCARD, "2.0.0", "" },
		{ "text", SUBMIT_REJECT, "5.7.2", "no such\r\n250 thing" },
		{ "unknown", 99, "", "" },
	};
	struct submit_status status = { .result = SUBMIT_OK, .dsn = VIEW("2.0.0") };
	struct view local, domain;

	address_split(buf_view(&m->sender), &local, &domain);
	if (view_eq(local, VIEW("die")))
		_exit(0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!view_eq(local, view_of(rows[i].user)))
			continue;
		status.result = rows[i].result;
		status.dsn = view_of(rows[i].dsn);
		status.text = view_of(rows[i].text);
	}
	status.size = m->content.len;
	if (status.result == SUBMIT_OK)
		message_record(m, end->hold);
	(void)ipc_send(client, &submit_status_message, &status, clock_deadline(WAIT));
	(void)ipc_flush(client, clock_deadline(WAIT));
}

/* True when the connection can serve another message. */
static bool
message_run(struct message *m, struct ipc *client)
{
	struct ipc_frame frame;

	while (ipc_receive(client, &frame, clock_deadline(WAIT)) == IPC_OK) {
		struct submit_recipient r;
		struct submit_end end;

		if (frame.data.n) {
			buf_append_view(&m->content, frame.data);
		} else if (ipc_frame_is(&frame, &submit_recipient_message) &&
		    ipc_frame_decode(client, &frame, &submit_recipient_message, &r)) {
			message_recipient(m, &r);
		} else if (ipc_frame_is(&frame, &submit_end_message) &&
		    ipc_frame_decode(client, &frame, &submit_end_message, &end)) {
			message_answer(m, &end, client);
			return true;
		} else {
			bool aborted = ipc_frame_is(&frame, &submit_abort_message);

			file_write(m, aborted ? "aborted" : "malformed", VIEW_NONE);
			return aborted;
		}
	}
	file_write(m, "aborted", VIEW_NONE);
	return false;
}

static void
session_run(const struct service_connection *c)
{
	struct ipc *client = ipc_new(c->fd);
	bool again = true;

	while (again) {
		struct message m = { .sender = BUF_INIT(ADDRESS_MAX),
			.envelope = BUF_INIT(MESSAGE_MAX),
			.content = BUF_INIT(MESSAGE_MAX) };
		struct submit_begin begin;
		struct ipc_frame frame;

		again = false;
		service_session_idle(c, true);
		if (ipc_receive(client, &frame, DEADLINE_NEVER) == IPC_OK &&
		    ipc_frame_decode(client, &frame, &submit_begin_message, &begin)) {
			service_session_idle(c, false);
			message_begin(&m, &begin);
			again = !view_has_prefix(begin.sender, VIEW("drop@")) &&
			    message_run(&m, client) && !service_is_finishing();
		}
		message_done(&m);
	}
	ipc_free(&client);
}

static void
pre_jail(void)
{
	directory = conf_text(service_conf(), "fake_cleanup_directory", NULL);
	if (!directory)
		log_fatal("fake_cleanup_directory is not set");
}

int
main(int argc, char **argv)
{
	static const struct service service = {
		.name = "fake_cleanup",
		.peers = SERVICE_PEERS_OURS,
		.sandbox = { .off = true },
		.pre_jail = pre_jail,
		.session = session_run,
	};

	return service_main(argc, argv, &service);
}
