/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding and reading slots. A slot can be freed and written anew at any moment while somebody
 * looks at it, except by qmgr, who alone frees. So a reader copies, and believes the copy only
 * if the slot still says the same afterwards and nobody holds the writer's lock: whoever saw
 * the preamble of an unfinished commit sees either the lock or, when that failed, the preamble
 * gone.
 *
 * Delivery agents are given the copy: a descriptor of the file itself would show them what the
 * slots hold for others, now and later.
 */
#include "queue/slots.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "queue/queue_private.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3 */
#endif

#define FIRST_READ 16384 /* most messages, in one go */

_Static_assert(FIRST_READ <= SLOT_SIZE, "one read stays inside its slot");

unsigned
slot_file_number(uint64_t slot)
{
	return (unsigned)((slot - 1) / SLOTS_MAX);
}

static unsigned
index_of(uint64_t slot)
{
	return (unsigned)((slot - 1) % SLOTS_MAX);
}

off_t
slot_offset(uint64_t slot)
{
	return (off_t)index_of(slot) * SLOT_SIZE;
}

void
slots_init(struct slots *s, int dir_fd)
{
	s->dir_fd = dir_fd;
	pthread_mutex_init(&s->mutex, NULL);
	for (size_t i = 0; i < SLOT_FILES_MAX; i++)
		s->files[i].fd = -1;
	s->by_id = hash_new();
}

void
slots_done(struct slots *s)
{
	slot_pool_free(&s->pool);
	for (size_t i = 0; i < SLOT_FILES_MAX; i++) {
		file_close(&s->files[i].fd);
		mem_free(s->files[i].ids);
	}
	hash_free(&s->by_id, NULL);
	file_close(&s->dir_fd);
	pthread_mutex_destroy(&s->mutex);
}

/* ---- files ---- */

static int
file_open(struct slots *s, unsigned file)
{
	const int flags = O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	struct stat st;
	char name[8];
	int fd;

	snprintf(name, sizeof(name), "%u", file);
	fd = openat(s->dir_fd, name, O_RDWR | flags);
	if (fd < 0 && (errno == EACCES || errno == EROFS || errno == EPERM))
		fd = openat(s->dir_fd, name, O_RDONLY | flags);
	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
		file_close(&fd);
		errno = EINVAL;
	}
	return fd;
}

int
slots_fd(struct slots *s, unsigned file)
{
	int fd;

	if (file >= SLOT_FILES_MAX) {
		errno = ENOENT;
		return -1;
	}
	pthread_mutex_lock(&s->mutex);
	if (s->files[file].fd < 0)
		s->files[file].fd = file_open(s, file);
	fd = s->files[file].fd;
	pthread_mutex_unlock(&s->mutex);
	return fd;
}

unsigned
slots_count(struct slots *s, unsigned file)
{
	int fd = slots_fd(s, file);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return 0;
	return st.st_size / SLOT_SIZE < SLOTS_MAX ? (unsigned)(st.st_size / SLOT_SIZE)
						  : SLOTS_MAX;
}

/* ---- where a message is ---- */

/* The message that was learned to be in the slot; empty: none. */
static void
learned_id(struct slots *s, uint64_t slot, char id[QUEUE_ID_SIZE])
{
	struct slot_file *f = &s->files[slot_file_number(slot)];

	pthread_mutex_lock(&s->mutex);
	snprintf(id, QUEUE_ID_SIZE, "%s", f->ids ? f->ids[index_of(slot)] : "");
	pthread_mutex_unlock(&s->mutex);
}

/* Unless another message was learned to be there meanwhile. */
static void
slot_forget(struct slots *s, uint64_t slot, const char *id)
{
	struct slot_file *f = &s->files[slot_file_number(slot)];

	pthread_mutex_lock(&s->mutex);
	if (*id && strcmp(f->ids[index_of(slot)], id) == 0) {
		hash_remove(s->by_id, view_of(id));
		*f->ids[index_of(slot)] = '\0';
	}
	pthread_mutex_unlock(&s->mutex);
}

