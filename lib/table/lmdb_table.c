/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading LMDB tables in a jail: the file is opened once, read-only and without LMDB's lock
 * file, which an unprivileged reader could neither create nor be trusted with.
 *
 * Why that is safe. LMDB never writes into pages of the current contents: a writer puts new
 * pages elsewhere and then switches one of two root records. Pages given up by one transaction
 * are used again by the third one after it at the earliest (without lock file LMDB assumes that
 * no reader is older than that). A lookup begins its snapshot, copies the value and ends,
 * without a wait; should two more commits have happened meanwhile all the same, it does not
 * trust what it saw and looks again.
 *
 * A file that somebody made shorter would raise SIGBUS in the mapping: each lookup compares the
 * size first, which leaves a window of microseconds to whoever truncates a table in use.
 */
#include "table/lmdb_table.h"

#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "table/table_private.h"

#define TRIES_MAX 10 /* of one lookup that commits overtook */

struct lmdb_table {
	MDB_env *env;
	MDB_txn *txn; /* reset between lookups */
	MDB_dbi dbi;
	int fd;      /* LMDB's */
	off_t size;  /* the largest seen */
	bool no_nul; /* the form of key that was found last */
};

static bool
is_candidate(const char *path, const char **why)
{
	struct stat st;

	if (stat(path, &st) < 0)
		*why = strerror(errno);
	else if (!S_ISREG(st.st_mode))
		*why = "not a regular file";
	else if (st.st_size == 0)
		*why = "no table in this file";
	else
		return true;
	return false;
}

/* Fails for a file that ends before the pages that its root record counts. */
static bool
is_complete(struct lmdb_table *t)
{
	struct stat st;
	MDB_envinfo info;
	MDB_stat form;

	if (fstat(t->fd, &st) < 0 || mdb_env_stat(t->env, &form) != 0 ||
	    mdb_env_info(t->env, &info) != 0)
		return false;
	t->size = st.st_size;
	return (uint64_t)st.st_size >= ((uint64_t)info.me_last_pgno + 1) * form.ms_psize;
}

static int
open_environment(struct lmdb_table *t, const char *path)
{
	int rc = mdb_env_create(&t->env);

	if (rc == 0)
		rc = mdb_env_open(
		    t->env, path, MDB_RDONLY | MDB_NOLOCK | MDB_NOSUBDIR | MDB_NOTLS, 0);
	if (rc == 0)
		rc = mdb_env_get_fd(t->env, &t->fd);
	if (rc == 0)
		rc = mdb_txn_begin(t->env, NULL, MDB_RDONLY, &t->txn);
	if (rc == 0)
		rc = mdb_dbi_open(t->txn, NULL, 0, &t->dbi);
	return rc;
}

struct lmdb_table *
lmdb_table_open(const char *path, const char **why)
{
	struct lmdb_table *t;
	int rc;

	if (!is_candidate(path, why))
		return NULL;
	t = NEW(struct lmdb_table);
	rc = open_environment(t, path);
	if (rc != 0) {
		*why = mdb_strerror(rc);
		lmdb_table_close(&t);
		return NULL;
	}
	if (!is_complete(t)) {
		*why = "the file is shorter than its contents: build it again";
		lmdb_table_close(&t);
		return NULL;
	}
	mdb_txn_reset(t->txn);
	return t;
}

void
lmdb_table_close(struct lmdb_table **t)
{
	if (*t == NULL)
		return;
	if ((*t)->txn != NULL)
		mdb_txn_abort((*t)->txn);
	if ((*t)->env != NULL)
		mdb_env_close((*t)->env);
	mem_free(*t);
	*t = NULL;
}

/* A snapshot of the contents as they are now. */
static bool
snapshot_begin(struct lmdb_table *t, const char **why)
{
	struct stat st;
	int rc;

	if (fstat(t->fd, &st) == 0) {
		if (st.st_size < t->size) {
			*why = "the file was truncated";
			return false;
		}
		t->size = st.st_size;
	}
	rc = mdb_txn_renew(t->txn);
	if (rc == MDB_MAP_RESIZED) {
		rc = mdb_env_set_mapsize(t->env, 0);
		if (rc == 0)
			rc = mdb_txn_renew(t->txn);
	}
	if (rc != 0)
		*why = mdb_strerror(rc);
	return rc == 0;
}

