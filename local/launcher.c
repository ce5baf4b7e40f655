/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The launcher's loop and the deciding process's side of it. The launcher is single-threaded
 * and lives as long as its parent: when the socket closes it ends, and so do the workers.
 *
 * The answer to a request is one packet with an errno value and, for 0, the worker's socket.
 */
#include "local/launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "local/local.h"
#include "local/worker.h"
#include "service/service.h"
#include "task/task.h"

#define ANSWER_TIME (30 * SECOND)

struct launcher_request {
	int place; /* enum worker_place */
	char account[LAUNCHER_NAME_MAX];
};

static int launcher_fd = -1; /* the deciding process's end */
static struct task_limit launcher_turn;

/* ---- one packet with at most one descriptor ---- */

bool
packet_send(int fd, const void *p, size_t n, int descriptor)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { (void *)(uintptr_t)p, n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t sent;

	if (descriptor >= 0) {
		struct cmsghdr *c;

		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &descriptor, sizeof(int));
	}
	do
		sent = sendmsg(fd, &msg, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent == (ssize_t)n;
}

ssize_t
packet_receive(int fd, void *p, size_t n, int *descriptor)
{
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { p, n };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	ssize_t got;

	*descriptor = -1;
	do
		got = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got <= 0)
		return got;
	c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(descriptor, CMSG_DATA(c), sizeof(int));
	return got;
}

/* ---- the launcher ---- */

/* The spool directory of Debian is writable for its group, elsewhere for everybody (sticky). */
static gid_t
worker_group(const struct passwd *account, enum worker_place place)
{
	struct stat st;

	if (place == WORKER_SPOOL && stat(service_values()->mail_spool_directory, &st) == 0 &&
	    (st.st_mode & S_IWGRP) && !(st.st_mode & S_IWOTH) && st.st_gid != 0)
		return st.st_gid;
	return account->pw_gid;
}

static int
worker_fork(int own_fd, const struct launcher_request *r, int *socket_out)
{
	const struct passwd *account = getpwnam(r->account);
	struct worker_identity identity;
	int pair[2];
	pid_t pid;

	if (!account)
		return ENOENT;
	identity = (struct worker_identity){ account->pw_uid,
		worker_group(account, (enum worker_place)r->place), service_runs_as_root(),
		(enum worker_place)r->place, account->pw_dir };
	if (identity.change && (identity.uid == 0 || identity.gid == 0))
		return EPERM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return EAGAIN;
	pid = fork();
	if (pid < 0) {
		close(pair[0]);
		close(pair[1]);
		return EAGAIN;
	}
	if (pid == 0) {
		close(pair[0]);
		close(own_fd);
		worker_main(pair[1], &identity);
		_exit(0);
	}
	close(pair[1]);
	*socket_out = pair[0];
	return 0;
}

static void
launcher_answer(int fd, const struct launcher_request *r)
{
	int socket_out = -1;
	int error = EINVAL;

	if ((r->place == WORKER_HOME || r->place == WORKER_SPOOL) &&
	    memchr(r->account, '\0', sizeof(r->account)))
		error = worker_fork(fd, r, &socket_out);
	packet_send(fd, &error, sizeof(error), socket_out);
	file_close(&socket_out);
}

/* What master gave to its child is not the launcher's: master must see its child end. */
static void
release_inherited(void)
{
	close(SERVICE_CONTROL_FD);
	close_range(SERVICE_LISTEN_FD_FIRST,
	    (unsigned)(SERVICE_LISTEN_FD_FIRST + service_listener_count() - 1), 0);
}

static void
launcher_loop(int fd)
{
	struct launcher_request request;
	int stray;

	prctl(PR_SET_NAME, "local-launcher");
	signal(SIGCHLD, SIG_IGN);
	signal(SIGTERM, SIG_IGN); /* ends with its parent, after the last delivery */
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	for (;;) {
		ssize_t got = packet_receive(fd, &request, sizeof(request), &stray);

		if (stray >= 0)
			close(stray);
		if (got <= 0)
			return;
		if (got == (ssize_t)sizeof(request))
			launcher_answer(fd, &request);
	}
}

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
		release_inherited();
		launcher_loop(pair[1]);
		_exit(0);
	}
	close(pair[1]);
	launcher_fd = pair[0];
	fd_set_nonblocking(launcher_fd);
}

/* ---- the deciding process ---- */

static int
launcher_ask(const struct launcher_request *request)
{
	int error, descriptor;

	if (!packet_send(launcher_fd, request, sizeof(*request), -1)) {
		errno = EAGAIN;
		return -1;
	}
	if (task_wait_fd(launcher_fd, TASK_READ, clock_deadline(ANSWER_TIME)) != TASK_OK ||
	    packet_receive(launcher_fd, &error, sizeof(error), &descriptor) != sizeof(error)) {
		/* A late answer would be taken for that to the next question. */
		log_error("the launcher does not answer; this process ends");
		service_finish();
		file_close(&launcher_fd);
		errno = EAGAIN;
		return -1;
	}
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
	if (!launcher_turn.free.waiters.next)
		task_limit_init(&launcher_turn, 1);
	if (task_limit_take(&launcher_turn, clock_deadline(ANSWER_TIME)) != TASK_OK) {
		errno = EAGAIN;
		return -1;
	}
	fd = launcher_fd >= 0 ? launcher_ask(&request) : (errno = EAGAIN, -1);
	task_limit_give(&launcher_turn);
	return fd;
}
