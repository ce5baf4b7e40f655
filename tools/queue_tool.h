/* SPDX-License-Identifier: Apache-2.0 */
/* What postqueue and postsuper share: the configuration, and the conversation with qmgr. */
#ifndef TOOLS_QUEUE_TOOL_H
#define TOOLS_QUEUE_TOOL_H

#include <stdbool.h>

#include "conf/conf.h"
#include "ipc/ipc.h"
#include "proto/queuectl.h"
#include "queue/filter.h"

struct queue_tool {
	const char *name; /* "postqueue" */
	struct conf *conf;
	const struct conf_values *values;
};

/*
 * Reads main.cf (directory NULL: MAIL_CONFIG or the default), opens the log, and makes the
 * queue directory the working directory. Ends the program when that fails.
 */
void queue_tool_open(struct queue_tool *t, const char *name, const char *directory);
void queue_tool_done(struct queue_tool *t);

/* "NAME: text" on standard error, as Postfix's commands write. */
void queue_tool_say(const struct queue_tool *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "NAME: fatal: text" there and in the log, and exit. */
void queue_tool_fatal(const struct queue_tool *t, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4), noreturn));

/* A connection to public/service. NULL: errno. */
struct ipc *queue_tool_connect(const char *service);

/* Rows for getopt_long, and what is done with one of them. Ends the program when it is bad. */
#define QUEUE_TOOL_FILTER 1000
#define QUEUE_TOOL_FILTER_ROW(name, kind)                                                      \
	{                                                                                      \
		name, required_argument, NULL, QUEUE_TOOL_FILTER + (kind)                      \
	}
#define QUEUE_TOOL_FILTERS                                                                     \
	QUEUE_TOOL_FILTER_ROW("from", FILTER_FROM), QUEUE_TOOL_FILTER_ROW("to", FILTER_TO),    \
	    QUEUE_TOOL_FILTER_ROW("destination", FILTER_DESTINATION),                          \
	    QUEUE_TOOL_FILTER_ROW("reason", FILTER_REASON),                                    \
	    QUEUE_TOOL_FILTER_ROW("older", FILTER_OLDER),                                      \
	    QUEUE_TOOL_FILTER_ROW("larger", FILTER_LARGER)
#define QUEUE_TOOL_FILTER_USAGE                                                                \
	"[--from address] [--to address] [--destination domain] [--reason text] "              \
	"[--older age] [--larger size]"
bool queue_tool_is_filter(int option);
void queue_tool_filter(
    const struct queue_tool *t, struct queue_filter *f, int option, const char *text, int code);

/* The text of one kind, for a request. */
struct view queue_tool_filter_text(const struct queue_filter *f, enum filter_kind kind);

/* One change. False: the connection failed, ipc_why says how. result->why lives in it. */
bool queue_tool_ask(
    struct ipc *qmgr, enum queuectl_verb verb, const char *id, struct queuectl_result *result);

/* The same for a verb that takes filters (NULL: none). */
bool queue_tool_ask_filtered(struct ipc *qmgr, enum queuectl_verb verb,
    const struct queue_filter *f, struct queuectl_result *result);

#endif
