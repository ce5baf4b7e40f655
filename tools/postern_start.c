/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting: master does all the work and finds everything that is wrong; this command only
 * waits for its "ok" on a pipe. What master has to complain about goes to our standard error
 * until then.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "service/lock.h"
#include "tools/postern.h"

#define ARGUMENTS_MAX 16
#define VERBOSE_MAX   4

static void __attribute__((noreturn))
run_master(const struct postern *p, const char *mode, int ready_fd)
{
	char *path = mem_printf("%s/master", p->values->daemon_directory);
	const char *argv[ARGUMENTS_MAX] = { "master", "-c", p->directory };
	size_t n = 3;

	if (mode)
		argv[n++] = mode;
	if (ready_fd >= 0) {
		argv[n++] = "-r";
		argv[n++] = mem_printf("%d", ready_fd);
	}
	for (int i = 0; i < p->verbose && i < VERBOSE_MAX; i++)
		argv[n++] = "-v";
	execv(path, (char *const *)argv);
	log_fatal("cannot execute %s: %s", path, strerror(errno));
}

static int
exit_code(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (WIFSIGNALED(status))
		fprintf(stderr, "postern: master was killed by signal %d\n", WTERMSIG(status));
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1;
}

int
postern_start(const struct postern *p)
{
	char answer[2];
	ssize_t n;
	int ready[2];
	pid_t pid;

	if (pipe(ready) < 0 || (pid = fork()) < 0)
		log_fatal("cannot start master: %s", strerror(errno));
	if (pid == 0) {
		close(ready[0]);
		run_master(p, NULL, ready[1]);
	}
	close(ready[1]);
	do
		n = read(ready[0], answer, sizeof(answer));
	while (n < 0 && errno == EINTR);
	close(ready[0]);
	if (n == (ssize_t)sizeof(answer))
		return 0;
	(void)exit_code(pid);
	return 1;
}

/* In the place of this process, so that a supervisor's signals and PID 1 are master's. */
int
postern_start_fg(const struct postern *p)
{
	run_master(p, "-d", -1);
}

int
postern_check(const struct postern *p)
{
	pid_t pid = fork();

	if (pid < 0)
		log_fatal("cannot start master: %s", strerror(errno));
	if (pid == 0)
		run_master(p, "-k", -1);
	return exit_code(pid);
}
