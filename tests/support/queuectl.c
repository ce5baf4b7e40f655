/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Says one thing to qmgr and prints the answer: for tests.
 *
 *   queuectl QUEUE_DIRECTORY arrived|flush|flush-id|hold|release|delete|requeue|expire [ID]
 *   queuectl QUEUE_DIRECTORY index|rebuild
 *
 * Prints "done", "not-found", "not-allowed" or "failed", and the reason.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "proto/queuectl.h"

#define PATIENCE (60 * SECOND)

static const char *const verbs[] = { "arrived", "flush", "flush-id", "hold", "release",
	"delete", "requeue", "expire", "index", "rebuild" };
static const char *const outcomes[] = { "?", "done", "not-found", "not-allowed", "failed" };

int
main(int argc, char **argv)
{
	nanoseconds deadline = clock_deadline(PATIENCE);
	struct queuectl_command command = { 0 };
	struct queuectl_result result = { 0 };
	struct ipc *c;

	if (argc < 3 || chdir(argv[1]) < 0)
		return 64;
	while (command.verb < ARRAY_LEN(verbs) && strcmp(verbs[command.verb], argv[2]) != 0)
		command.verb++;
	if (argc > 3)
		command.queue_id = view_of(argv[3]);
	c = ipc_connect("public/qmgr", deadline);
	if (!c) {
		perror("queuectl: public/qmgr");
		return 1;
	}
	if (command.verb == 0) {
		struct queuectl_arrived arrived = { command.queue_id };

		ipc_send(c, &queuectl_arrived_message, &arrived, deadline);
		ipc_flush(c, deadline);
	} else if (ipc_send(c, &queuectl_command_message, &command, deadline) != IPC_OK ||
	    ipc_expect(c, &queuectl_result_message, &result, deadline) != IPC_OK) {
		printf("connection lost: %s\n", ipc_why(c));
	} else {
		printf("%s %.*s\n", outcomes[result.outcome < 5 ? result.outcome : 0],
		    VIEW_ARG(result.why));
	}
	ipc_free(&c);
	return 0;
}
