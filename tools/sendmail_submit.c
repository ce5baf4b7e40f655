/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of a submission into the system. First choice is pickup's socket: the answer says
 * that the message is on disk. When nobody answers there, or the system has a temporary
 * problem, the message is written into maildrop/ for pickup to find later.
 *
 * A maildrop file is complete when it has the mode for that: set after the sync, so neither a
 * signal nor a crash leaves half a message that looks whole. Signals wait meanwhile, and a run
 * that has stored the message ends with success even if one came: nobody submits twice.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "proto/maildrop.h"
#include "tools/sendmail.h"

#define CONNECT_TIME (20 * SECOND)
#define SUBMIT_TIME  (300 * SECOND)

/* Codes are never negative: this is none. */
#define TRY_MAILDROP (-1)

static bool
send_all(struct sendmail *s, struct ipc *c, nanoseconds deadline)
{
	struct submit_end end = { 0 };
	struct view content = buf_view(&s->content);

	if (ipc_send(c, &submit_begin_message, &s->begin, deadline) != IPC_OK)
		return false;
	for (size_t i = 0; i < s->recipient_count; i++) {
		if (ipc_send(c, &submit_recipient_message, &s->recipients[i], deadline) !=
		    IPC_OK)
			return false;
	}
	while (content.n) {
		struct view piece = view_sub(content, 0, IPC_DATA_MAX);

		if (ipc_send_data(c, piece, deadline) != IPC_OK)
			return false;
		content = view_sub(content, piece.n, content.n);
	}
	return ipc_send(c, &submit_end_message, &end, deadline) == IPC_OK &&
	    ipc_flush(c, deadline) == IPC_OK;
}

/* Of a refusal for good. */
static int
refusal_code(const struct sendmail *s, const struct submit_status *status)
{
	if (status->result != SUBMIT_REJECT)
		return EX_UNAVAILABLE;
	if (s->extract && view_eq(status->dsn, VIEW("5.1.0")))
		sendmail_fatal(s, EX_USAGE, "No recipient addresses found in message header");
	if (view_eq(status->dsn, VIEW("5.1.3")))
		return EX_DATAERR;
	if (view_eq(status->dsn, VIEW("5.1.1")))
		return EX_NOUSER;
	if (view_eq(status->dsn, VIEW("5.7.0")))
		return EX_NOPERM;
	return EX_UNAVAILABLE;
}

static int
status_code(const struct sendmail *s, const struct submit_status *status)
{
	struct view text = status->text.n ? status->text : VIEW("message not accepted");

	if (view_has_prefix(text, VIEW("Error: ")))
		text = view_sub(text, 7, text.n);
	switch (status->result) {
	case SUBMIT_OK:
	case SUBMIT_DISCARD:
		return EX_OK;
	case SUBMIT_FULL:
		sendmail_fatal(s, EX_TEMPFAIL, "%.*s", VIEW_ARG(text));
	case SUBMIT_TOO_BIG:
	case SUBMIT_REJECT:
	case SUBMIT_LOOP:
		sendmail_fatal(s, refusal_code(s, status), "%.*s", VIEW_ARG(text));
	default:
		log_debug("pickup: %.*s", VIEW_ARG(text));
		return TRY_MAILDROP;
	}
}

static int
submit_to_pickup(struct sendmail *s)
{
	char path[108];
	struct submit_status status;
	nanoseconds deadline = clock_deadline(SUBMIT_TIME);
	int code = TRY_MAILDROP;
	struct ipc *c;

	snprintf(path, sizeof(path), "public/%s", s->values->pickup_service_name);
	c = ipc_connect(path, clock_deadline(CONNECT_TIME));
	if (!c) {
		log_debug("connect to %s: %s", path, strerror(errno));
		return TRY_MAILDROP;
	}
	/* An answer may come before all was said: a refusal with the connection closed. */
	(void)send_all(s, c, deadline);
	if (ipc_expect(c, &submit_status_message, &status, deadline) == IPC_OK)
		code = status_code(s, &status);
	ipc_free(&c);
	return code;
}

/* ---- maildrop ---- */

static bool
maildrop_write(struct sendmail *s, int fd)
{
	struct submit_end end = { 0 };
	struct view content = buf_view(&s->content);
	struct buf out = BUF_INIT(IPC_MESSAGE_MAX + 2 * IPC_DATA_MAX);
	bool ok = true;

	maildrop_begin(&out);
	maildrop_message(&out, &submit_begin_message, &s->begin);
	for (size_t i = 0; ok && i <= s->recipient_count; i++) {
		if (i < s->recipient_count)
			maildrop_message(&out, &submit_recipient_message, &s->recipients[i]);
		ok = !out.overflow && file_write_all(fd, out.data, out.len);
		buf_clear(&out);
	}
	while (ok && content.n) {
		struct view piece = view_sub(content, 0, IPC_DATA_MAX);

		maildrop_data(&out, piece);
		ok = file_write_all(fd, out.data, out.len);
		buf_clear(&out);
		content = view_sub(content, piece.n, content.n);
	}
	if (ok) {
		maildrop_message(&out, &submit_end_message, &end);
		ok = file_write_all(fd, out.data, out.len);
	}
	buf_done(&out);
	return ok;
}

static bool
maildrop_complete(struct sendmail *s, int fd)
{
	return maildrop_write(s, fd) && fsync(fd) == 0 &&
	    fchmod(fd, MAILDROP_MODE_READY) == 0 && fsync(fd) == 0;
}

static int
submit_to_maildrop(struct sendmail *s)
{
	char path[sizeof("maildrop/") + MAILDROP_NAME_LENGTH],
	    *name = path + strlen("maildrop/");
	int fd, saved;
	bool ok;

	memcpy(path, "maildrop/", sizeof("maildrop/"));
	maildrop_name_new(name);
	fd = open(
	    path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, MAILDROP_MODE_PARTIAL);
	if (fd < 0)
		sendmail_fatal(s, EX_TEMPFAIL,
		    "mail system is down, and queue file creation failed: %s", strerror(errno));
	ok = maildrop_complete(s, fd);
	saved = errno;
	if (!ok)
		(void)unlink(path);
	file_close(&fd);
	if (!ok)
		sendmail_fatal(s, EX_TEMPFAIL, "error writing queue file: %s", strerror(saved));
	return EX_OK;
}

int
sendmail_submit(struct sendmail *s)
{
	sigset_t all;
	int code;

	if (chdir(s->values->queue_directory) < 0)
		sendmail_fatal(s, EX_TEMPFAIL, "queue_directory %s: %s",
		    s->values->queue_directory, strerror(errno));
	code = submit_to_pickup(s);
	if (code != TRY_MAILDROP)
		return code;
	if (s->extract)
		content_check_destinations(s);
	sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, NULL);
	return submit_to_maildrop(s);
}
