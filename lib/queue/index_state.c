/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The note beside the index. What is in the page cache of a running machine survives every kill
 * of a process, so an index that was not closed in order is believed as far as it goes while
 * the machine is the same start; after a loss of power it is not. A copy (a restored backup)
 * has another inode. When it was closed, the times of the directories were noted: whoever added
 * or took away files since has changed them.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/number.h"
#include "queue/index_private.h"

#define STATE_NAME "state"
#define STATE_NEW  "state.new"
#define STATE_MAX  4096
#define STATE_FORM "postern-index 1"

static const enum queue_place places[] = { QUEUE_DEFERRED, QUEUE_HOLD };

const char *
queue_index_boot(void)
{
	static char boot[INDEX_BOOT_SIZE];
	struct buf b = BUF_INIT(INDEX_BOOT_SIZE - 1);
	struct view text;

	if (!boot[0] && file_read_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", &b)) {
		text = view_trim(buf_view(&b));
		memcpy(boot, text.p, text.n);
	}
	buf_done(&b);
	return boot;
}

/* One number for the times of all directories. */
static uint64_t
directory_times(struct queue *q)
{
	uint64_t sum = 0;

	for (size_t p = 0; p < ARRAY_LEN(places); p++) {
		struct queue_dir *d;

		for (size_t i = 0; (d = queue_dir_at(q, places[p], i)) != NULL; i++) {
			struct stat st;

			if (fstat(d->fd, &st) < 0)
				return 0;
			sum = sum * 1099511628211U + (uint64_t)st.st_mtim.tv_sec * 1000000000U +
			    (uint64_t)st.st_mtim.tv_nsec;
		}
	}
	return sum;
}

bool
index_state_write(int dir_fd, struct queue *q, const struct index_state *s)
{
	struct buf b = BUF_INIT(STATE_MAX);
	int fd = openat(
	    dir_fd, STATE_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	bool ok = fd >= 0;

	buf_printf(&b, "%s %s %" PRIu64 " %" PRIu64 " %" PRIu64 " %d %d %u %" PRIu64 "\n",
	    STATE_FORM, s->boot[0] ? s->boot : "-", s->device, s->inode, s->size, s->closed,
	    s->complete, s->unclean, s->closed ? directory_times(q) : 0);
	ok = ok && file_write_all(fd, b.data, b.len);
	ok = ok && (!s->closed || fsync(fd) == 0);
	file_close(&fd);
	ok = ok && renameat(dir_fd, STATE_NEW, dir_fd, STATE_NAME) == 0;
	ok = ok && (!s->closed || fsync(dir_fd) == 0);
	buf_done(&b);
	return ok;
}

static bool
next_number(struct view *rest, uint64_t max, uint64_t *out)
{
	struct view word;

	return view_next_word(rest, " \n", &word) && number_parse(word, max, out);
}

static bool
state_parse(struct view text, struct index_state *s, uint64_t *times)
{
	struct view rest = text, boot;
	uint64_t closed, complete, unclean;

	if (!view_has_prefix(text, VIEW(STATE_FORM)))
		return false;
	rest = view_sub(text, sizeof(STATE_FORM) - 1, text.n);
	if (!view_next_word(&rest, " \n", &boot) || boot.n >= sizeof(s->boot) ||
	    !next_number(&rest, UINT64_MAX, &s->device) ||
	    !next_number(&rest, UINT64_MAX, &s->inode) ||
	    !next_number(&rest, UINT64_MAX, &s->size) || !next_number(&rest, 1, &closed) ||
	    !next_number(&rest, 1, &complete) || !next_number(&rest, UINT_MAX, &unclean) ||
	    !next_number(&rest, UINT64_MAX, times))
		return false;
	memcpy(s->boot, boot.p, boot.n);
	s->boot[boot.n] = '\0';
	s->closed = closed == 1;
	s->complete = complete == 1;
	s->unclean = (unsigned)unclean;
	return true;
}

bool
index_state_read(int dir_fd, struct queue *q, struct index_state *s)
{
	struct buf b = BUF_INIT(STATE_MAX);
	uint64_t times = 0;
	bool ok;

	*s = (struct index_state){ 0 };
	ok = file_read_at(dir_fd, STATE_NAME, &b) && state_parse(buf_view(&b), s, &times);
	buf_done(&b);
	s->changed = ok && q && times != directory_times(q);
	return ok;
}

void
queue_index_doubt(const char *directory)
{
	char *path = mem_printf("%s/index/%s", directory, STATE_NAME);
	struct index_state s;
	int fd;

	path[strlen(path) - strlen(STATE_NAME) - 1] = '\0';
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && index_state_read(fd, NULL, &s) && s.closed) {
		s.complete = false;
		s.closed = false;
		snprintf(s.boot, sizeof(s.boot), "%s", queue_index_boot());
		if (!index_state_write(fd, NULL, &s))
			unlinkat(fd, STATE_NAME, 0);
	}
	file_close(&fd);
	mem_free(path);
}

void
queue_index_forget(const char *directory)
{
	char *path = mem_printf("%s/index/%s", directory, STATE_NAME);

	(void)unlink(path);
	mem_free(path);
}
