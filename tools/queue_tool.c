/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ground under the queue commands. Messages go to standard error under the command's name
 * alone, as scripts know them, and to the log under the full tag.
 */
#include "tools/queue_tool.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "service/logging.h"

#define CONNECT_TIME (20 * SECOND)
#define ANSWER_TIME  (60 * SECOND)

void
queue_tool_say(const struct queue_tool *t, const char *format, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", t->name);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
}

void
queue_tool_fatal(const struct queue_tool *t, int code, const char *format, ...)
{
	struct buf text = BUF_INIT(LOG_LINE_MAX);
	va_list ap;

	va_start(ap, format);
	buf_vprintf(&text, format, ap);
	va_end(ap);
	if (t->values)
		log_info("fatal: %s", buf_str(&text));
	fflush(stdout);
	queue_tool_say(t, "fatal: %s", buf_str(&text));
	exit(code);
}

void
queue_tool_open(struct queue_tool *t, const char *name, const char *directory)
{
	char *why = NULL;

	*t = (struct queue_tool){ .name = name };
	signal(SIGPIPE, SIG_IGN);
	log_set_tag(name);
	t->conf = conf_open(directory ? directory : conf_default_directory(), true, &why);
	if (!t->conf || !conf_evaluate(t->conf, &why))
		queue_tool_fatal(t, EX_CONFIG, "%s", why);
	t->values = conf_values_of(t->conf);
	logging_open(t->values, name, LOGGING_COMMAND);
	logging_quiet();
	if (directory)
		setenv("MAIL_CONFIG", directory, 1); /* for a program that is run from here */
	if (chdir(t->values->queue_directory) < 0)
		queue_tool_fatal(t, EX_UNAVAILABLE, "queue_directory %s: %s",
		    t->values->queue_directory, strerror(errno));
}

void
queue_tool_done(struct queue_tool *t)
{
	conf_free(&t->conf);
	t->values = NULL;
}

struct ipc *
queue_tool_connect(const char *service)
{
	char path[108];

	snprintf(path, sizeof(path), "public/%s", service);
	return ipc_connect(path, clock_deadline(CONNECT_TIME));
}

bool
queue_tool_is_filter(int option)
{
	return option >= QUEUE_TOOL_FILTER && option < QUEUE_TOOL_FILTER + FILTER_KINDS;
}

void
queue_tool_filter(
    const struct queue_tool *t, struct queue_filter *f, int option, const char *text, int code)
{
	const char *why;

	if (!queue_filter_add(
		f, (enum filter_kind)(option - QUEUE_TOOL_FILTER), view_of(text), &why))
		queue_tool_fatal(t, code, "%s", why);
}

struct view
queue_tool_filter_text(const struct queue_filter *f, enum filter_kind kind)
{
	return view_of(f->texts[kind]);
}

static bool
ask(struct ipc *qmgr, const struct queuectl_command *command, struct queuectl_result *result)
{
	nanoseconds deadline = clock_deadline(ANSWER_TIME);

	return ipc_send(qmgr, &queuectl_command_message, command, deadline) == IPC_OK &&
	    ipc_expect(qmgr, &queuectl_result_message, result, deadline) == IPC_OK;
}

bool
queue_tool_ask(
    struct ipc *qmgr, enum queuectl_verb verb, const char *id, struct queuectl_result *result)
{
	struct queuectl_command command = { .verb = verb, .queue_id = view_of(id) };

	return ask(qmgr, &command, result);
}

bool
queue_tool_ask_filtered(struct ipc *qmgr, enum queuectl_verb verb, const struct queue_filter *f,
    struct queuectl_result *result)
{
	struct queuectl_command command = {
		.verb = verb,
		.from = queue_tool_filter_text(f, FILTER_FROM),
		.to = queue_tool_filter_text(f, FILTER_TO),
		.destination = queue_tool_filter_text(f, FILTER_DESTINATION),
		.reason = queue_tool_filter_text(f, FILTER_REASON),
		.older = queue_tool_filter_text(f, FILTER_OLDER),
		.larger = queue_tool_filter_text(f, FILTER_LARGER),
	};

	return ask(qmgr, &command, result);
}
