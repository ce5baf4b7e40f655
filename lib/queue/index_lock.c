/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may look when. LMDB never writes into pages of the present contents, but it uses pages of
 * earlier ones again, and without its lock file it does not know who still reads those. So
 * readers and the writer keep each other out with a lock on the data file (flock), for as long
 * as one look or one transaction takes. It is had by way of a second lock, the gate, on the
 * directory: who waits for his turn closes it, so that readers who follow closely on each other
 * do not keep the writer out. A process that dies loses both. One that hangs in the middle of a
 * look makes the writer give up the file, after a while, and begin another one.
 *
 * Pages that were looked at count as memory of this process as long as they are mapped: they
 * are let go of by mapping the file anew from time to time.
 */
#include <errno.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "queue/index_private.h"

#define PATIENCE  (10 * SECOND)
#define PAUSE     (500 * 1000) /* nanoseconds */
#define PAGES_MAX 1024         /* looked at; the kernel maps up to 16 around each */

static bool
flock_patiently(int fd, int how, nanoseconds deadline)
{
	struct timespec pause = { 0, PAUSE };

	while (flock(fd, how | LOCK_NB) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK || clock_now() >= deadline)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

bool
index_lock(struct queue_index *x, bool change, const char **why)
{
	nanoseconds deadline = clock_deadline(PATIENCE);
	bool locked = false;

	pthread_mutex_lock(&x->mutex);
	if (x->writer && !change)
		return true;
	if (flock_patiently(x->dir_fd, LOCK_EX, deadline)) {
		locked = flock_patiently(x->file_fd, x->writer ? LOCK_EX : LOCK_SH, deadline);
		flock(x->dir_fd, LOCK_UN);
	}
	if (locked)
		return true;
	pthread_mutex_unlock(&x->mutex);
	*why = "another process does not let go of the index";
	return false;
}

void
index_unlock(struct queue_index *x)
{
	flock(x->file_fd, LOCK_UN);
	pthread_mutex_unlock(&x->mutex);
}

int
index_begin(struct queue_index *x, unsigned flags, MDB_txn **txn)
{
	int rc = mdb_txn_begin(x->env, NULL, flags, txn);

	if (rc != MDB_MAP_RESIZED)
		return rc;
	rc = mdb_env_set_mapsize(x->env, 0);
	return rc == 0 ? mdb_txn_begin(x->env, NULL, flags, txn) : rc;
}

void
index_touched(struct queue_index *x, size_t pages)
{
	x->touched += pages;
	if (x->touched < PAGES_MAX)
		return;
	x->touched = 0;
	(void)mdb_env_set_mapsize(x->env, x->writer ? x->map_size : 0);
}

void
index_extend(struct queue_index *x)
{
	MDB_envinfo info;
	MDB_stat form;
	struct stat st;
	off_t wanted;
	int fd;

	if (mdb_env_info(x->env, &info) != 0 || mdb_env_stat(x->env, &form) != 0 ||
	    mdb_env_get_fd(x->env, &fd) != 0)
		return;
	wanted = ((off_t)info.me_last_pgno + 1) * form.ms_psize;
	if (fstat(fd, &st) == 0 && st.st_size < wanted && ftruncate(fd, wanted) < 0)
		x->failed = true;
	x->size = (uint64_t)wanted;
}

int
index_grow(struct queue_index *x)
{
	x->map_size *= 2;
	return mdb_env_set_mapsize(x->env, x->map_size);
}