uint64_t
slot_learned(struct slots *s, const char *id)
{
	uint64_t slot;

	pthread_mutex_lock(&s->mutex);
	slot = (uint64_t)(uintptr_t)hash_find(s->by_id, view_of(id));
	pthread_mutex_unlock(&s->mutex);
	return slot;
}

enum preamble_state
slot_peek(struct slots *s, uint64_t slot, struct preamble *p)
{
	int fd = slots_fd(s, slot_file_number(slot));
	char first[QUEUE_PREAMBLE_SIZE];
	const char *why;

	if (fd < 0 || !file_pread_all(fd, first, sizeof(first), slot_offset(slot)))
		return PREAMBLE_ABSENT;
	return preamble_decode((struct view){ first, sizeof(first) }, p, &why);
}

bool
slot_holds(struct slots *s, uint64_t slot, const char *id)
{
	struct preamble p;

	return slot_peek(s, slot, &p) == PREAMBLE_VALID && strcmp(p.id, id) == 0;
}

/* What was learned first counts while it is true: whoever names a message twice gains nothing.
 */
void
slot_learn(struct slots *s, uint64_t slot, const char *id)
{
	struct slot_file *f;
	uint64_t before;
	char *known;

	if (slot == 0 || slot > SLOT_NUMBERS || !queue_id_is_valid(view_of(id)))
		return;
	before = slot_learned(s, id);
	if (before && (before == slot || slot_holds(s, before, id)))
		return;
	pthread_mutex_lock(&s->mutex);
	f = &s->files[slot_file_number(slot)];
	if (!f->ids)
		f->ids = mem_zero(SLOTS_MAX, sizeof(*f->ids));
	known = f->ids[index_of(slot)];
	if (*known)
		hash_remove(s->by_id, view_of(known));
	snprintf(known, QUEUE_ID_SIZE, "%s", id);
	hash_put(s->by_id, view_of(known), (void *)(uintptr_t)slot);
	pthread_mutex_unlock(&s->mutex);
}

uint64_t
slot_search(struct slots *s, const char *id)
{
	for (unsigned file = 0; file < SLOT_FILES_MAX; file++) {
		unsigned count = slots_count(s, file);

		for (unsigned i = 0; i < count; i++) {
			uint64_t slot = (uint64_t)file * SLOTS_MAX + i + 1;

			if (slot_holds(s, slot, id)) {
				slot_learn(s, slot, id);
				return slot;
			}
		}
	}
	return 0;
}

/* ---- the contents ---- */

bool
slot_is_locked(struct slots *s, uint64_t slot)
{
	struct flock lock = { .l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = slot_offset(slot),
		.l_len = 1 };
	int fd = slots_fd(s, slot_file_number(slot));

	/* What cannot be told may be so. */
	return fd >= 0 && (fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type != F_UNLCK);
}

/* A writer that was in the middle of it has the lock, or has finished by the second look. */
bool
slot_is_damaged(struct slots *s, uint64_t slot)
{
	struct preamble p;

	return !slot_is_locked(s, slot) && slot_peek(s, slot, &p) == PREAMBLE_WRONG;
}

int
slot_sealed_copy(struct view bytes)
{
	const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create("message", flags | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("message", flags);
	if (fd < 0)
		return -1;
	if (!file_write_all(fd, bytes.p, bytes.n) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) <
		0)
		file_close(&fd);
	return fd;
}

/* As file_pread_all; now: fails rather than wait for the disk. */
static bool
read_piece(int fd, void *out, size_t n, off_t at, bool now)
{
	struct iovec piece = { out, n };
	ssize_t got;

	if (!now)
		return file_pread_all(fd, out, n, at);
	got = preadv2(fd, &piece, 1, at, RWF_NOWAIT);
	if (got < 0 || (size_t)got == n)
		return got >= 0;
	errno = EAGAIN;
	return false;
}

