/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Last words. A detached daemon has no terminal, but a failed assertion, a sanitizer or the C
 * library write to standard error all the same: it is a pipe whose lines appear in the log. A
 * child that floods it is read no faster than LINES_PER_SECOND.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "master/master.h"

#define LINE_MAX_BYTES   4096
#define READ_SIZE        2048
#define LINES_PER_SECOND 200

static struct last_words {
	int fd;
	struct task_watch *watch;
	struct task_timer *resume;
	struct buf pending;
	unsigned lines; /* in this second */
} words = { .fd = -1, .pending = BUF_INIT(LINE_MAX_BYTES) };

static void
log_lines(void)
{
	for (;;) {
		struct view all = buf_view(&words.pending);
		size_t end = view_find(all, '\n');

		if (end == all.n && all.n < LINE_MAX_BYTES - READ_SIZE)
			return;
		if (end > 0)
			log_warn("stderr: %.*s", VIEW_ARG(view_sub(all, 0, end)));
		buf_consume(&words.pending, end < all.n ? end + 1 : end);
		words.lines++;
	}
}

static void
on_output(void *context)
{
	char *room = buf_reserve(&words.pending, READ_SIZE);
	ssize_t n = read(words.fd, room, READ_SIZE);

	(void)context;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		task_watch_enable(words.watch, false);
		return;
	}
	buf_commit(&words.pending, (size_t)n);
	log_lines();
	if (words.lines >= LINES_PER_SECOND) {
		task_watch_enable(words.watch, false);
		task_timer_set(words.resume, clock_deadline(SECOND));
	}
}

static void
on_resume(void *context)
{
	(void)context;
	words.lines = 0;
	task_watch_enable(words.watch, true);
}

void
stderr_start(void)
{
	int ends[2];

	if (master.foreground)
		return;
	if (pipe2(ends, O_CLOEXEC) < 0)
		log_fatal("pipe: %m");
	words.fd = ends[0];
	master.stderr_write = ends[1];
	fd_set_nonblocking(words.fd);
	words.resume = task_timer_new(on_resume, NULL);
	words.watch = task_watch_new(words.fd, TASK_READ, on_output, NULL);
}

/* Everybody has gone: takes what is left in the pipe. */
void
stderr_done(void)
{
	if (words.fd < 0)
		return;
	file_close(&master.stderr_write);
	for (;;) {
		char *room = buf_reserve(&words.pending, READ_SIZE);
		ssize_t n = read(words.fd, room, READ_SIZE);

		if (n <= 0)
			break;
		buf_commit(&words.pending, (size_t)n);
		log_lines();
	}
	task_watch_free(&words.watch);
	task_timer_free(&words.resume);
	file_close(&words.fd);
	buf_done(&words.pending);
}
