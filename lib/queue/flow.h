/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether receivers are to slow down, because mail comes in faster than qmgr can take it up.
 * qmgr says so by a lock on pid/qmgr.flow, which goes away with it; looking costs one system
 * call.
 */
#ifndef QUEUE_FLOW_H
#define QUEUE_FLOW_H

#include <stdbool.h>

/* Below the current directory, before the jail. -1 with errno. The caller closes it. */
int flow_open(void);

/* By qmgr. */
void flow_slow_down(int fd, bool slow);

/* By everybody else; false where it cannot be told. */
bool flow_is_slow(int fd);

#endif
