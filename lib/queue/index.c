/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening and closing the index. The writer decides here whether what it finds can be believed:
 * closed in order (and nothing changed since), behind (to be compared with the files), or
 * nothing. Damage that LMDB does not notice may crash whoever reads it, so an index whose
 * writer has ended badly several times in a row, without once having compared all, is thrown
 * away.
 */
#include "queue/index.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "queue/index_private.h"

#define INDEX_NAME  "index"
#define DATA_NEW    "data.new"
#define MAP_FIRST   ((size_t)4 << 20)
#define UNCLEAN_MAX 3

static const char *
system_text(const char *what)
{
	static _Thread_local char text[200];

	snprintf(text, sizeof(text), "%s: %s", what, strerrordesc_np(errno));
	return text;
}

static struct queue_index *
index_new(const char *directory, bool writer)
{
	struct queue_index *x = NEW(struct queue_index);

	pthread_mutex_init(&x->mutex, NULL);
	x->writer = writer;
	x->directory = mem_printf("%s/%s", directory, INDEX_NAME);
	x->dir_fd = open(x->directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	x->file_fd = -1;
	return x;
}

static void
index_free(struct queue_index **x)
{
	if ((*x)->env)
		mdb_env_close((*x)->env);
	file_close(&(*x)->file_fd);
	file_close(&(*x)->dir_fd);
	pthread_mutex_destroy(&(*x)->mutex);
	mem_free((*x)->directory);
	mem_free(*x);
	*x = NULL;
}

/* ---- the environment ---- */

/* A file that ends before the pages that its root record counts would raise SIGBUS. */
static bool
is_whole(struct queue_index *x)
{
	MDB_envinfo info;
	MDB_stat form;
	struct stat st;

	return mdb_env_info(x->env, &info) == 0 && mdb_env_stat(x->env, &form) == 0 &&
	    fstat(x->file_fd, &st) == 0 &&
	    (uint64_t)st.st_size >= ((uint64_t)info.me_last_pgno + 1) * form.ms_psize;
}

static int
open_trees(struct queue_index *x)
{
	static const char *const names[] = { "id", "due", "domain" };
	MDB_dbi *const trees[] = { &x->by_id, &x->by_due, &x->by_domain };
	unsigned flags = x->writer ? MDB_CREATE : 0;
	MDB_txn *txn;
	int rc = index_begin(x, x->writer ? 0 : MDB_RDONLY, &txn);

	if (rc != 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(names); i++)
		rc = mdb_dbi_open(txn, names[i], flags, trees[i]);
	if (rc == 0)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

/* x->file_fd is open and locked; LMDB opens the name once more, which must be the same. */
static int
open_environment(struct queue_index *x, const char *name, size_t map_size)
{
	char *path = mem_printf("%s/%s", x->directory, name);
	unsigned flags = MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOTLS | MDB_NORDAHEAD;
	struct stat ours, theirs;
	int fd, rc;

	flags |= x->writer ? MDB_NOSYNC : MDB_RDONLY;
	rc = mdb_env_create(&x->env);
	if (rc == 0)
		rc = mdb_env_set_maxdbs(x->env, 3);
	if (rc == 0)
		rc = mdb_env_set_mapsize(x->env, map_size);
	if (rc == 0)
		rc = mdb_env_open(x->env, path, flags, 0600);
	mem_free(path);
	if (rc == 0)
		rc = mdb_env_get_fd(x->env, &fd);
	if (rc == 0 &&
	    (fstat(x->file_fd, &ours) < 0 || fstat(fd, &theirs) < 0 ||
		ours.st_ino != theirs.st_ino))
		rc = ENOENT;
	if (rc == 0 && !is_whole(x))
		rc = MDB_CORRUPTED;
	if (rc == 0)
		rc = open_trees(x);
	if (rc == 0 && x->writer)
		index_extend(x);
	return rc;
}

/* With the lock of the file that has the name. False: *why. */
static bool
open_file(struct queue_index *x, const char *name, size_t map_size, const char **why)
{
	int rc;

	x->file_fd = openat(x->dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (x->file_fd < 0) {
		*why = system_text(name);
		return false;
	}
	if (!index_lock(x, true, why))
		return false;
	rc = open_environment(x, name, map_size);
	index_unlock(x);
	if (rc != 0)
		*why = mdb_strerror(rc);
	return rc == 0;
}

/* ---- the writer ---- */

static bool
write_state(struct queue_index *x, bool closed)
{
	struct index_state s = {
		.closed = closed, .complete = x->complete, .unclean = x->unclean
	};
	struct stat st;

	if (fstat(x->file_fd, &st) < 0)
		return false;
	snprintf(s.boot, sizeof(s.boot), "%s", queue_index_boot());
	s.device = st.st_dev;
	s.inode = st.st_ino;
	s.size = (uint64_t)st.st_size;
	return index_state_write(x->dir_fd, x->q, &s);
}

/* What the note says of the file that is there. */
static enum index_trust
judge(struct queue_index *x, struct index_state *s)
{
	struct stat st;

	if (fstatat(x->dir_fd, INDEX_DATA, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(st.st_mode) || !index_state_read(x->dir_fd, x->q, s))
		return INDEX_EMPTY;
	if (s->device != st.st_dev || s->inode != st.st_ino || (uint64_t)st.st_size < s->size ||
	    s->unclean >= UNCLEAN_MAX)
		return INDEX_EMPTY;
	if (s->closed)
		return s->complete && !s->changed ? INDEX_TRUSTED : INDEX_BEHIND;
	if (s->boot[0] == '-' || strcmp(s->boot, queue_index_boot()) != 0)
		return INDEX_EMPTY;
	return INDEX_BEHIND;
}

/* A new file takes its name when it is one; readers of the old one keep that. */
static bool
create(struct queue_index *x, const char **why)
{
	int fd = openat(
	    x->dir_fd, DATA_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0) {
		*why = system_text(DATA_NEW);
		return false;
	}
	file_close(&fd);
	if (!open_file(x, DATA_NEW, x->map_size, why))
		return false;
	if (renameat(x->dir_fd, DATA_NEW, x->dir_fd, INDEX_DATA) < 0) {
		*why = system_text(INDEX_DATA);
		return false;
	}
	return true;
}

/* As large as the file needs it; it grows by doubling. */
static size_t
map_size_for(struct queue_index *x)
{
	size_t size = MAP_FIRST;
	struct stat st;

	if (fstatat(x->dir_fd, INDEX_DATA, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return size;
	while ((uint64_t)st.st_size > size / 2)
		size *= 2;
	return size;
}

static struct queue_index *
writer_new(struct queue *q, const char *directory, const char **why)
{
	struct queue_index *x = index_new(directory, true);

	if (x->dir_fd < 0) {
		*why = system_text(x->directory);
		index_free(&x);
		return NULL;
	}
	x->q = q;
	x->map_size = MAP_FIRST;
	return x;
}

struct queue_index *
queue_index_open(struct queue *q, const char *directory, bool fresh, enum index_trust *trust,
    const char **why)
{
	struct queue_index *x = writer_new(q, directory, why);
	struct index_state s = { 0 };
	bool ok = false;

	if (!x)
		return NULL;
	*trust = fresh ? INDEX_EMPTY : judge(x, &s);
	if (*trust != INDEX_EMPTY) {
		x->map_size = map_size_for(x);
		ok = open_file(x, INDEX_DATA, x->map_size, why);
	}
	if (!ok) {
		index_free(&x);
		x = writer_new(q, directory, why);
		*trust = INDEX_EMPTY;
		s = (struct index_state){ .closed = true };
		ok = x && create(x, why);
	}
	if (!x)
		return NULL;
	x->unclean = s.closed ? 0 : s.unclean + 1;
	x->complete = *trust == INDEX_TRUSTED;
	if (ok && !write_state(x, false)) {
		*why = system_text("state of the index");
		ok = false;
	}
	if (!ok)
		index_free(&x);
	return x;
}

bool
queue_index_set_complete(struct queue_index *x, bool complete, const char **why)
{
	x->complete = complete;
	if (complete)
		x->unclean = 0;
	if (write_state(x, false))
		return true;
	*why = system_text("state of the index");
	return false;
}

bool
queue_index_is_there(struct queue_index *x)
{
	struct stat ours, there;

	return fstat(x->file_fd, &ours) == 0 &&
	    fstatat(x->dir_fd, INDEX_DATA, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	    ours.st_dev == there.st_dev && ours.st_ino == there.st_ino &&
	    (uint64_t)ours.st_size >= x->size;
}

void
queue_index_close(struct queue_index **x)
{
	const char *why;

	if (!*x)
		return;
	if ((*x)->writer && !(*x)->failed && queue_index_is_there(*x) &&
	    index_lock(*x, true, &why)) {
		if (mdb_env_sync((*x)->env, 1) == 0)
			(void)write_state(*x, true);
		index_unlock(*x);
	}
	index_free(x);
}

/* ---- readers ---- */

struct queue_index *
queue_index_open_reader(const char *directory, const char **why)
{
	struct queue_index *x = index_new(directory, false);

	if (x->dir_fd < 0)
		*why = system_text(x->directory);
	else if (open_file(x, INDEX_DATA, 0, why))
		return x;
	index_free(&x);
	return NULL;
}

bool
queue_index_is_settled(struct queue *q, struct queue_index *x)
{
	struct index_state s;
	struct stat st;

	return fstat(x->file_fd, &st) == 0 && index_state_read(x->dir_fd, q, &s) && s.closed &&
	    s.complete && !s.changed && s.device == st.st_dev && s.inode == st.st_ino;
}