/* What the first bytes read from the slot say of it. */
static enum queue_result
check_first(struct slots *s, uint64_t slot, const char *id, const char *first, size_t *total,
    const char **why)
{
	struct preamble p;

	switch (preamble_decode((struct view){ first, QUEUE_PREAMBLE_SIZE }, &p, why)) {
	case PREAMBLE_VALID:
		break;
	case PREAMBLE_ABSENT:
		return QUEUE_GONE;
	case PREAMBLE_WRONG:
		return slot_is_damaged(s, slot) ? QUEUE_DAMAGED : QUEUE_BUSY;
	}
	if (strcmp(p.id, id) != 0)
		return QUEUE_GONE;
	if (p.body_length > SLOT_SIZE || p.header_length > SLOT_SIZE ||
	    p.envelope_length > SLOT_SIZE)
		*total = SIZE_MAX;
	else
		*total = (size_t)(QUEUE_PREAMBLE_SIZE + p.body_length + p.header_length +
		    p.envelope_length);
	if (*total <= SLOT_SIZE)
		return QUEUE_OK;
	*why = "larger than its place";
	return QUEUE_DAMAGED;
}

/* All of the message into bytes. */
static enum queue_result
read_message(struct slots *s, uint64_t slot, const char *id, bool now, struct buf *bytes,
    const char **why)
{
	int fd = slots_fd(s, slot_file_number(slot));
	off_t at = slot_offset(slot);
	enum queue_result r;
	size_t total;

	if (!read_piece(fd, buf_reserve(bytes, FIRST_READ), FIRST_READ, at, now))
		return errno ? queue_system_error(errno, why) : QUEUE_GONE;
	buf_commit(bytes, FIRST_READ);
	r = check_first(s, slot, id, bytes->data, &total, why);
	if (r != QUEUE_OK)
		return r;
	if (total > FIRST_READ) {
		size_t rest = total - FIRST_READ;

		if (!read_piece(fd, buf_reserve(bytes, rest), rest, at + FIRST_READ, now))
			return queue_system_error(errno ? errno : EIO, why);
		buf_commit(bytes, rest);
	}
	buf_truncate(bytes, total);
	return QUEUE_OK;
}

/* Whether what was read is a commit that has come to its end. */
static enum queue_result
check_finished(
    struct slots *s, int fd, uint64_t slot, bool now, const char *bytes, const char **why)
{
	char first[QUEUE_PREAMBLE_SIZE];

	if (slot_is_locked(s, slot)) {
		*why = "still being written";
		return QUEUE_BUSY;
	}
	if (!read_piece(fd, first, sizeof(first), slot_offset(slot), now))
		return queue_system_error(errno ? errno : EIO, why);
	return memcmp(first, bytes, sizeof(first)) == 0 ? QUEUE_OK : QUEUE_GONE;
}

enum queue_result
slot_read(struct slots *s, uint64_t slot, const char *id, bool now, struct buf *bytes,
    const char **why)
{
	int fd = slots_fd(s, slot_file_number(slot));
	enum queue_result r;

	if (fd < 0)
		return queue_lookup_error(errno, why);
	buf_init(bytes, SLOT_SIZE);
	r = read_message(s, slot, id, now, bytes, why);
	if (r == QUEUE_OK)
		r = check_finished(s, fd, slot, now, bytes->data, why);
	if (r != QUEUE_OK)
		buf_done(bytes);
	return r;
}

enum queue_result
slot_release(struct slots *s, uint64_t slot, const char **why)
{
	static const char zeros[QUEUE_PREAMBLE_SIZE];
	int fd = slots_fd(s, slot_file_number(slot));
	char id[QUEUE_ID_SIZE];

	if (fd < 0)
		return queue_lookup_error(errno, why);
	learned_id(s, slot, id);
	/* Cut short, it is found again by what was learned. */
	if (!file_pwrite_all(fd, zeros, sizeof(zeros), slot_offset(slot)))
		return queue_system_error(errno, why);
	slot_forget(s, slot, id);
	return QUEUE_OK;
}
