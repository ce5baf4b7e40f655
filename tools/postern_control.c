/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Talking to a running master: the lock of the queue says which process it is, a pidfd keeps
 * that process from being confused with a later one of the same number.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "service/lock.h"
#include "tools/postern.h"

/* Longer than master gives its children (master/stop.c). */
#define STOP_TIMEOUT 60000 /* milliseconds */

/* A descriptor for the running master, or -1: it does not run (said on stderr). */
static int
master_open(const struct postern *p, long *pid)
{
	long again = 0;
	int fd;

	switch (lock_look(p->values->queue_directory, pid)) {
	case LOCK_UNKNOWN:
		log_fatal("%s/%s: %s", p->values->queue_directory, LOCK_FILE, strerror(errno));
	case LOCK_FREE:
		fprintf(stderr, "postern: the Postern mail system is not running\n");
		return -1;
	case LOCK_HELD:
		break;
	}
	fd = (int)syscall(SYS_pidfd_open, (pid_t)*pid, 0);
	if (fd < 0 || lock_look(p->values->queue_directory, &again) != LOCK_HELD ||
	    again != *pid) {
		fprintf(stderr, "postern: the Postern mail system is not running\n");
		return -1;
	}
	return fd;
}

static void
send_signal(int fd, int signal_number)
{
	if (syscall(SYS_pidfd_send_signal, fd, signal_number, NULL, 0) < 0 && errno != ESRCH)
		log_fatal("cannot signal master: %s", strerror(errno));
}

static int
end(const struct postern *p, int signal_number)
{
	struct pollfd wait;
	long pid;
	int n;

	wait = (struct pollfd){ .fd = master_open(p, &pid), .events = POLLIN };
	if (wait.fd < 0)
		return 1;
	send_signal(wait.fd, signal_number);
	do
		n = poll(&wait, 1, STOP_TIMEOUT);
	while (n < 0 && errno == EINTR);
	if (n <= 0) {
		fprintf(stderr, "postern: PID %ld does not end\n", pid);
		return 1;
	}
	close(wait.fd);
	return 0;
}

int
postern_stop(const struct postern *p)
{
	return end(p, SIGTERM);
}

int
postern_abort(const struct postern *p)
{
	return end(p, SIGQUIT);
}

int
postern_reload(const struct postern *p)
{
	long pid;
	int fd = master_open(p, &pid);

	if (fd < 0)
		return 1;
	send_signal(fd, SIGHUP);
	close(fd);
	return 0;
}

int
postern_status(const struct postern *p)
{
	long pid;

	switch (lock_look(p->values->queue_directory, &pid)) {
	case LOCK_HELD:
		printf("postern: the Postern mail system is running: PID: %ld\n", pid);
		return 0;
	case LOCK_FREE:
		printf("postern: the Postern mail system is not running\n");
		return 1;
	case LOCK_UNKNOWN:
		break;
	}
	log_fatal("%s/%s: %s", p->values->queue_directory, LOCK_FILE, strerror(errno));
}

/* postqueue knows how to talk to qmgr. */
int
postern_flush(const struct postern *p)
{
	char *path = mem_printf("%s/postqueue", p->values->command_directory);
	const char *argv[] = { "postqueue", "-f", NULL };

	execv(path, (char *const *)argv);
	log_fatal("cannot execute %s: %s", path, strerror(errno));
}
