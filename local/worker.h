/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker: runs as one recipient, in a jail that shows it the place of that mailbox and
 * nothing else, and takes delivery jobs over channels until its parent lets go of it.
 */
#ifndef LOCAL_WORKER_H
#define LOCAL_WORKER_H

#include <stdbool.h>
#include <sys/types.h>

#include "local/launcher.h"

struct worker_identity {
	uid_t uid;
	gid_t gid;
	bool change; /* false: the suite runs without root, everything is one user */
	enum worker_place place;
	const char *home;
};

/* Runs in a child of the launcher; returns when the work is over. Takes the socket. */
void worker_main(int channels_fd, const struct worker_identity *identity);

/* One packet of n bytes with a descriptor or -1; false: errno. */
bool packet_send(int fd, const void *p, size_t n, int descriptor);

/* As recvmsg; *descriptor is -1 or the caller's. */
ssize_t packet_receive(int fd, void *p, size_t n, int *descriptor);

#endif
