/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each daemon appends to maillog_file through a descriptor of its own, opened before it gives
 * up its rights: a log that needs another process to be written is silent just when things go
 * wrong. After a rotation master hands every process the new file (control.h). A command whose
 * user may not write the file sends its lines as datagrams to the postlog service instead.
 */
#include "service/logging.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/view.h"

#define STANDARD_OUTPUT "/dev/stdout"
#define TAG_MAX         128

static int log_fd = -1;
static char tag[TAG_MAX];

static bool
prefix_allowed(const struct conf_values *v)
{
	struct view rest = view_of(v->maillog_file_prefixes), word;
	struct view name = view_of(v->maillog_file);

	while (view_next_word(&rest, ", \t\r\n", &word)) {
		if (view_has_prefix(name, word) &&
		    (name.n == word.n || name.p[word.n] == '/' || word.p[word.n - 1] == '/'))
			return true;
	}
	return false;
}

int
logging_open_file(const struct conf_values *v, bool create, char **why)
{
	uint64_t mode = 0600;
	struct stat st;
	int fd;

	if (!prefix_allowed(v)) {
		*why =
		    mem_printf("maillog_file = %s is below none of maillog_file_prefixes = %s",
			v->maillog_file, v->maillog_file_prefixes);
		return -1;
	}
	if (!number_parse_octal(view_of(v->maillog_file_permissions), 0777, &mode)) {
		*why = mem_printf("maillog_file_permissions = %s is no octal mode",
		    v->maillog_file_permissions);
		return -1;
	}
	fd = open(v->maillog_file,
	    O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | (create ? O_CREAT : 0),
	    0600);
	if (fd < 0) {
		*why = mem_printf("open maillog_file %s: %s", v->maillog_file, strerror(errno));
		return -1;
	}
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && create &&
	    (st.st_mode & 0777) != mode && st.st_uid == geteuid())
		(void)fchmod(fd, (mode_t)mode);
	return fd;
}

/* -1 when the system is down. */
static int
postlog_connect(const struct conf_values *v)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, n;

	n = snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/public/%s", v->queue_directory,
	    v->postlog_service_name);
	if (n < 0 || (size_t)n >= sizeof(sun.sun_path))
		return -1;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		file_close(&fd);
	return fd;
}

static void
open_file(const struct conf_values *v, enum logging_mode mode)
{
	bool command = mode == LOGGING_COMMAND;
	char *why = NULL;
	int saved;

	if (strcmp(v->maillog_file, STANDARD_OUTPUT) == 0) {
		log_open(tag, LOG_TO_FD, STDOUT_FILENO, mode != LOGGING_DAEMON);
		log_fd = STDOUT_FILENO;
		return;
	}
	log_fd = logging_open_file(v, !command, &why);
	saved = errno;
	if (log_fd < 0 && command && (saved == EACCES || saved == ENOENT || saved == EPERM))
		log_fd = postlog_connect(v);
	if (log_fd < 0 && !command)
		log_fatal("%s", why);
	if (log_fd < 0)
		log_open(tag, LOG_TO_STDERR, -1, false);
	else
		log_open(tag, LOG_TO_FD, log_fd, mode != LOGGING_DAEMON);
	mem_free(why);
}

void
logging_open(const struct conf_values *v, const char *program, enum logging_mode mode)
{
	snprintf(tag, sizeof(tag), "%s/%s", v->syslog_name, program);
	log_set_tag(tag);
	if (v->maillog_file[0] != '\0')
		open_file(v, mode);
	else
		log_open(tag, LOG_TO_SYSLOG, -1, mode != LOGGING_DAEMON);
}

int
logging_descriptor(void)
{
	return log_fd;
}

void
logging_quiet(void)
{
	log_open(tag, log_fd >= 0 ? LOG_TO_FD : LOG_TO_SYSLOG, log_fd, false);
}

void
logging_replace(int fd)
{
	if (log_fd > STDERR_FILENO)
		(void)dup3(fd, log_fd, O_CLOEXEC);
}
