/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one part of local that keeps root: a process forked before the jail that does one thing,
 * starting a worker as the user whose name it is told. It reads no mail, no address, no table:
 * a request is a fixed-size struct from its own parent, the name must be an account of this
 * system, and the account must not be root.
 */
#ifndef LOCAL_LAUNCHER_H
#define LOCAL_LAUNCHER_H

#include <stdbool.h>

/* Where the worker writes: it gets the rights for that place only. */
enum worker_place {
	WORKER_HOME = 1,  /* below the user's home directory */
	WORKER_SPOOL = 2, /* below mail_spool_directory, with that directory's group */
};

#define LAUNCHER_NAME_MAX 64

/* Forks the launcher; before rights are dropped, before any thread or loop exists. */
void launcher_start(void);

/*
 * Starts a worker for the account. Returns the socket on which it takes channels (one
 * descriptor a packet), or -1 with errno: ENOENT no such account, EPERM root, EAGAIN could not
 * fork. Waits for the launcher; call it in a task.
 */
int launcher_worker(const char *account, enum worker_place place);

#endif
