/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker: runs as one recipient, in a jail that shows it the place of that mailbox and
 * nothing else, and takes delivery jobs over channels until its parent lets go of it.
 */
#ifndef LOCAL_WORKER_H
#define LOCAL_WORKER_H

#include <stdbool.h>
#include <sys/types.h>

#include "local/place.h"

struct worker_identity {
	uid_t uid;
	gid_t gid;
	bool change; /* false: the suite runs without root, everything is one user */
	enum worker_place place;
	const char *user; /* whose mailbox; its uid, but for root's */
	const char *home;
};

/* Runs in a child of the launcher; returns when the work is over. Takes the socket. */
void worker_main(int channels_fd, const struct worker_identity *identity);

#endif
