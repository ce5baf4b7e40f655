/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals for the loop. The handler marks the signal and writes to an eventfd that the loop
 * watches. libevent's own would do, but for one thing: in a forked child, before it execs, its
 * handler writes into the parent's pipe. Ours looks at the process id.
 */
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "task/loop.h"

static struct {
	struct task_watch *watch;
	int fd;
	volatile pid_t owner;
	volatile sig_atomic_t pending[NSIG];
	struct {
		void (*fn)(void *);
		void *context;
	} handlers[NSIG];
} signals = { .fd = -1 };

static void
signal_caught(int signal_number)
{
	int saved = errno;
	uint64_t one = 1;

	if (getpid() == signals.owner) {
		signals.pending[signal_number] = 1;
		while (write(signals.fd, &one, sizeof(one)) < 0 && errno == EINTR)
			continue;
	}
	errno = saved;
}

static void
signals_run(void *context)
{
	uint64_t count;

	(void)context;
	if (read(signals.fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return;
	for (int i = 1; i < NSIG; i++) {
		if (!signals.pending[i])
			continue;
		signals.pending[i] = 0;
		if (signals.handlers[i].fn != NULL)
			signals.handlers[i].fn(signals.handlers[i].context);
	}
}

static void
signals_start(void)
{
	signals.owner = getpid();
	signals.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (signals.fd < 0)
		log_fatal("cannot make an eventfd: %m");
	signals.watch = task_watch_new(signals.fd, TASK_READ, signals_run, NULL);
	task_loop.sources--; /* the handlers count, not this */
}

void
task_on_signal(int signal_number, void (*fn)(void *), void *context)
{
	struct sigaction action;
	bool had;

	assert(signal_number > 0 && signal_number < NSIG && task_loop.base != NULL);
	if (signals.fd < 0)
		signals_start();
	had = signals.handlers[signal_number].fn != NULL;
	signals.handlers[signal_number].fn = fn;
	signals.handlers[signal_number].context = context;
	task_loop.sources += (fn != NULL);
	task_loop.sources -= had;
	memset(&action, 0, sizeof(action));
	action.sa_handler = fn != NULL ? signal_caught : SIG_DFL;
	action.sa_flags = SA_RESTART;
	sigfillset(&action.sa_mask);
	(void)sigaction(signal_number, &action, NULL);
}

/* Also in a child that forgets the loop: there the watch is memory only. */
void
loop_signal_done(void)
{
	if (signals.fd < 0)
		return;
	for (int i = 1; i < NSIG; i++) {
		if (signals.handlers[i].fn != NULL)
			(void)signal(i, SIG_DFL);
		signals.handlers[i].fn = NULL;
		signals.pending[i] = 0;
	}
	if (getpid() == signals.owner) {
		task_loop.sources++;
		task_watch_free(&signals.watch);
	}
	signals.watch = NULL;
	file_close(&signals.fd);
}
