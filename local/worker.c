/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker's loop: each packet on its socket brings a channel, each channel is a task that
 * does one job after the other. All disk work happens in the offload pool, so one worker
 * delivers many messages to its mailbox at a time.
 */
#include "local/worker.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "local/deliver_file.h"
#include "local/job.h"
#include "local/packet.h"
#include "proto/deliver.h"
#include "service/service.h"
#include "task/task.h"

#define RESULT_TIME  (60 * SECOND)
#define WORKER_TITLE "local-worker"

static struct mailbox mailbox;

static void
deliver_run(void *argument)
{
	struct deliver_file *d = argument;

	deliver_file_run(d);
}

static bool
job_do(struct ipc *channel, const struct ipc_frame *frame)
{
	struct mailbox_job job;
	struct deliver_file d = { .mailbox = &mailbox, .job = &job };
	struct mailbox_result result;
	bool ok;

	if (!ipc_frame_decode(channel, frame, &mailbox_job_message, &job)) {
		log_error("bad job: %s", ipc_why(channel));
		return false;
	}
	buf_init(&d.reason, DELIVER_REASON_MAX);
	task_offload(deliver_run, &d);
	file_close(&job.message);
	result = (struct mailbox_result){
		.result = d.result,
		.dsn = view_of(d.dsn),
		.reason = buf_view(&d.reason),
	};
	ok = ipc_send(channel, &mailbox_result_message, &result, clock_deadline(RESULT_TIME)) ==
		IPC_OK &&
	    ipc_flush(channel, clock_deadline(RESULT_TIME)) == IPC_OK;
	buf_done(&d.reason);
	return ok;
}

static void
channel_run(void *argument)
{
	struct ipc *channel = argument;
	struct ipc_frame frame;

	while (ipc_receive(channel, &frame, DEADLINE_NEVER) == IPC_OK)
		if (!ipc_frame_is(&frame, &mailbox_job_message) || !job_do(channel, &frame))
			break;
	ipc_free(&channel);
}

static void
channels_take(void *argument)
{
	int fd = *(int *)argument;

	while (task_wait_fd(fd, TASK_READ, DEADLINE_NEVER) == TASK_OK) {
		char letter;
		int channel_fd;
		ssize_t got = packet_receive(fd, &letter, 1, &channel_fd);
		struct ipc *channel;

		if (got < 0 && errno == EAGAIN)
			continue;
		if (got <= 0)
			break;
		if (channel_fd < 0)
			continue;
		channel = ipc_new(channel_fd);
		ipc_take_descriptors(channel);
		if (!task_spawn("channel", channel_run, channel))
			ipc_free(&channel);
	}
	close(fd);
}

void
worker_main(int channels_fd, const struct worker_identity *identity)
{
	struct sandbox_identity ids = { identity->change, identity->uid, identity->gid, NULL };
	struct sandbox_path paths[] = { { NULL, SANDBOX_READ | SANDBOX_WRITE }, { NULL, 0 } };
	struct sandbox sandbox = { .paths = paths, .calls = SANDBOX_FILES | SANDBOX_THREADS };

	prctl(PR_SET_NAME, WORKER_TITLE);
	signal(SIGXFSZ, SIG_IGN); /* an error to report, not an end */
	fd_set_nonblocking(channels_fd);
	mailbox_init(
	    &mailbox, service_values(), identity->place, identity->user, identity->home);
	paths[0].path = mailbox.place.root;
	task_init();
	sandbox_apply(&sandbox, &ids, service_conf());
	if (task_spawn("channels", channels_take, &channels_fd))
		task_run();
	task_done();
	mailbox_done(&mailbox);
}
