/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The slots that one process may write. It locks a file of its own for as long as it lives;
 * a successor takes the file over with the messages that still wait in it. A slot that was
 * committed comes back when its first bytes are zero: qmgr tells through the slot itself.
 *
 * Slots are made when none is free, filled with zeros, so that using one again changes nothing
 * in the file but data: its sync then has no directory, inode or allocation to write.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "queue/queue_private.h"
#include "queue/slots.h"

#define UNLOCK_TRIES 10
#define PROBES       16 /* slots looked at for a free one before another is made */

struct slot_pool {
	int fd;
	unsigned file;
	pthread_mutex_t mutex; /* for what follows */
	unsigned count;
	unsigned next;
	bool broken;           /* a sync failed: what is written from here on goes elsewhere */
	bool taken[SLOTS_MAX]; /* being written by us, or not to be used again */
	struct group_sync sync;
};

void
slot_pool_free(struct slot_pool **pool)
{
	if (!*pool)
		return;
	group_sync_done(&(*pool)->sync);
	pthread_mutex_destroy(&(*pool)->mutex);
	file_close(&(*pool)->fd);
	mem_free(*pool);
	*pool = NULL;
}

/* The file with this number, locked and its name on disk; -1 with errno. */
static int
file_claim(int dir_fd, unsigned file)
{
	char name[8];
	int fd;

	snprintf(name, sizeof(name), "%u", file);
	fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (fd >= 0 && (flock(fd, LOCK_EX | LOCK_NB) < 0 || fsync(dir_fd) < 0)) {
		int error = errno;

		file_close(&fd);
		errno = error;
	}
	return fd;
}

bool
queue_slots_claim(struct queue *q, const char **why)
{
	struct slot_pool *p = NULL;
	struct stat st;

	for (unsigned file = 0; file < SLOT_FILES_MAX && !p; file++) {
		int fd = file_claim(q->slots.dir_fd, file);

		if (fd < 0 && errno == EWOULDBLOCK)
			continue;
		if (fd < 0 || fstat(fd, &st) < 0) {
			queue_system_error(errno, why);
			file_close(&fd);
			return false;
		}
		p = NEW(struct slot_pool);
		p->fd = fd;
		p->file = file;
		p->count = st.st_size / SLOT_SIZE < SLOTS_MAX
		    ? (unsigned)(st.st_size / SLOT_SIZE)
		    : SLOTS_MAX;
		pthread_mutex_init(&p->mutex, NULL);
		group_sync_init(&p->sync, GROUP_SYNC_DATA, fd);
	}
	if (!p)
		*why = "all files for small messages are in use";
	q->slots.pool = p;
	return p != NULL;
}

/* ---- locks ---- */

static bool
slot_lock(struct slot_pool *p, unsigned index, short type)
{
	struct flock lock = { .l_type = type,
		.l_whence = SEEK_SET,
		.l_start = (off_t)index * SLOT_SIZE,
		.l_len = 1 };

	return fcntl(p->fd, F_OFD_SETLK, &lock) == 0;
}

/* ---- taking ---- */

static bool
is_free(struct slot_pool *p, unsigned index)
{
	char first[QUEUE_PREAMBLE_SIZE];
	struct preamble unused;
	const char *why;

	return !p->taken[index] &&
	    file_pread_all(p->fd, first, sizeof(first), (off_t)index * SLOT_SIZE) &&
	    preamble_decode((struct view){ first, sizeof(first) }, &unused, &why) ==
	    PREAMBLE_ABSENT;
}

/* One more, at the end. Where there is no room on the disk for it there is none. */
static bool
grow(struct slot_pool *p)
{
	static const char zeros[SLOT_SIZE];

	if (p->count == SLOTS_MAX ||
	    !file_pwrite_all(p->fd, zeros, sizeof(zeros), (off_t)p->count * SLOT_SIZE))
		return false;
	p->count++;
	return true;
}

/* With the mutex held: the index of a free slot, or SLOTS_MAX. */
static unsigned
find_free(struct slot_pool *p)
{
	for (unsigned tries = 0; tries < PROBES && tries < p->count; tries++) {
		unsigned index = p->next++ % p->count;

		if (is_free(p, index))
			return index;
	}
	return grow(p) ? p->count - 1 : SLOTS_MAX;
}

uint64_t
slot_pool_take(struct slots *s)
{
	struct slot_pool *p = s->pool;
	unsigned index;

	if (!p)
		return 0;
	pthread_mutex_lock(&p->mutex);
	index = p->broken ? SLOTS_MAX : find_free(p);
	if (index < SLOTS_MAX && !slot_lock(p, index, F_WRLCK))
		index = SLOTS_MAX;
	if (index < SLOTS_MAX)
		p->taken[index] = true;
	pthread_mutex_unlock(&p->mutex);
	return index < SLOTS_MAX ? (uint64_t)p->file * SLOTS_MAX + index + 1 : 0;
}

int
slot_pool_fd(const struct slots *s)
{
	return s->pool->fd;
}

/* ---- the end of a commit ---- */

int
slot_pool_sync(struct slots *s)
{
	struct slot_pool *p = s->pool;
	int error = group_sync_wait(&p->sync);

	if (error) {
		pthread_mutex_lock(&p->mutex);
		p->broken = true;
		pthread_mutex_unlock(&p->mutex);
	}
	return error;
}

/*
 * A message that was accepted and stays locked would wait for our end, so this is not given up
 * at once.
 */
static void
give_back(struct slot_pool *p, uint64_t slot)
{
	unsigned index = (unsigned)((slot - 1) % SLOTS_MAX), tries = 0;

	pthread_mutex_lock(&p->mutex);
	do
		p->taken[index] = !slot_lock(p, index, F_UNLCK);
	while (p->taken[index] && ++tries < UNLOCK_TRIES);
	pthread_mutex_unlock(&p->mutex);
	if (tries == UNLOCK_TRIES)
		log_warn("a message stays locked until this process ends: %s",
		    strerrordesc_np(errno));
}

void
slot_pool_commit(struct slots *s, uint64_t slot)
{
	give_back(s->pool, slot);
}

/* While it may still look like a message it stays locked, so nobody takes it for one. */
void
slot_pool_abandon(struct slots *s, uint64_t slot)
{
	static const char zeros[QUEUE_PREAMBLE_SIZE];

	if (file_pwrite_all(s->pool->fd, zeros, sizeof(zeros), slot_offset(slot)))
		give_back(s->pool, slot);
	else
		log_warn("cannot take back an unfinished message: %s", strerrordesc_np(errno));
}
