/* SPDX-License-Identifier: Apache-2.0 */
/* The connection of log.c to the syslog socket; not for other use. */
#ifndef BASE_LOG_SYSLOG_H
#define BASE_LOG_SYSLOG_H

#include <stdbool.h>

#include "base/view.h"

void log_syslog_connect(void);
int log_syslog_descriptor(void);

/*
 * Sends one datagram. A full queue is waited for some milliseconds if may_wait says so. False:
 * nothing was sent.
 */
bool log_syslog_send(struct view line, bool may_wait);

#endif
