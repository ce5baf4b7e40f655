/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rotating maillog_file: rename it, have master open the new one and hand it to all processes,
 * and compress the old one when no process writes to it any more.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "service/lock.h"
#include "tools/postern.h"

#define SUFFIX_MAX  128
#define APPEAR_WAIT 100 /* tries for the new file to appear */
#define PAUSE                                                                                  \
	{                                                                                      \
		0, 50 * 1000 * 1000                                                            \
	} /* between them */
#define SETTLE                                                                                 \
	{                                                                                      \
		1, 0                                                                           \
	} /* for the last process to change over */

/* The format is the administrator's: that is what the parameter is for. */
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

static char *
rotated_name(const struct conf_values *v)
{
	char suffix[SUFFIX_MAX] = "";
	time_t now = time(NULL);
	struct tm tm;

	if (!localtime_r(&now, &tm) ||
	    strftime(suffix, sizeof(suffix), v->maillog_file_rotate_suffix, &tm) == 0)
		log_fatal("maillog_file_rotate_suffix = %s: not a usable time format",
		    v->maillog_file_rotate_suffix);
	return mem_printf("%s.%s", v->maillog_file, suffix);
}

/* True when master has opened the new file. */
static bool
change_over(const struct postern *p)
{
	struct timespec pause = PAUSE, settle = SETTLE;
	struct stat st;
	long pid;

	if (lock_look(p->values->queue_directory, &pid) != LOCK_HELD)
		return true;
	if (kill((pid_t)pid, SIGUSR1) < 0)
		log_fatal("cannot signal master: %s", strerror(errno));
	for (int i = 0; i < APPEAR_WAIT; i++) {
		if (stat(p->values->maillog_file, &st) == 0) {
			nanosleep(&settle, NULL);
			return true;
		}
		nanosleep(&pause, NULL);
	}
	return false;
}

static int
compress(const struct conf_values *v, char *path)
{
	char *argv[] = { (char *)v->maillog_file_compressor, path, NULL };
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		execvp(argv[0], argv);
		fprintf(stderr, "postern: cannot execute %s: %s\n", argv[0], strerror(errno));
		_exit(1);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return 1;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1;
}

int
postern_logrotate(const struct postern *p)
{
	const struct conf_values *v = p->values;
	char *rotated;
	int status;

	if (v->maillog_file[0] != '/' || strcmp(v->maillog_file, "/dev/stdout") == 0)
		log_fatal("maillog_file is not a file: nothing to rotate");
	rotated = rotated_name(v);
	if (access(rotated, F_OK) == 0)
		log_fatal("%s already exists", rotated);
	if (rename(v->maillog_file, rotated) < 0)
		log_fatal("rename %s: %s", v->maillog_file, strerror(errno));
	if (!change_over(p))
		log_fatal("master did not open a new %s: %s is not compressed", v->maillog_file,
		    rotated);
	status = compress(v, rotated);
	mem_free(rotated);
	return status;
}
