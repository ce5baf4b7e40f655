/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Group commit. A thread that has changed the directory or file puts itself on the list of
 * waiters. When no sync is running, the first of them takes the whole list and syncs for all;
 * those who come meanwhile form the next list, since a sync that has begun may have missed
 * their change. So under load two syncs serve everybody, however many commits finish while one
 * of them runs. At the end of a sync exactly those are woken whom it concerns: its batch, and
 * one of the next list, who syncs for that.
 *
 * After a failed sync the kernel may count the lost pages as clean, so a second sync on the
 * same descriptor could succeed without meaning anything: the descriptor is given up.
 */
#include "queue/group_sync.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

#include "base/file.h"

/* Lives on the stack of the waiting thread. */
struct group_sync_wait {
	struct group_sync_wait *next;
	pthread_cond_t woken;
	int error;
	bool done;
	bool leads; /* its turn to sync */
};

void
group_sync_init(struct group_sync *d, enum group_sync_kind kind, int fd)
{
	*d = (struct group_sync){ .kind = kind, .owner_fd = fd, .fd = fd };
	pthread_mutex_init(&d->mutex, NULL);
}

void
group_sync_done(struct group_sync *d)
{
	if (d->fd != d->owner_fd)
		file_close(&d->fd);
	pthread_mutex_destroy(&d->mutex);
}

static int
sync_once(struct group_sync *d)
{
	int error;

	if (d->fd < 0 && d->kind == GROUP_SYNC_DATA)
		return EIO;
	if (d->fd < 0)
		d->fd = openat(d->owner_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->fd < 0)
		return errno;
	if ((d->kind == GROUP_SYNC_DATA ? fdatasync(d->fd) : fsync(d->fd)) == 0)
		return 0;
	error = errno;
	if (d->fd == d->owner_fd)
		d->fd = -1;
	else
		file_close(&d->fd);
	return error;
}

/* Tells the batch, and whoever leads the next one. With the mutex held. */
static void
wake_all(struct group_sync *d, struct group_sync_wait *batch, int error)
{
	while (batch) {
		struct group_sync_wait *w = batch;

		/* Once it is done it may be gone. */
		batch = w->next;
		w->error = error;
		w->done = true;
		pthread_cond_signal(&w->woken);
	}
	if (d->waiting) {
		d->waiting->leads = true;
		pthread_cond_signal(&d->waiting->woken);
	}
}

/* Called and left with the mutex held; the sync itself runs without it. */
static void
sync_for_all(struct group_sync *d)
{
	struct group_sync_wait *batch = d->waiting;
	int error;

	d->waiting = NULL;
	d->running = true;
	pthread_mutex_unlock(&d->mutex);
	error = sync_once(d);
	pthread_mutex_lock(&d->mutex);
	d->running = false;
	d->count++;
	wake_all(d, batch, error);
}

int
group_sync_wait(struct group_sync *d)
{
	struct group_sync_wait me = { .woken = PTHREAD_COND_INITIALIZER };

	pthread_mutex_lock(&d->mutex);
	me.leads = !d->running && !d->waiting;
	me.next = d->waiting;
	d->waiting = &me;
	while (!me.done) {
		if (me.leads)
			sync_for_all(d);
		else
			pthread_cond_wait(&me.woken, &d->mutex);
	}
	pthread_mutex_unlock(&d->mutex);
	pthread_cond_destroy(&me.woken);
	return me.error;
}

uint64_t
group_sync_count(struct group_sync *d)
{
	uint64_t count;

	pthread_mutex_lock(&d->mutex);
	count = d->count;
	pthread_mutex_unlock(&d->mutex);
	return count;
}
