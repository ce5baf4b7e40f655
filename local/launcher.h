/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one part of local that keeps root: a process forked before the jail that does one thing,
 * starting a worker for the user whose name it is told. It reads no mail, no address, no table:
 * a request is a fixed-size struct from its own parent, and the name must be an account of this
 * system. No worker is root: root's mail is written with the rights of default_privs.
 */
#ifndef LOCAL_LAUNCHER_H
#define LOCAL_LAUNCHER_H

#include "local/place.h"

#define LAUNCHER_NAME_MAX 64

/* Forks the launcher; before rights are dropped, before any thread or loop exists. */
void launcher_start(void);

/*
 * Starts a worker for the account. Returns the socket on which it takes channels (one
 * descriptor a packet), or -1 with errno: ENOENT no such account, EPERM it has the rights of
 * root, EAGAIN could not fork. Waits for the launcher; call it in a task.
 */
int launcher_worker(const char *account, enum worker_place place);

#endif
