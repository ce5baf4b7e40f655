/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sync of a directory, shared by all threads that need one at about the same time. One of
 * these belongs to one directory.
 */
#ifndef QUEUE_DIR_SYNC_H
#define QUEUE_DIR_SYNC_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct dir_sync_wait;

struct dir_sync {
	pthread_mutex_t mutex;
	int dir_fd; /* the owner's, never closed here */
	int fd;     /* the one to sync; -1: to be opened again */
	bool running;
	struct dir_sync_wait *waiting; /* for a sync that has not begun */
	uint64_t count;                /* syncs done */
};

void dir_sync_init(struct dir_sync *d, int dir_fd);
void dir_sync_done(struct dir_sync *d);

/*
 * Returns once a sync that began after this call has ended: 0, or the errno it failed with. A
 * descriptor whose sync failed is not used again; the next sync opens the directory anew.
 */
int dir_sync_wait(struct dir_sync *d);

/* How many syncs there have been. */
uint64_t dir_sync_count(struct dir_sync *d);

#endif
