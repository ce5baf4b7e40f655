/* SPDX-License-Identifier: Apache-2.0 */
/* The `tables` service: lookups that may block, on behalf of processes that must not. */
#ifndef TABLES_TABLES_H
#define TABLES_TABLES_H

#include "conf/conf.h"
#include "ipc/ipc.h"

/*
 * Opens the tables that may be asked for: those that proxy_read_maps names as proxy:type:name,
 * and the system's users and groups. Before the jail.
 */
void tables_open(const struct conf *c);
void tables_close(void);

/* idle(context, true) is said before each wait for a question, idle(context, false) after it.
 */
typedef void tables_idle_fn(void *context, bool idle);

/* Answers until the other side closes or breaks the rules. In a task. */
void tables_serve(struct ipc *connection, tables_idle_fn *idle, void *context);

#endif
