/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one way to the log. Every line is "tag[pid]: [severity: ]text": to syslog (facility
 * mail), to a file or descriptor, or both. Bytes outside printable ASCII and valid printable
 * UTF-8 are shown as octal escapes (\ooo), and a line is cut at LOG_LINE_MAX bytes; formats are
 * constant, so text from outside is always an argument. Safe to call before log_open: lines
 * then go to standard error. There a line is "tag: [severity: ]text", as commands print it.
 * Lines may come from any thread; the setters belong to start-up. A log that does not take a
 * line delays the caller some milliseconds at most, then the line is lost, and the next that
 * gets through is preceded by one that tells how many were.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

#define LOG_LINE_MAX 2000

/* The trailing underscore keeps clear of the macros of syslog.h. */
enum log_level { LOG_DEBUG_, LOG_INFO_, LOG_WARN_, LOG_ERROR_, LOG_FATAL_ };

enum log_target {
	LOG_TO_STDERR, /* the state before log_open */
	LOG_TO_SYSLOG,
	LOG_TO_FD, /* lines with an RFC 3164 time and the host name in front */
};

/*
 * tag is "postfix/smtpd"-like and is copied. With LOG_TO_FD the descriptor stays the caller's,
 * opened with O_APPEND; each line is one write. also_stderr repeats each line there.
 */
void log_open(const char *tag, enum log_target target, int fd, bool also_stderr);
void log_set_tag(const char *tag);
void log_set_hostname(const char *name);
void log_set_verbose(int level); /* log_debug prints when level > 0 */
int log_verbose(void);

/* Opens the connection to the syslog socket at once, for a process about to be chrooted. */
void log_connect(void);

/* The syslog socket, for a process that closes all others, or -1. */
int log_descriptor(void);

/* Another socket than /dev/log, from the next connection on; the string stays the caller's. */
void log_set_syslog_path(const char *path);

/* The text after "tag[pid]: " gets no prefix from info; warn, error and fatal say so. */
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * "fatal: ..." and exit(1). For start-up only (bad configuration, missing directory): never for
 * what a peer sent. Commands that must end with another exit code print for themselves.
 */
void log_fatal(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
