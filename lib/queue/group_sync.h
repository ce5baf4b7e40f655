/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sync of a directory, or of the data of a file that many write to, shared by all threads
 * that need one at about the same time. One of these belongs to one directory or file.
 */
#ifndef QUEUE_GROUP_SYNC_H
#define QUEUE_GROUP_SYNC_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct group_sync_wait;

enum group_sync_kind {
	GROUP_SYNC_DIRECTORY,
	GROUP_SYNC_DATA, /* fdatasync of a file */
};

struct group_sync {
	pthread_mutex_t mutex;
	enum group_sync_kind kind;
	int owner_fd; /* the owner's, never closed here */
	int fd;       /* the one to sync; -1: not any more */
	bool running;
	struct group_sync_wait *waiting; /* for a sync that has not begun */
	uint64_t count;                  /* syncs done */
};

void group_sync_init(struct group_sync *d, enum group_sync_kind kind, int fd);
void group_sync_done(struct group_sync *d);

/*
 * Returns once a sync that began after this call has ended: 0, or the errno it failed with. A
 * descriptor whose sync failed is not used again: the next sync opens the directory anew, and
 * that of a file fails from then on.
 */
int group_sync_wait(struct group_sync *d);

/* How many syncs there have been. */
uint64_t group_sync_count(struct group_sync *d);

#endif
