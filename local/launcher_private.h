/* SPDX-License-Identifier: Apache-2.0 */
/* Between the two sides of the launcher. An answer is an errno value, and 0 with a socket. */
#ifndef LOCAL_LAUNCHER_PRIVATE_H
#define LOCAL_LAUNCHER_PRIVATE_H

#include "local/launcher.h"

struct launcher_request {
	int place; /* enum worker_place */
	char account[LAUNCHER_NAME_MAX];
};

/* The root process: answers requests until the other end is closed. */
void launcher_run(int fd);

#endif
