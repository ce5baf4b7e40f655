/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing LMDB tables: one transaction, into the file that readers have open. Writers keep each
 * other out with a lock on the whole file (fcntl), which Postfix's postmap respects too.
 *
 * A table that does not exist yet is built beside its place and renamed, so that no reader
 * finds half a file; so is one whose file is no LMDB file. The file is opened here, without
 * following a symbolic link, and LMDB gets it as /proc/self/fd/N: between check and use nobody
 * can put another file in its place.
 */
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/random.h"
#include "table/lmdb_table.h"

#define MODE_NEW 0644

struct lmdb_writer {
	char *path;
	char *temporary; /* where a new table is built; NULL: in place */
	struct lmdb_writer_options options;
	int fd; /* ours: holds the lock */
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	struct buf key, value; /* with their NUL */
};

static char why_text[200];

static void
set_why(const char **why, const char *what, const char *reason)
{
	snprintf(why_text, sizeof(why_text), "%s: %s", what, reason);
	*why = why_text;
}

static void
writer_free(struct lmdb_writer **w)
{
	if ((*w)->txn != NULL)
		mdb_txn_abort((*w)->txn);
	if ((*w)->env != NULL)
		mdb_env_close((*w)->env);
	if ((*w)->temporary != NULL)
		unlink((*w)->temporary);
	file_close(&(*w)->fd);
	buf_done(&(*w)->key);
	buf_done(&(*w)->value);
	mem_free((*w)->temporary);
	mem_free((*w)->path);
	mem_free(*w);
	*w = NULL;
}

/* Waits for other writers. */
static bool
lock_file(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int rc;

	do {
		rc = fcntl(fd, F_OFD_SETLKW, &lock);
	} while (rc < 0 && errno == EINTR);
	return rc == 0;
}

