/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker's threads: each packet on its socket brings a channel, each channel is a thread
 * that does one job after the other. What it does is disk work; a loop with a pool of threads
 * behind it would hand every job over twice.
 */
#include "local/worker.h"

#include <errno.h>
#include <pthread.h>
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

#define RESULT_TIME  (60 * SECOND)
#define WORKER_TITLE "local-worker"

#define THREADS_MAX  64 /* more than the channels that stay open between jobs */
#define THREAD_STACK ((size_t)512 * 1024)

static struct mailbox mailbox;

static struct {
	pthread_mutex_t lock;
	pthread_cond_t ended;
	unsigned count;
} threads = { .lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER };

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
	deliver_file_run(&d);
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
channel_end(struct ipc *channel)
{
	ipc_free(&channel);
	pthread_mutex_lock(&threads.lock);
	threads.count--;
	pthread_cond_signal(&threads.ended);
	pthread_mutex_unlock(&threads.lock);
}

static void *
channel_run(void *argument)
{
	struct ipc *channel = argument;
	struct ipc_frame frame;

	while (ipc_receive(channel, &frame, DEADLINE_NEVER) == IPC_OK)
		if (!ipc_frame_is(&frame, &mailbox_job_message) || !job_do(channel, &frame))
			break;
	channel_end(channel);
	return NULL;
}

/* Waits until at most so many run. */
static void
threads_wait(unsigned most)
{
	pthread_mutex_lock(&threads.lock);
	while (threads.count > most)
		pthread_cond_wait(&threads.ended, &threads.lock);
	pthread_mutex_unlock(&threads.lock);
}

static void
channel_start(int fd)
{
	struct ipc *channel = ipc_new(fd);
	pthread_attr_t attributes;
	pthread_t thread;
	int error;

	ipc_take_descriptors(channel);
	threads_wait(THREADS_MAX - 1);
	pthread_mutex_lock(&threads.lock);
	threads.count++;
	pthread_mutex_unlock(&threads.lock);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, THREAD_STACK);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	error = pthread_create(&thread, &attributes, channel_run, channel);
	pthread_attr_destroy(&attributes);
	if (!error)
		return;
	/* The job comes back as one that was not done, and is tried again. */
	log_warn("cannot start a thread: %s", strerrordesc_np(error));
	channel_end(channel);
}

static void
channels_take(int fd)
{
	for (;;) {
		char letter;
		int channel_fd;
		ssize_t got = packet_receive(fd, &letter, 1, &channel_fd);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		if (channel_fd >= 0)
			channel_start(channel_fd);
	}
	close(fd);
	threads_wait(0);
}

void
worker_main(int channels_fd, const struct worker_identity *identity)
{
	struct sandbox_identity ids = { identity->change, identity->uid, identity->gid, NULL };
	struct sandbox_path paths[] = { { NULL, SANDBOX_READ | SANDBOX_WRITE }, { NULL, 0 } };
	struct sandbox sandbox = { .paths = paths, .calls = SANDBOX_FILES | SANDBOX_THREADS };

	prctl(PR_SET_NAME, WORKER_TITLE);
	signal(SIGXFSZ, SIG_IGN); /* an error to report, not an end */
	mailbox_init(
	    &mailbox, service_values(), identity->place, identity->user, identity->home);
	paths[0].path = mailbox.place.root;
	sandbox_apply(&sandbox, &ids, service_conf());
	channels_take(channels_fd);
	mailbox_done(&mailbox);
}
