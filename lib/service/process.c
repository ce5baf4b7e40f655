/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a service process after the jail: what it tells master and what master tells it,
 * wake-ups, and the end. Finishing means: no more connections, idle sessions are cancelled, and
 * when the last task has returned the loop stops. When master is gone (its end of the control
 * socket has closed) or on SIGTERM, what is left is cancelled.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "service/logging.h"
#include "service/service_private.h"
#include "task/task.h"

#define FINISH_POLL (20 * MILLISECOND)
#define STOP_GRACE  (5 * SECOND) /* for tasks to unwind once they are cancelled */

static struct life {
	struct task_watch *control;
	struct task_timer *finish_timer;
	struct task_timer *idle_timer;
	size_t load_told; /* the number of sessions master knows of */
	bool full_told;
	bool wakeup_running, wakeup_again;
	long long uses, max_use; /* max_use 0: for ever */
	nanoseconds max_idle;    /* 0: for ever */
	bool stopping;
} life;

static bool
tell_master(char letter, size_t number)
{
	char packet[CONTROL_PACKET_MAX];
	int n = snprintf(packet, sizeof(packet), "%c%zu", letter, number);

	if (!service_process.has_control)
		return true;
	return send(SERVICE_CONTROL_FD, packet, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) == n;
}

void
process_load(size_t sessions)
{
	bool grown = sessions >= CONTROL_BUSY && sessions >= 2 * life.load_told;
	bool fallen = life.load_told >= CONTROL_BUSY && sessions <= life.load_told / 2;

	if (!grown && !fallen && !life.full_told)
		return;
	if (tell_master(CONTROL_LOAD, sessions)) {
		life.load_told = sessions;
		life.full_told = false;
	}
}

void
process_full(size_t sessions)
{
	if (tell_master(CONTROL_FULL, sessions)) {
		life.load_told = sessions;
		life.full_told = true;
	}
}

/* Wake-ups do not overlap: one that comes while another runs makes it run once more. */
static void
wakeup_run(void *argument)
{
	(void)argument;
	do {
		life.wakeup_again = false;
		service_process.service->wakeup();
	} while (life.wakeup_again && !service_process.finishing);
	life.wakeup_running = false;
}

static void
wakeup(void)
{
	if (!service_process.service->wakeup || service_process.finishing)
		return;
	if (life.wakeup_running) {
		life.wakeup_again = true;
		return;
	}
	life.wakeup_running = task_spawn("wakeup", wakeup_run, NULL);
}

static void
stop_now(void *context)
{
	(void)context;
	if (life.stopping)
		return;
	life.stopping = true;
	service_finish();
	alarm((unsigned)(STOP_GRACE / SECOND)); /* for a task that does not unwind */
	task_stop();
}

static void
finish_check(void *context)
{
	(void)context;
	if (task_count() == 0)
		task_stop();
	else
		task_timer_set(life.finish_timer, clock_deadline(FINISH_POLL));
}

void
service_finish(void)
{
	if (service_process.finishing)
		return;
	service_process.finishing = true;
	tell_master(CONTROL_ENDING, accept_sessions());
	accept_stop();
	if (service_process.service->finish)
		service_process.service->finish();
	if (life.finish_timer)
		task_timer_set(life.finish_timer, clock_deadline(0));
}

static void
idle_expired(void *context)
{
	(void)context;
	if (accept_sessions() == 0)
		service_finish();
}

void
process_session_started(void)
{
	life.uses++;
	process_load(accept_sessions());
	if (life.max_use > 0 && life.uses >= life.max_use)
		service_finish();
}

void
process_session_ended(size_t left)
{
	process_load(left);
	if (left == 0 && life.max_idle > 0 && !service_process.finishing)
		task_timer_set(life.idle_timer, clock_deadline(life.max_idle));
}

/* One packet from master with the descriptor that came along, or -1. */
static ssize_t
receive_packet(char *packet, size_t size, int *fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = { packet, size };
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(SERVICE_CONTROL_FD, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c;

	*fd = -1;
	if (n < 0)
		return n;
	c = CMSG_FIRSTHDR(&message);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(fd, CMSG_DATA(c), sizeof(int));
	return n;
}

static void
on_control(void *context)
{
	char packet[CONTROL_PACKET_MAX];
	int fd;
	ssize_t n = receive_packet(packet, sizeof(packet), &fd);

	(void)context;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		task_watch_enable(life.control, false);
		service_process.has_control = false;
		log_warn("master has gone");
		stop_now(NULL);
		return;
	}
	if (packet[0] == CONTROL_FINISH)
		service_finish();
	else if (packet[0] == CONTROL_WAKEUP)
		wakeup();
	else if (packet[0] == CONTROL_LOG && fd >= 0)
		logging_replace(fd);
	file_close(&fd);
}

/* max_use and max_idle count only for those who set them. */
static void
read_ending_parameters(void)
{
	bool is_default;

	if (conf_text(service_process.conf, "max_use", &is_default) && !is_default)
		life.max_use = service_process.values->max_use;
	if (conf_text(service_process.conf, "max_idle", &is_default) && !is_default)
		life.max_idle = service_process.values->max_idle;
	if (service_process.service->one_process)
		life.max_use = life.max_idle = 0;
}

void
process_start(void)
{
	task_on_signal(SIGTERM, stop_now, NULL);
	life.finish_timer = task_timer_new(finish_check, NULL);
	life.idle_timer = task_timer_new(idle_expired, NULL);
	read_ending_parameters();
	if (service_process.has_control)
		life.control = task_watch_new(SERVICE_CONTROL_FD, TASK_READ, on_control, NULL);
	wakeup();
	if (life.max_idle > 0)
		task_timer_set(life.idle_timer, clock_deadline(life.max_idle));
	tell_master(CONTROL_READY, 0);
}

void
process_done(void)
{
	task_watch_free(&life.control);
	task_timer_free(&life.finish_timer);
	task_timer_free(&life.idle_timer);
}
