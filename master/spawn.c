/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a service to a process: a control socket, a command line, fork, exec. Between fork and
 * exec only system calls: descriptors go to their places (3 control, 4.. listeners), everything
 * else is closed, signals are as a fresh program expects them.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "master/master.h"
#include "service/service.h"

#define LISTENERS_MAX 256
#define OWN_ARGUMENTS 16

static size_t
listener_count(const struct master_service *s)
{
	size_t n = 0;

	list_for_each (link, &s->listeners)
		n++;
	return n < LISTENERS_MAX ? n : LISTENERS_MAX;
}

/* The process's part of the session limit; 0: none. */
static size_t
session_share(const struct master_service *s, size_t slot)
{
	size_t share;

	if (s->session_limit == 0)
		return s->process_limit;
	if (s->process_limit > 0) {
		share = s->session_limit - slot * s->process_limit;
		return share < s->process_limit ? share : s->process_limit;
	}
	return s->session_limit / s->max_processes +
	    (slot < s->session_limit % s->max_processes);
}

static char **
command_line(const struct master_service *s, size_t slot)
{
	size_t n = 0, more = 0;
	char **argv;

	while (s->arguments[more])
		more++;
	argv = mem_zero(OWN_ARGUMENTS + more, sizeof(*argv));
	argv[n++] = mem_strdup(s->program);
	argv[n++] = mem_strdup("-n");
	argv[n++] = mem_strdup(s->name);
	argv[n++] = mem_strdup("-t");
	argv[n++] = mem_strdup(s->type_name);
	argv[n++] = mem_strdup("-s");
	argv[n++] = mem_printf("%zu", listener_count(s));
	argv[n++] = mem_strdup("-l");
	argv[n++] = mem_printf("%zu", session_share(s, slot));
	if (s->chroot)
		argv[n++] = mem_strdup("-c");
	if (s->unprivileged)
		argv[n++] = mem_strdup("-u");
	for (size_t i = 0; i < more; i++)
		argv[n++] = mem_strdup(s->arguments[i]);
	return argv;
}

static void
place(int fd, int at)
{
	if (fd < 0 || dup2(fd, at) < 0)
		_exit(127);
}

static void
default_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	for (int n = 1; n < NSIG; n++)
		(void)signal(n, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void __attribute__((noreturn))
child(const struct master_service *s, int control, char **argv)
{
	/* Copies out of the way of the final places come first. */
	int high[LISTENERS_MAX], n = 0;
	int beyond = SERVICE_LISTEN_FD_FIRST + (int)listener_count(s);
	int control_high = fcntl(control, F_DUPFD, beyond);

	list_for_each (link, &s->listeners) {
		struct listener *l = LIST_ITEM(link, struct listener, link);

		if (n < LISTENERS_MAX)
			high[n++] = fcntl(l->fd, F_DUPFD, beyond);
	}
	(void)setpgid(0, 0);
	if (master.stderr_write >= 0)
		place(master.stderr_write, STDERR_FILENO);
	place(control_high, SERVICE_CONTROL_FD);
	for (int i = 0; i < n; i++)
		place(high[i], SERVICE_LISTEN_FD_FIRST + i);
	close_range(SERVICE_LISTEN_FD_FIRST + (unsigned)n, ~0u, 0);
	default_signals();
	execve(s->path, argv, master.environment);
	dprintf(STDERR_FILENO, "cannot execute %s: %s\n", s->path, strerror(errno));
	_exit(127);
}

static pid_t
start_program(const struct master_service *s, int control, size_t slot)
{
	char **argv = command_line(s, slot);
	pid_t pid = fork();

	if (pid == 0)
		child(s, control, argv);
	if (pid < 0)
		log_warn("fork for %s: %s", s->program, strerror(errno));
	for (char **a = argv; *a; a++)
		mem_free(*a);
	mem_free(argv);
	return pid;
}

struct process *
process_spawn(struct master_service *s, size_t slot)
{
	struct process *p;
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
		log_warn("socket for %s: %s", s->program, strerror(errno));
		return NULL;
	}
	pid = start_program(s, pair[1], slot);
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return NULL;
	}
	p = NEW(struct process);
	p->service = s;
	p->pid = pid;
	p->slot = slot;
	p->control = pair[0];
	p->started = clock_now();
	list_append(&s->processes, &p->link);
	list_append(&master.processes, &p->all);
	process_watch(p);
	log_debug("%s/%s: started %s, pid %ld", s->name, s->type_name, s->program, (long)pid);
	return p;
}
