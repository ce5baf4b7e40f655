/* SPDX-License-Identifier: Apache-2.0 */
/* What postqueue and postsuper share: the configuration, and the conversation with qmgr. */
#ifndef TOOLS_QUEUE_TOOL_H
#define TOOLS_QUEUE_TOOL_H

#include <stdbool.h>

#include "conf/conf.h"
#include "ipc/ipc.h"
#include "proto/queuectl.h"

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

/* One change. False: the connection failed, ipc_why says how. result->why lives in it. */
bool queue_tool_ask(
    struct ipc *qmgr, enum queuectl_verb verb, const char *id, struct queuectl_result *result);

#endif
