/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postqueue: -p and -j list the queue, -f has all deferred mail tried now, -i one message.
 * Anybody may call it; showq and qmgr decide by the caller's uid what they do for him. While
 * the system is down, who may run the system gets a listing all the same: showq is run for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "queue/queue.h"
#include "tools/postqueue.h"
#include "tools/queue_tool.h"

#define LIST_TIME (3600 * SECOND)

enum mode { MODE_NONE, MODE_LIST, MODE_JSON, MODE_FLUSH, MODE_FLUSH_ID, MODE_FLUSH_SITE };

static struct queue_tool tool = { .name = "postqueue" };

static void __attribute__((noreturn)) usage(void)
{
	queue_tool_fatal(&tool, EX_USAGE,
	    "usage: postqueue -f | postqueue -i queueid | postqueue -j | postqueue -p | "
	    "postqueue -s site");
}

/* ---- listings ---- */

/* What one frame means. False at the end of the listing. */
static bool
frame_print(struct ipc *showq, const struct ipc_frame *frame, const struct postqueue_printer *p)
{
	struct showq_message message;
	struct showq_recipient recipient;
	struct showq_end end;

	if (ipc_frame_is(frame, &showq_recipient_message) &&
	    ipc_frame_decode(showq, frame, &showq_recipient_message, &recipient)) {
		p->recipient(&recipient);
		return true;
	}
	if (ipc_frame_is(frame, &showq_message_message) &&
	    ipc_frame_decode(showq, frame, &showq_message_message, &message)) {
		p->message(&message);
		return true;
	}
	if (!ipc_frame_is(frame, &showq_end_message) ||
	    !ipc_frame_decode(showq, frame, &showq_end_message, &end))
		queue_tool_fatal(&tool, EX_SOFTWARE, "malformed showq server response");
	if (view_has_prefix(end.error, VIEW("not allowed")))
		queue_tool_fatal(&tool, EX_NOPERM, "User is %.*s", VIEW_ARG(end.error));
	if (end.error.n)
		queue_tool_fatal(&tool, EX_TEMPFAIL, "the listing is not complete: %.*s",
		    VIEW_ARG(end.error));
	return false;
}

static void
list(struct ipc *showq, const struct postqueue_printer *p)
{
	struct showq_list request = { 0 };
	struct ipc_frame frame;
	enum ipc_result result;

	result = ipc_send(showq, &showq_list_message, &request, clock_deadline(LIST_TIME));
	do {
		/* Whoever is reading wants to see what there is before the next wait. */
		if (!ipc_has_input(showq))
			fflush(stdout);
		if (ferror(stdout))
			exit(errno == EPIPE ? EX_OK : EX_IOERR);
		if (result == IPC_OK)
			result = ipc_receive(showq, &frame, clock_deadline(LIST_TIME));
		if (result != IPC_OK)
			queue_tool_fatal(&tool, EX_TEMPFAIL, "lost connection with showq: %s",
			    ipc_why(showq));
	} while (frame_print(showq, &frame, p));
	p->end();
}

static void __attribute__((noreturn)) become_showq(int fd)
{
	char *path = mem_printf("%s/showq", tool.values->daemon_directory);
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
run_showq(pid_t *child)
{
	const char *problem = strerror(errno);
	int pair[2];

	if (!may_run_showq())
		queue_tool_fatal(&tool, EX_UNAVAILABLE,
		    "Queue report unavailable - mail system is down (Connect to the %s %s "
		    "service: %s)",
		    tool.values->mail_name, tool.values->showq_service_name, problem);
	queue_tool_say(&tool,
	    "warning: Mail system is down -- accessing queue directly (Connect to the %s %s "
	    "service: %s)",
	    tool.values->mail_name, tool.values->showq_service_name, problem);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ||
	    (*child = fork()) < 0)
		queue_tool_fatal(&tool, EX_OSERR, "cannot run showq: %s", strerror(errno));
	if (*child == 0)
		become_showq(pair[1]);
	close(pair[1]);
	return ipc_new(pair[0]);
}

static void
show(const struct postqueue_printer *p)
{
	struct ipc *showq = queue_tool_connect(tool.values->showq_service_name);
	pid_t child = 0;

	if (!showq)
		showq = run_showq(&child);
	list(showq, p);
	ipc_free(&showq);
	if (child > 0)
		(void)waitpid(child, NULL, 0);
	if (fflush(stdout) != 0 && errno != EPIPE)
		queue_tool_fatal(&tool, EX_IOERR, "output write error: %s", strerror(errno));
}

/* ---- deliveries ---- */

static void
flush(enum queuectl_verb verb, const char *id)
{
	struct queuectl_result result;
	struct ipc *qmgr = queue_tool_connect(tool.values->queue_service_name);

	if (!qmgr || !queue_tool_ask(qmgr, verb, id, &result))
		queue_tool_fatal(
		    &tool, EX_UNAVAILABLE, "Cannot flush mail queue - mail system is down");
	switch (result.outcome) {
	case QUEUECTL_DONE:
		break;
	case QUEUECTL_NOT_ALLOWED:
		queue_tool_fatal(&tool, EX_NOPERM,
		    "User id %ld is not allowed to flush the mail queue", (long)getuid());
	case QUEUECTL_NOT_FOUND:
		queue_tool_fatal(
		    &tool, EX_UNAVAILABLE, "Cannot flush queue ID %s: not found", id);
	default:
		queue_tool_fatal(
		    &tool, EX_TEMPFAIL, "Cannot flush mail queue: %.*s", VIEW_ARG(result.why));
	}
	ipc_free(&qmgr);
}

static void
run(enum mode mode, const char *argument)
{
	switch (mode) {
	case MODE_NONE:
		usage();
	case MODE_LIST:
		show(&postqueue_text);
		break;
	case MODE_JSON:
		show(&postqueue_json);
		break;
	case MODE_FLUSH:
		flush(QUEUECTL_FLUSH, "");
		break;
	case MODE_FLUSH_ID:
		if (!queue_id_is_valid(view_of(argument)))
			queue_tool_fatal(&tool, EX_USAGE,
			    "Cannot flush queue ID - invalid name: \"%.100s\"", argument);
		flush(QUEUECTL_FLUSH_ID, argument);
		break;
	case MODE_FLUSH_SITE:
		queue_tool_fatal(&tool, EX_UNAVAILABLE,
		    "-s: flushing by destination is not supported yet: use -f");
	}
}

static enum mode
mode_of(int letter)
{
	switch (letter) {
	case 'f':
		return MODE_FLUSH;
	case 'i':
		return MODE_FLUSH_ID;
	case 'j':
		return MODE_JSON;
	case 'p':
		return MODE_LIST;
	case 's':
		return MODE_FLUSH_SITE;
	default:
		usage();
	}
}

int
main(int argc, char **argv)
{
	const char *directory = NULL, *argument = NULL;
	enum mode mode = MODE_NONE;
	int letter, verbose = 0;

	opterr = 0;
	while ((letter = getopt(argc, argv, "+c:fi:jps:v")) != -1) {
		if (letter == 'c') {
			directory = optarg;
		} else if (letter == 'v') {
			verbose++;
		} else {
			if (mode != MODE_NONE)
				usage();
			mode = mode_of(letter);
			argument = optarg;
		}
	}
	if (mode == MODE_NONE || argv[optind])
		usage();
	queue_tool_open(&tool, "postqueue", directory);
	log_set_verbose(verbose);
	run(mode, argument);
	queue_tool_done(&tool);
	return EX_OK;
}
