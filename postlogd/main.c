/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postlogd: writes lines for commands whose user may not write maillog_file (sendmail and its
 * like). Each datagram is one line as lib/base/log made it; anybody on this host may send one,
 * so what arrives is escaped and cut again, and carries the mark of the sender's user id.
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
write_line(struct view text)
{
	struct buf line = BUF_INIT(LOG_LINE_MAX + 128);
	char host[64] = "", when[32] = "";
	time_t now = time(NULL);
	struct tm tm;

	(void)gethostname(host, sizeof(host) - 1);
	if (localtime_r(&now, &tm))
		(void)strftime(when, sizeof(when), "%b %e %H:%M:%S", &tm);
	buf_printf(&line, "%s %.*s ", when, (int)strcspn(host, "."), host);
	escape_printable(&line, text, LOG_LINE_MAX);
	buf_append_char(&line, '\n');
	(void)file_write_all(logging_descriptor(), line.data, line.len);
	buf_done(&line);
}

static void
take(int fd)
{
	ssize_t n = recv(fd, datagram, sizeof(datagram), MSG_DONTWAIT);

	if (n <= 0)
		return;
	if (logging_descriptor() >= 0)
		write_line(text_of((struct view){ datagram, (size_t)n }));
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
