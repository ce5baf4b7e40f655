/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postlogd: writes lines for commands whose user may not write maillog_file (sendmail and its
 * like). Each datagram is one line as lib/base/log made it; anybody on this host may send one,
 * so what arrives is escaped and cut again, and carries the mark of the sender's user id: no
 * stranger writes a line that log readers take for one of a service.
 */
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/escape.h"
#include "base/file.h"
#include "base/log.h"
#include "base/view.h"
#include "service/logging.h"
#include "service/service.h"
#include "task/task.h"

#define HEADER_WORDS 4 /* "Mon dd hh:mm:ss host " */

static char datagram[LOG_LINE_MAX + 1024];

/* The sender's text without its time and host name: ours are put in front. */
static struct view
text_of(struct view line)
{
	struct view rest = line, word;

	for (int i = 0; i < HEADER_WORDS; i++) {
		if (!view_next_word(&rest, " ", &word))
			return line;
	}
	return view_trim(rest);
}

static void
write_line(struct view text, uid_t uid)
{
	struct buf line = BUF_INIT(LOG_LINE_MAX + 512);
	char host[64] = "", when[32] = "";
	time_t now = time(NULL);
	struct tm tm;

	(void)gethostname(host, sizeof(host) - 1);
	if (localtime_r(&now, &tm))
		(void)strftime(when, sizeof(when), "%b %e %H:%M:%S", &tm);
	buf_printf(&line, "%s %.*s ", when, (int)strcspn(host, "."), host);
	if (!sandbox_uid_is_owner(service_conf(), uid))
		buf_printf(&line, "%s/%s[%ld]: uid=%ld: ", service_values()->syslog_name,
		    service_program(), (long)getpid(), (long)uid);
	escape_printable(&line, text, LOG_LINE_MAX);
	buf_append_char(&line, '\n');
	(void)file_write_all(logging_descriptor(), line.data, line.len);
	buf_done(&line);
}

/* A datagram and its sender, as the kernel knows him. */
static ssize_t
receive(int fd, uid_t *uid)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec part = { datagram, sizeof(datagram) };
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
	struct ucred sender = { .uid = (uid_t)-1 };

	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS &&
	    c->cmsg_len == CMSG_LEN(sizeof(sender)))
		memcpy(&sender, CMSG_DATA(c), sizeof(sender));
	*uid = sender.uid;
	return n;
}

static void
take(int fd)
{
	uid_t uid;
	ssize_t n = receive(fd, &uid);

	if (n > 0 && logging_descriptor() >= 0)
		write_line(text_of((struct view){ datagram, (size_t)n }), uid);
}

static void
serve(void *argument)
{
	int fd = service_listener_fd(0);
	struct task_fd *waits = task_fd_new(fd);

	(void)argument;
	while (!service_is_finishing() &&
	    task_fd_wait(waits, TASK_READ, clock_deadline(SECOND)) != TASK_CANCELLED)
		take(fd);
	task_fd_free(&waits);
}

static void
start(void)
{
	if (service_listener_count() > 0)
		task_spawn("postlog", serve, NULL);
}

int
main(int argc, char **argv)
{
	static const struct service postlogd = {
		.name = "postlogd",
		.one_process = true,
		.start = start,
	};

	return service_main(argc, argv, &postlogd);
}
