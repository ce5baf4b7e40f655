/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log. A line is formatted, escaped and cut in memory of the calling thread and leaves in
 * one system call, so lines of threads and processes never mix and no lock is needed. Syslog is
 * spoken directly instead of through syslog(3): that one blocks while its reader is slow, and
 * this one must not, because thousands of sessions may wait behind the line.
 */
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/escape.h"
#include "base/log_syslog.h"
#include "base/mem.h"

#define TAG_MAX   127
#define HOST_MAX  255
#define FRONT_MAX (HOST_MAX + 32) /* priority, time and host name */

/* What escaping needs is at most the input again, so nothing beyond this could be shown. */
#define RAW_MAX (LOG_LINE_MAX + 8)

struct severity {
	const char *priority; /* RFC 3164: facility mail (2) * 8 + severity */
	const char *prefix;
};

static const struct severity severities[] = {
	[LOG_DEBUG_] = { "<22>", "" },
	[LOG_INFO_] = { "<22>", "" },
	[LOG_WARN_] = { "<20>", "warning: " },
	[LOG_ERROR_] = { "<19>", "error: " },
	[LOG_FATAL_] = { "<18>", "fatal: " },
};

static struct {
	enum log_target target;
	int fd;
	bool also_stderr;
	int verbose;
	char pid[16]; /* "[123]: " */
	char tag[TAG_MAX + 1];
	char hostname[HOST_MAX + 1];
} state = { .fd = -1 };

static atomic_ulong lost;

struct scratch {
	char raw[RAW_MAX + 1];
	char line[FRONT_MAX + LOG_LINE_MAX + 2];
	time_t second; /* of the time below */
	char time[16];
};

static _Thread_local struct scratch scratch;
static pthread_once_t fork_handler_once = PTHREAD_ONCE_INIT;

static void
renew_pid(void)
{
	snprintf(state.pid, sizeof(state.pid), "[%d]: ", (int)getpid());
}

static void
set_fork_handler(void)
{
	pthread_atfork(NULL, NULL, renew_pid);
}

void
log_open(const char *tag, enum log_target target, int fd, bool also_stderr)
{
	tzset(); /* the zone file is out of reach after chroot */
	log_set_tag(tag);
	pthread_once(&fork_handler_once, set_fork_handler);
	renew_pid();
	if (!state.hostname[0])
		gethostname(state.hostname, HOST_MAX);
	state.fd = fd;
	state.also_stderr = also_stderr;
	state.target = target;
}

void
log_set_tag(const char *tag)
{
	snprintf(state.tag, sizeof(state.tag), "%s", tag);
}

void
log_set_hostname(const char *name)
{
	snprintf(state.hostname, sizeof(state.hostname), "%s", name);
}

void
log_set_verbose(int level)
{
	state.verbose = level;
}

int
log_verbose(void)
{
	return state.verbose;
}

void
log_connect(void)
{
	log_syslog_connect();
}

int
log_descriptor(void)
{
	return log_syslog_descriptor();
}

/* "Feb  3 04:05:06": no locale, and computed once a second. */
static const char *
time_text(struct scratch *s)
{
	static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul",
		"Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t now = time(NULL);
	struct tm tm;

	if (now == s->second && s->time[0])
		return s->time;
	if (!localtime_r(&now, &tm))
		return "Jan  1 00:00:00";
	snprintf(s->time, sizeof(s->time), "%s %2d %02d:%02d:%02d", months[tm.tm_mon % 12],
	    tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec % 100);
	s->second = now;
	return s->time;
}

