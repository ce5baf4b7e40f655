/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the messages come from. qmgr is asked to write down what it knows; when it says that
 * the index is complete, deferred mail is read from there. While the system is down the index
 * is believed when it was closed in order and nothing has changed since. In all other cases the
 * files are read, which takes longer and says the same. Both happens in the pool of threads.
 */
#include "base/mem.h"
#include "proto/queuectl.h"
#include "showq/showq.h"
#include "task/task.h"

#define ASK_TIME (2 * SECOND)

static bool
qmgr_says_complete(void)
{
	struct queuectl_command command = { .verb = QUEUECTL_INDEX };
	struct queuectl_result result = { 0 };
	nanoseconds deadline = clock_deadline(ASK_TIME);
	struct ipc *qmgr;
	char path[256];
	bool ok;

	service_path(path, sizeof(path), "public", showq.values->queue_service_name);
	qmgr = ipc_connect(path, deadline);
	if (!qmgr)
		return false;
	ok = ipc_send(qmgr, &queuectl_command_message, &command, deadline) == IPC_OK &&
	    ipc_expect(qmgr, &queuectl_result_message, &result, deadline) == IPC_OK &&
	    result.outcome == QUEUECTL_DONE;
	ipc_free(&qmgr);
	return ok;
}

static void
open_run(void *argument)
{
	struct source *s = argument;
	const char *why;

	s->index = queue_index_open_reader(".", &why);
	if (s->index && service_is_stand_alone() &&
	    !queue_index_is_settled(showq.queue, s->index))
		queue_index_close(&s->index);
}

void
source_open(struct source *s, const struct queue_filter *filter)
{
	*s = (struct source){ .filter = filter };
	if (service_is_stand_alone() || qmgr_says_complete())
		task_offload(open_run, s);
	s->walk = queue_walk_new(showq.queue, s->index, WALK_ALL, filter);
}

static void
read_run(void *argument)
{
	struct source *s = argument;

	while (!queue_walk_read(s->walk, &s->count, &s->why) && s->count == 0)
		;
}

bool
source_read(struct source *s)
{
	task_offload(read_run, s);
	return s->count > 0;
}

static void
close_run(void *argument)
{
	struct source *s = argument;

	queue_walk_free(&s->walk);
	queue_index_close(&s->index);
}

void
source_close(struct source *s)
{
	task_offload(close_run, s);
}

const char *
source_place_name(enum queue_place place)
{
	switch (place) {
	case QUEUE_INCOMING:
		return "active";
	case QUEUE_HOLD:
		return "hold";
	default:
		return "deferred";
	}
}
