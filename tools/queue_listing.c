/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The conversation with showq. While the system is down showq is run for whoever owns the
 * queue, so that he sees the same.
 */
#include "tools/queue_listing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/mem.h"

#define LIST_TIME (3600 * SECOND)

/* What one frame means. False at the end of the listing. */
static bool
frame_tell(const struct queue_tool *t, struct ipc *showq, const struct ipc_frame *frame,
    const struct queue_listing_reader *reader)
{
	struct showq_message message;
	struct showq_recipient recipient;
	struct showq_row row;
	struct showq_end end;

	if (ipc_frame_is(frame, &showq_row_message) &&
	    ipc_frame_decode(showq, frame, &showq_row_message, &row)) {
		if (reader->row)
			reader->row(&row);
		return true;
	}
	if (ipc_frame_is(frame, &showq_recipient_message) &&
	    ipc_frame_decode(showq, frame, &showq_recipient_message, &recipient)) {
		if (reader->recipient)
			reader->recipient(&recipient);
		return true;
	}
	if (ipc_frame_is(frame, &showq_message_message) &&
	    ipc_frame_decode(showq, frame, &showq_message_message, &message)) {
		if (reader->message)
			reader->message(&message);
		return true;
	}
	if (!ipc_frame_is(frame, &showq_end_message) ||
	    !ipc_frame_decode(showq, frame, &showq_end_message, &end))
		queue_tool_fatal(t, EX_SOFTWARE, "malformed showq server response");
	if (view_has_prefix(end.error, VIEW("not allowed")))
		queue_tool_fatal(t, EX_NOPERM, "User is %.*s", VIEW_ARG(end.error));
	if (view_has_prefix(end.error, VIEW("bad filter")))
		queue_tool_fatal(t, EX_USAGE, "%.*s", VIEW_ARG(end.error));
	if (end.error.n)
		queue_tool_fatal(
		    t, EX_TEMPFAIL, "the listing is not complete: %.*s", VIEW_ARG(end.error));
	return false;
}

static enum ipc_result
request_send(struct ipc *showq, const struct queue_filter *f, bool is_summary)
{
	struct showq_summary s = {
		.from = queue_tool_filter_text(f, FILTER_FROM),
		.to = queue_tool_filter_text(f, FILTER_TO),
		.destination = queue_tool_filter_text(f, FILTER_DESTINATION),
		.reason = queue_tool_filter_text(f, FILTER_REASON),
		.older = queue_tool_filter_text(f, FILTER_OLDER),
		.larger = queue_tool_filter_text(f, FILTER_LARGER),
	};
	struct showq_list l = { s.from, s.to, s.destination, s.reason, s.older, s.larger };

	if (is_summary)
		return ipc_send(showq, &showq_summary_message, &s, clock_deadline(LIST_TIME));
	return ipc_send(showq, &showq_list_message, &l, clock_deadline(LIST_TIME));
}

static void
list(const struct queue_tool *t, struct ipc *showq, enum ipc_result result,
    const struct queue_listing_reader *reader)
{
	struct ipc_frame frame;

	do {
		/* Whoever is reading wants to see what there is before the next wait. */
		if (!ipc_has_input(showq))
			fflush(stdout);
		if (ferror(stdout))
			exit(errno == EPIPE ? EX_OK : EX_IOERR);
		if (result == IPC_OK)
			result = ipc_receive(showq, &frame, clock_deadline(LIST_TIME));
		if (result != IPC_OK)
			queue_tool_fatal(
			    t, EX_TEMPFAIL, "lost connection with showq: %s", ipc_why(showq));
	} while (frame_tell(t, showq, &frame, reader));
	reader->end();
}

static void __attribute__((noreturn)) become_showq(const struct queue_tool *t, int fd)
{
	char *path = mem_printf("%s/showq", t->values->daemon_directory);
	const char *argv[] = { "showq", "-S", NULL };

	if (dup2(fd, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0)
		_exit(EX_OSERR);
	execv(path, (char *const *)argv);
	_exit(EX_UNAVAILABLE);
}

static bool
may_run_showq(void)
{
	struct stat st;

	return stat(".", &st) == 0 && st.st_uid == geteuid();
}

static struct ipc *
run_showq(const struct queue_tool *t, pid_t *child)
{
	const char *problem = strerror(errno);
	int pair[2];

	if (!may_run_showq())
		queue_tool_fatal(t, EX_UNAVAILABLE,
		    "Queue report unavailable - mail system is down (Connect to the %s %s "
		    "service: %s)",
		    t->values->mail_name, t->values->showq_service_name, problem);
	queue_tool_say(t,
	    "warning: Mail system is down -- accessing queue directly (Connect to the %s %s "
	    "service: %s)",
	    t->values->mail_name, t->values->showq_service_name, problem);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ||
	    (*child = fork()) < 0)
		queue_tool_fatal(t, EX_OSERR, "cannot run showq: %s", strerror(errno));
	if (*child == 0)
		become_showq(t, pair[1]);
	close(pair[1]);
	return ipc_new(pair[0]);
}

void
queue_listing(const struct queue_tool *t, const struct queue_filter *f, bool is_summary,
    const struct queue_listing_reader *reader)
{
	struct ipc *showq = queue_tool_connect(t->values->showq_service_name);
	pid_t child = 0;

	if (!showq)
		showq = run_showq(t, &child);
	list(t, showq, request_send(showq, f, is_summary), reader);
	ipc_free(&showq);
	if (child > 0)
		(void)waitpid(child, NULL, 0);
	if (fflush(stdout) != 0 && errno != EPIPE)
		queue_tool_fatal(t, EX_IOERR, "output write error: %s", strerror(errno));
}