/* The line for a target, in the thread's memory: the buffer never grows beyond it. */
static struct buf
line_build(struct scratch *s, enum log_target target, enum log_level level, struct view text)
{
	struct buf line = {
		.data = s->line, .cap = sizeof(s->line), .max = sizeof(s->line) - 1
	};
	struct view host = view_of(state.hostname);
	size_t start;

	if (target == LOG_TO_SYSLOG)
		buf_append_str(&line, severities[level].priority);
	if (target != LOG_TO_STDERR) {
		buf_append_str(&line, time_text(s));
		buf_append_char(&line, ' ');
	}
	if (target == LOG_TO_FD) {
		escape_printable(&line, view_sub(host, 0, view_find(host, '.')), HOST_MAX);
		buf_append_char(&line, ' ');
	}
	start = line.len;
	escape_printable(
	    &line, view_of(state.tag[0] ? state.tag : program_invocation_short_name), TAG_MAX);
	if (target == LOG_TO_STDERR)
		buf_append_str(&line, ": ");
	else
		buf_append_str(&line, state.pid);
	escape_printable(&line, text, LOG_LINE_MAX - (line.len - start));
	if (target != LOG_TO_SYSLOG)
		buf_append_char(&line, '\n');
	return line;
}

/* One write; what a file takes only in part is cut, not continued behind another's line. */
static bool
fd_send(int fd, struct view line)
{
	ssize_t n;

	do {
		n = write(fd, line.p, line.n);
	} while (n < 0 && errno == EINTR);
	return n >= 0;
}

static bool
line_send(struct scratch *s, enum log_target target, enum log_level level, struct view text,
    bool may_wait)
{
	struct buf line = line_build(s, target, level, text);

	switch (target) {
	case LOG_TO_SYSLOG:
		return log_syslog_send(buf_view(&line), may_wait);
	case LOG_TO_FD:
		return fd_send(state.fd, buf_view(&line));
	case LOG_TO_STDERR:
		break;
	}
	fd_send(STDERR_FILENO, buf_view(&line));
	return true;
}

/*
 * Says how many lines were lost, once the log takes lines again. Until then nobody waits for
 * it: the first lost line has cost time enough.
 */
static bool
tell_lost(struct scratch *s)
{
	char text[64];
	unsigned long count = atomic_exchange(&lost, 0);
	int n;

	if (count == 0)
		return true;
	n = snprintf(text, sizeof(text), "warning: %lu log lines were lost", count);
	if (line_send(s, state.target, LOG_WARN_, (struct view){ text, (size_t)n }, false))
		return true;
	atomic_fetch_add(&lost, count);
	return false;
}

static void __attribute__((format(printf, 2, 0)))
log_line(enum log_level level, const char *format, va_list ap)
{
	struct scratch *s = &scratch;
	int saved = errno;
	const char *prefix = severities[level].prefix;
	size_t n = strlen(prefix);
	int more;

	memcpy(s->raw, prefix, n);
	more = vsnprintf(s->raw + n, sizeof(s->raw) - n, format, ap);
	if (more < 0)
		more = snprintf(s->raw + n, sizeof(s->raw) - n, "%s", format);
	n = n + (size_t)more < sizeof(s->raw) ? n + (size_t)more : sizeof(s->raw) - 1;
	if (state.also_stderr && state.target != LOG_TO_STDERR)
		line_send(s, LOG_TO_STDERR, level, (struct view){ s->raw, n }, false);
	if (!tell_lost(s) ||
	    !line_send(s, state.target, level, (struct view){ s->raw, n }, true))
		atomic_fetch_add(&lost, 1);
	errno = saved;
}

void
log_debug(const char *format, ...)
{
	va_list ap;

	if (state.verbose <= 0)
		return;
	va_start(ap, format);
	log_line(LOG_DEBUG_, format, ap);
	va_end(ap);
}

void
log_info(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	log_line(LOG_INFO_, format, ap);
	va_end(ap);
}

void
log_warn(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	log_line(LOG_WARN_, format, ap);
	va_end(ap);
}

void
log_error(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	log_line(LOG_ERROR_, format, ap);
	va_end(ap);
}

void
log_fatal(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	log_line(LOG_FATAL_, format, ap);
	va_end(ap);
	exit(1);
}
