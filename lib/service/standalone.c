/* SPDX-License-Identifier: Apache-2.0 */
/*
 * -S: one session on standard input and output, for a program that was started by hand or by
 * another program (sendmail -bs). A session has one descriptor that is a socket, but standard
 * input and output may be two pipes, files or a terminal: two threads carry the bytes between
 * them and a socket pair.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "service/service_private.h"
#include "task/task.h"

#define CARRY_SIZE 1024 /* on the stack of a thread */

struct carrier {
	int from;
	int to;
};

static void *
carry(void *argument)
{
	struct carrier *c = argument;
	char bytes[CARRY_SIZE];
	ssize_t n;

	for (;;) {
		n = read(c->from, bytes, sizeof(bytes));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || !file_write_all(c->to, bytes, (size_t)n))
			break;
	}
	(void)shutdown(c->to, SHUT_WR);
	return NULL;
}

static void
session_run(void *argument)
{
	struct service_connection *c = argument;

	service_process.service->session(c);
	service_process.finishing = true;
	if (service_process.service->finish)
		service_process.service->finish();
	task_stop();
}

int
standalone_run(const struct service *s)
{
	struct service_connection c = { .peer_length = sizeof(sa_family_t) };
	struct carrier in, out;
	pthread_t in_thread, out_thread;
	int pair[2];

	if (!s->session || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		log_fatal("this program cannot run stand-alone");
	in = (struct carrier){ STDIN_FILENO, pair[0] };
	out = (struct carrier){ pair[0], STDOUT_FILENO };
	task_init();
	if (pthread_create(&in_thread, NULL, carry, &in) != 0 ||
	    pthread_create(&out_thread, NULL, carry, &out) != 0)
		log_fatal("cannot start threads");
	pthread_detach(in_thread);
	c.fd = pair[1];
	c.peer.ss_family = AF_UNIX;
	fd_set_nonblocking(c.fd);
	if (s->start)
		s->start();
	if (!task_spawn("session", session_run, &c))
		log_fatal("no memory for a session");
	task_run();
	task_done();
	pthread_join(out_thread, NULL);
	return 0;
}