static bool
is_still_at(const char *path, int fd)
{
	struct stat ours, there;

	return fstat(fd, &ours) == 0 && lstat(path, &there) == 0 &&
	    ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

/* The file that is there, locked. False with errno; ENOENT: there is none. */
static bool
open_existing(struct lmdb_writer *w)
{
	struct stat st;

	for (;;) {
		w->fd = open(w->path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (w->fd < 0)
			return false;
		if (fstat(w->fd, &st) == 0 && !S_ISREG(st.st_mode)) {
			errno = EINVAL;
			return false;
		}
		if (!lock_file(w->fd))
			return false;
		if (is_still_at(w->path, w->fd))
			return true;
		file_close(&w->fd);
	}
}

static bool
open_new(struct lmdb_writer *w)
{
	mode_t mode = w->options.mode != 0 ? w->options.mode : MODE_NEW;

	mem_free(w->temporary);
	w->temporary =
	    mem_printf("%s.%016llx", w->path, (unsigned long long)random_below(UINT64_MAX));
	w->fd = open(w->temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	return w->fd >= 0 && lock_file(w->fd);
}

static int
open_environment(struct lmdb_writer *w)
{
	char name[40];
	int rc;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", w->fd);
	rc = mdb_env_create(&w->env);
	if (rc == 0)
		rc = mdb_env_set_mapsize(w->env, w->options.map_size);
	if (rc == 0)
		rc = mdb_env_open(w->env, name, MDB_NOSUBDIR | MDB_NOLOCK, MODE_NEW);
	if (rc == 0)
		rc = mdb_txn_begin(w->env, NULL, 0, &w->txn);
	if (rc == 0)
		rc = mdb_dbi_open(w->txn, NULL, 0, &w->dbi);
	if (rc == 0 && w->options.empty_first)
		rc = mdb_drop(w->txn, w->dbi, 0);
	return rc;
}

static void
close_environment(struct lmdb_writer *w)
{
	if (w->txn != NULL)
		mdb_txn_abort(w->txn);
	if (w->env != NULL)
		mdb_env_close(w->env);
	w->txn = NULL;
	w->env = NULL;
	file_close(&w->fd);
}

static bool
is_foreign(int rc)
{
	return rc == MDB_INVALID || rc == MDB_VERSION_MISMATCH || rc == MDB_CORRUPTED ||
	    rc == MDB_PAGE_NOTFOUND;
}

static bool
writer_open(struct lmdb_writer *w, const char **why)
{
	struct stat st;
	int rc;

	if (!open_existing(w)) {
		if (errno != ENOENT || !open_new(w)) {
			set_why(why, w->path, strerror(errno));
			return false;
		}
	} else if (w->options.empty_first && fstat(w->fd, &st) == 0 && st.st_size == 0) {
		/* Readers cannot open an empty file: give them a whole one. */
		file_close(&w->fd);
		if (!open_new(w)) {
			set_why(why, w->path, strerror(errno));
			return false;
		}
	}
	rc = open_environment(w);
	if (is_foreign(rc) && w->options.empty_first && w->temporary == NULL) {
		close_environment(w);
		if (!open_new(w)) {
			set_why(why, w->path, strerror(errno));
			return false;
		}
		rc = open_environment(w);
	}
	if (rc != 0)
		set_why(why, w->path, mdb_strerror(rc));
	return rc == 0;
}

struct lmdb_writer *
lmdb_writer_begin(const char *path, const struct lmdb_writer_options *o, const char **why)
{
	struct lmdb_writer *w = NEW(struct lmdb_writer);

	w->path = mem_strdup(path);
	w->options = *o;
	w->fd = -1;
	buf_init(&w->key, LMDB_TABLE_KEY_MAX + 1);
	buf_init(&w->value, TABLE_VALUE_MAX + 1);
	if (!writer_open(w, why)) {
		writer_free(&w);
		return NULL;
	}
	if (o->mode != 0 && fchmod(w->fd, o->mode) < 0) {
		set_why(why, path, strerror(errno));
		writer_free(&w);
	}
	return w;
}

static bool
key_make(struct lmdb_writer *w, struct view key, bool with_nul, MDB_val *out)
{
	buf_clear(&w->key);
	buf_append_view(&w->key, key);
	if (with_nul)
		buf_append_char(&w->key, '\0');
	if (w->key.overflow || w->key.len == 0 || w->key.len > LMDB_TABLE_KEY_MAX)
		return false;
	*out = (MDB_val){ .mv_size = w->key.len, .mv_data = w->key.data };
	return true;
}

/* An entry in the other form of key, left by a program with another habit. */
static int
other_form(struct lmdb_writer *w, struct view key, bool remove)
{
	MDB_val k, v;

	if (!key_make(w, key, !w->options.with_nul, &k))
		return MDB_NOTFOUND;
	return remove ? mdb_del(w->txn, w->dbi, &k, NULL) : mdb_get(w->txn, w->dbi, &k, &v);
}

static enum lmdb_put
put_result(int rc, const char **why)
{
	switch (rc) {
	case 0:
		return LMDB_PUT_OK;
	case MDB_KEYEXIST:
		return LMDB_PUT_EXISTS;
	case MDB_MAP_FULL:
		*why = mdb_strerror(rc);
		return LMDB_PUT_FULL;
	default:
		*why = mdb_strerror(rc);
		return LMDB_PUT_FAILED;
	}
}

enum lmdb_put
lmdb_writer_put(
    struct lmdb_writer *w, struct view key, struct view value, bool replace, const char **why)
{
	MDB_val k, v;
	int rc;

	if (key.n == 0 || key.n + (w->options.with_nul ? 1 : 0) > LMDB_TABLE_KEY_MAX) {
		*why = "the key is empty or longer than LMDB allows";
		return LMDB_PUT_KEY_SIZE;
	}
	buf_clear(&w->value);
	buf_append_view(&w->value, value);
	if (w->options.with_nul)
		buf_append_char(&w->value, '\0');
	if (w->value.overflow) {
		*why = "the value is too long";
		return LMDB_PUT_FAILED;
	}
	rc = w->options.empty_first ? MDB_NOTFOUND : other_form(w, key, replace);
	if (rc == 0 && !replace)
		return LMDB_PUT_EXISTS;
	if (rc != 0 && rc != MDB_NOTFOUND)
		return put_result(rc, why);
	if (!key_make(w, key, w->options.with_nul, &k))
		return LMDB_PUT_KEY_SIZE;
	v = (MDB_val){ .mv_size = w->value.len, .mv_data = w->value.data };
	return put_result(mdb_put(w->txn, w->dbi, &k, &v, replace ? 0 : MDB_NOOVERWRITE), why);
}

bool
lmdb_writer_delete(struct lmdb_writer *w, struct view key, bool *found, const char **why)
{
	MDB_val k;
	int rc = MDB_NOTFOUND, other;

	*found = false;
	if (key.n == 0)
		return true;
	other = other_form(w, key, true);
	if (key_make(w, key, w->options.with_nul, &k))
		rc = mdb_del(w->txn, w->dbi, &k, NULL);
	*found = rc == 0 || other == 0;
	if (rc == MDB_NOTFOUND)
		rc = other;
	if (rc == 0 || rc == MDB_NOTFOUND)
		return true;
	*why = mdb_strerror(rc);
	return false;
}

/*
 * LMDB may leave out unused pages at the end; a reader takes a file that is shorter than its
 * count of pages for a truncated one.
 */
static void
extend_file(struct lmdb_writer *w)
{
	MDB_envinfo info;
	MDB_stat form;
	struct stat st;
	off_t wanted;

	if (mdb_env_info(w->env, &info) != 0 || mdb_env_stat(w->env, &form) != 0)
		return;
	wanted = ((off_t)info.me_last_pgno + 1) * form.ms_psize;
	if (fstat(w->fd, &st) == 0 && st.st_size < wanted && ftruncate(w->fd, wanted) < 0)
		return;
}

static bool
sync_directory_of(const char *path)
{
	struct view v = view_of(path);
	size_t slash = view_find_last(v, '/');
	char *directory;
	bool ok;
	int fd;

	if (slash == v.n)
		directory = mem_strdup(".");
	else
		directory = mem_dup(path, slash == 0 ? 1 : slash);
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok = fd >= 0 && fsync(fd) == 0;
	file_close(&fd);
	mem_free(directory);
	return ok;
}

/* The new file takes its place. */
static bool
publish(struct lmdb_writer *w, const char **why)
{
	if (rename(w->temporary, w->path) < 0 || !sync_directory_of(w->path)) {
		set_why(why, w->path, strerror(errno));
		return false;
	}
	mem_free(w->temporary);
	w->temporary = NULL;
	return true;
}

bool
lmdb_writer_commit(struct lmdb_writer **w, const char **why)
{
	int rc = mdb_txn_commit((*w)->txn);
	bool ok = rc == 0;

	(*w)->txn = NULL;
	if (ok) {
		extend_file(*w);
		if ((*w)->temporary != NULL)
			ok = publish(*w, why);
	} else {
		set_why(why, (*w)->path, mdb_strerror(rc));
	}
	writer_free(w);
	return ok;
}

void
lmdb_writer_abort(struct lmdb_writer **w)
{
	if (*w != NULL)
		writer_free(w);
}