/* True when no writer can have touched the pages of the snapshot so far. */
static bool
snapshot_held(struct lmdb_table *t)
{
	MDB_envinfo info;

	return mdb_env_info(t->env, &info) == 0 && info.me_last_txnid - mdb_txn_id(t->txn) < 2;
}

static struct view
without_nul(const MDB_val *v)
{
	struct view out = { v->mv_data, v->mv_size };

	if (out.n > 0 && out.p[out.n - 1] == '\0')
		out.n--;
	return out;
}

/* One form of the key: with or without trailing NUL. */
static int
get_form(struct lmdb_table *t, struct view key, bool with_nul, struct view *out)
{
	char text[LMDB_TABLE_KEY_MAX];
	size_t n = key.n + (with_nul ? 1 : 0);
	MDB_val k, v;
	int rc;

	if (n == 0 || n > sizeof(text) || n > (size_t)mdb_env_get_maxkeysize(t->env))
		return MDB_NOTFOUND;
	memcpy(text, key.p, key.n);
	if (with_nul)
		text[key.n] = '\0';
	k = (MDB_val){ .mv_size = n, .mv_data = text };
	rc = mdb_get(t->txn, t->dbi, &k, &v);
	if (rc == 0) {
		t->no_nul = !with_nul;
		*out = without_nul(&v);
	}
	return rc;
}

enum table_result
lmdb_table_find(struct lmdb_table *t, struct view key, struct buf *value, const char **why)
{
	size_t before = value->len;
	struct view found = VIEW_NONE;
	bool held;
	int rc;

	if (key.n == 0)
		return TABLE_NOT_FOUND;
	for (int try = 0; try < TRIES_MAX; try++) {
		buf_truncate(value, before);
		if (!snapshot_begin(t, why))
			return TABLE_CANNOT_TELL;
		rc = get_form(t, key, !t->no_nul, &found);
		if (rc == MDB_NOTFOUND)
			rc = get_form(t, key, t->no_nul, &found);
		if (rc == 0)
			buf_append_view(value, found);
		held = snapshot_held(t);
		mdb_txn_reset(t->txn);
		if (!held)
			continue;
		if (rc == 0)
			return TABLE_FOUND;
		if (rc == MDB_NOTFOUND)
			return TABLE_NOT_FOUND;
		*why = mdb_strerror(rc);
		return TABLE_CANNOT_TELL;
	}
	*why = "the table changes too often";
	return TABLE_CANNOT_TELL;
}

bool
lmdb_table_each(struct lmdb_table *t,
    bool (*fn)(struct view key, struct view value, void *context), void *context,
    const char **why)
{
	MDB_cursor *cursor;
	MDB_val k, v;
	int rc;

	if (!snapshot_begin(t, why))
		return false;
	rc = mdb_cursor_open(t->txn, t->dbi, &cursor);
	if (rc == 0) {
		while ((rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) == 0) {
			if (!fn(without_nul(&k), without_nul(&v), context))
				break;
		}
		mdb_cursor_close(cursor);
	}
	if (rc == MDB_NOTFOUND)
		rc = 0;
	if (rc == 0 && !snapshot_held(t)) {
		*why = "the table changed while it was read";
		rc = -1;
	} else if (rc != 0) {
		*why = mdb_strerror(rc);
	}
	mdb_txn_reset(t->txn);
	return rc == 0;
}

static void *
type_open(const char *name, struct table_error *e)
{
	char *path = mem_printf("%s.lmdb", name);
	const char *why = "";
	struct lmdb_table *t = lmdb_table_open(path, &why);

	if (t == NULL)
		table_error_set(e, "open database %s: %s", path, why);
	mem_free(path);
	return t;
}

static void
type_close(void *state)
{
	struct lmdb_table *t = state;

	lmdb_table_close(&t);
}

static enum table_result
type_find(void *state, struct view key, struct buf *value, struct table_error *e)
{
	const char *why = "";
	enum table_result result = lmdb_table_find(state, key, value, &why);

	if (result == TABLE_CANNOT_TELL)
		table_error_set(e, "%s", why);
	return result;
}

const struct table_type table_type_lmdb = {
	.name = "lmdb",
	.open = type_open,
	.close = type_close,
	.find = type_find,
};
