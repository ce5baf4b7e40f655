/* SPDX-License-Identifier: Apache-2.0 */
/* Where main.cf sends the log: syslog, maillog_file, or standard output. */
#ifndef SERVICE_LOGGING_H
#define SERVICE_LOGGING_H

#include <stdbool.h>

#include "conf/conf.h"

enum logging_mode {
	LOGGING_DAEMON,  /* a log that cannot be opened ends the process */
	LOGGING_START,   /* the same, and to standard error until logging_quiet */
	LOGGING_COMMAND, /* also to standard error; a file out of reach: through postlog's
			    socket */
};

/*
 * Opens the log of program ("smtpd"): the tag is "$syslog_name/program". The descriptor is kept
 * in logging_descriptor, -1 for syslog.
 */
void logging_open(const struct conf_values *v, const char *program, enum logging_mode mode);

/* Opens (creates) the file named by maillog_file; -1: *why (heap) says what is wrong. */
int logging_open_file(const struct conf_values *v, bool create, char **why);

int logging_descriptor(void);
void logging_quiet(void);

/* Every later line goes to the file behind fd, which stays the caller's. */
void logging_replace(int fd);

#endif
