/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The deciding process's side of the launcher: one question at a time, each a packet, each
 * answered by one.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "local/launcher_private.h"
#include "local/packet.h"
#include "service/service.h"
#include "task/task.h"

#define ANSWER_TIME (30 * SECOND)

static int launcher_fd = -1; /* closed: the launcher is gone */
static struct task_limit turn;

void
launcher_start(void)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		log_fatal("socket pair for the launcher: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		log_fatal("fork the launcher: %s", strerror(errno));
	if (pid == 0) {
		close(pair[0]);
		launcher_run(pair[1]);
		_exit(0);
	}
	close(pair[1]);
	launcher_fd = pair[0];
	fd_set_nonblocking(launcher_fd);
}

/* A late answer would be taken for that to the next question: nothing more is asked. */
static int
launcher_lost(void)
{
	if (!task_is_cancelled())
		log_error("the launcher does not answer; this process ends");
	service_finish();
	file_close(&launcher_fd);
	errno = EAGAIN;
	return -1;
}

static int
launcher_ask(const struct launcher_request *request)
{
	int error, descriptor;

	if (!packet_send(launcher_fd, request, sizeof(*request), -1) ||
	    task_wait_fd(launcher_fd, TASK_READ, clock_deadline(ANSWER_TIME)) != TASK_OK ||
	    packet_receive(launcher_fd, &error, sizeof(error), &descriptor) != sizeof(error))
		return launcher_lost();
	if (error) {
		file_close(&descriptor);
		errno = error;
		return -1;
	}
	return descriptor;
}

int
launcher_worker(const char *account, enum worker_place place)
{
	struct launcher_request request = { .place = place };
	size_t n = strlen(account);
	int fd;

	if (n >= sizeof(request.account)) {
		errno = ENOENT;
		return -1;
	}
	memcpy(request.account, account, n);
	if (!turn.free.waiters.next)
		task_limit_init(&turn, 1);
	if (task_limit_take(&turn, clock_deadline(ANSWER_TIME)) != TASK_OK) {
		errno = EAGAIN;
		return -1;
	}
	fd = launcher_fd >= 0 ? launcher_ask(&request) : (errno = EAGAIN, -1);
	task_limit_give(&turn);
	return fd;
}
