/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listing a place. A file that vanishes between being listed and being looked at has been
 * delivered or moved meanwhile: it is left out. One that is moved while the scan runs may be
 * seen in neither or in both places; whoever scans must cope, and does, since ids are unique.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "queue/queue_private.h"

struct queue_scan {
	struct queue *q;
	enum queue_place place;
	size_t next_dir;
	struct queue_dir *dir;
	DIR *stream;
	uint64_t length;    /* of the last file */
	uint64_t next_slot; /* the number of the one before */
};

struct queue_scan *
queue_scan_new(struct queue *q, enum queue_place place)
{
	struct queue_scan *s = NEW(struct queue_scan);

	s->q = q;
	s->place = place;
	return s;
}

void
queue_scan_free(struct queue_scan **s)
{
	if (!*s)
		return;
	if ((*s)->stream)
		closedir((*s)->stream);
	mem_free(*s);
	*s = NULL;
}

uint64_t
queue_scan_length(const struct queue_scan *s)
{
	return s->length;
}

/* The stream of the next directory; false behind the last, or with *why. */
static bool
scan_open_next(struct queue_scan *s, const char **why)
{
	int fd;

	s->dir = queue_dir_at(s->q, s->place, s->next_dir);
	if (!s->dir)
		return false;
	s->next_dir++;
	/* Of its own, for the position is shared between duplicates. */
	fd = openat(s->dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		s->stream = fdopendir(fd);
	if (!s->stream) {
		queue_system_error(errno, why);
		if (fd >= 0)
			close(fd);
		return false;
	}
	return true;
}

static void
log_foreign(struct queue_scan *s, const char *name)
{
	if (!atomic_exchange(&s->q->foreign_logged[s->place], true))
		log_warn("%s: skipping \"%s\": not a message file (logged once)",
		    queue_place_name(s->place), name);
}

/* Whether the entry is a message file; then id and due are filled in. */
static bool
scan_entry(struct queue_scan *s, const char *name, char id[QUEUE_ID_SIZE], microseconds *due)
{
	struct view v = view_of(name);
	struct stat st;

	if (name[0] == '.' && (v.n == 1 || (v.n == 2 && name[1] == '.')))
		return false;
	if (!queue_id_is_valid(v)) {
		log_foreign(s, name);
		return false;
	}
	if (fstatat(s->dir->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	if (!S_ISREG(st.st_mode)) {
		log_foreign(s, name);
		return false;
	}
	memcpy(id, name, v.n + 1);
	s->length = (uint64_t)st.st_size;
	*due = (microseconds)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000;
	return true;
}

/* The next message in a slot. */
static bool
scan_slots(struct queue_scan *s, char id[QUEUE_ID_SIZE], microseconds *due)
{
	struct slots *slots = &s->q->slots;

	while (s->next_slot < SLOT_NUMBERS) {
		unsigned file = (unsigned)(s->next_slot / SLOTS_MAX);
		struct preamble p;

		if (s->next_slot % SLOTS_MAX >= slots_count(slots, file)) {
			s->next_slot = (uint64_t)(file + 1) * SLOTS_MAX;
			continue;
		}
		if (slot_peek(slots, ++s->next_slot, &p) != PREAMBLE_VALID)
			continue;
		slot_learn(slots, s->next_slot, p.id);
		memcpy(id, p.id, QUEUE_ID_SIZE);
		s->length = 0;
		*due = p.arrival;
		return true;
	}
	return false;
}

bool
queue_scan_next(
    struct queue_scan *s, char id[QUEUE_ID_SIZE], microseconds *due, const char **why)
{
	struct dirent *entry;

	*why = NULL;
	for (;;) {
		if (!s->stream && !scan_open_next(s, why))
			return !*why && s->place == QUEUE_INCOMING && scan_slots(s, id, due);
		errno = 0;
		entry = readdir(s->stream);
		if (entry && scan_entry(s, entry->d_name, id, due))
			return true;
		if (entry)
			continue;
		if (errno) {
			queue_system_error(errno, why);
			return false;
		}
		closedir(s->stream);
		s->stream = NULL;
	}
}
