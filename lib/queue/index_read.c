/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks into the index. Each is a transaction of its own that ends before the function does:
 * what is found is copied, and the next look goes on behind it.
 */
#include "base/mem.h"
#include "queue/index_private.h"

/* Between begin and end the lock is held. */
struct look {
	struct queue_index *x;
	MDB_txn *txn;
	MDB_cursor *cursor;
	size_t pages;
};

static bool
look_end(struct look *l, int rc, const char **why)
{
	if (l->cursor)
		mdb_cursor_close(l->cursor);
	if (l->txn)
		mdb_txn_abort(l->txn);
	index_touched(l->x, l->pages);
	index_unlock(l->x);
	if (rc == 0 || rc == MDB_NOTFOUND)
		return true;
	l->x->failed = true;
	*why = mdb_strerror(rc);
	return false;
}

/* False: *why, and nothing is held. */
static bool
look_begin(struct look *l, struct queue_index *x, MDB_dbi tree, const char **why)
{
	int rc;

	*l = (struct look){ .x = x, .pages = 8 };
	if (!index_lock(x, false, why))
		return false;
	rc = index_begin(x, MDB_RDONLY, &l->txn);
	if (rc == 0)
		rc = mdb_cursor_open(l->txn, tree, &l->cursor);
	return rc == 0 || look_end(l, rc, why);
}

/* To the first key behind the given one. */
static int
seek_behind(struct look *l, const char *key, size_t n, MDB_val *k, MDB_val *v)
{
	int rc;

	*k = (MDB_val){ n, (char *)key };
	if (n == 0)
		return mdb_cursor_get(l->cursor, k, v, MDB_FIRST);
	rc = mdb_cursor_get(l->cursor, k, v, MDB_SET_RANGE);
	if (rc == 0 && k->mv_size == n && memcmp(k->mv_data, key, n) == 0)
		rc = mdb_cursor_get(l->cursor, k, v, MDB_NEXT);
	return rc;
}

static bool
take_id(const char *p, size_t n, char id[QUEUE_ID_SIZE])
{
	if (!queue_id_is_valid((struct view){ p, n }))
		return false;
	memcpy(id, p, n);
	id[n] = '\0';
	return true;
}

/* ---- due ---- */

static bool
take_due(const MDB_val *k, struct index_due *out)
{
	const unsigned char *p = k->mv_data;
	uint64_t due = 0;

	if (k->mv_size < 8)
		return false;
	for (size_t i = 0; i < 8; i++)
		due = due << 8 | p[i];
	out->due = (microseconds)due;
	return take_id((const char *)p + 8, k->mv_size - 8, out->id);
}

bool
queue_index_due(struct queue_index *x, const struct index_due *after, microseconds until,
    struct index_due *out, size_t max, size_t *count, microseconds *next, const char **why)
{
	char key[INDEX_KEY_DUE];
	size_t n = after ? index_key_due(key, after->due, after->id) : 0;
	struct index_due one;
	struct look l;
	MDB_val k, v;
	int rc;

	*count = 0;
	*next = INT64_MAX;
	if (!look_begin(&l, x, x->by_due, why))
		return false;
	for (rc = seek_behind(&l, key, n, &k, &v); rc == 0;
	     rc = mdb_cursor_get(l.cursor, &k, &v, MDB_NEXT)) {
		if (!take_due(&k, &one)) {
			rc = MDB_CORRUPTED;
			break;
		}
		if (one.due > until || *count == max) {
			*next = one.due;
			break;
		}
		out[(*count)++] = one;
	}
	return look_end(&l, rc, why);
}

/* ---- pages of entries ---- */

struct view
index_page_value(const struct index_page *page, size_t i)
{
	size_t start = i > 0 ? page->ends[i - 1] : 0;

	return view_sub(buf_view(&page->values), start, page->ends[i] - start);
}

static bool
page_add(struct index_page *p, const char *id, size_t n, const MDB_val *v)
{
	if (!take_id(id, n, p->ids[p->count]) || v->mv_size > INDEX_VALUE_MAX ||
	    !buf_append(&p->values, v->mv_data, v->mv_size))
		return false;
	p->ends[p->count++] = p->values.len;
	return true;
}

bool
queue_index_page(
    struct queue_index *x, const char *after, struct index_page *page, const char **why)
{
	struct look l;
	MDB_val k, v;
	int rc;

	page->count = 0;
	buf_clear(&page->values);
	if (!look_begin(&l, x, x->by_id, why))
		return false;
	rc = seek_behind(&l, after, strlen(after), &k, &v);
	while (rc == 0 && page->count < ARRAY_LEN(page->ids)) {
		if (!page_add(page, k.mv_data, k.mv_size, &v))
			rc = MDB_CORRUPTED;
		else
			rc = mdb_cursor_get(l.cursor, &k, &v, MDB_NEXT);
	}
	l.pages += page->count / 4;
	return look_end(&l, rc, why);
}

/* Ids behind `after` in one bucket. */
static int
bucket_ids(struct look *l, uint32_t hash, const char *after, struct index_page *page)
{
	char key[INDEX_KEY_DOMAIN];
	size_t n = index_key_domain(key, hash, after);
	MDB_val k, v;
	int rc = seek_behind(l, key, n, &k, &v);

	for (page->count = 0; rc == 0 && page->count < ARRAY_LEN(page->ids); page->count++) {
		if (k.mv_size < 4 || memcmp(k.mv_data, key, 4) != 0)
			return 0;
		if (!take_id((char *)k.mv_data + 4, k.mv_size - 4, page->ids[page->count]))
			return MDB_CORRUPTED;
		rc = mdb_cursor_get(l->cursor, &k, &v, MDB_NEXT);
	}
	return rc;
}

/* The two lists become one in the order of ids; the smaller ones count. */
static void
merge_ids(struct index_page *page, const struct index_page *other)
{
	struct index_page *own = mem_alloc(sizeof(*own));
	size_t i = 0, j = 0, max = ARRAY_LEN(page->ids);

	memcpy(own, page, sizeof(*own));
	for (page->count = 0; page->count < max && (i < own->count || j < other->count);) {
		int order = i == own->count ? 1
		    : j == other->count     ? -1
					    : strcmp(own->ids[i], other->ids[j]);
		const char *id = order <= 0 ? own->ids[i] : other->ids[j];

		memcpy(page->ids[page->count++], id, QUEUE_ID_SIZE);
		i += order <= 0;
		j += order >= 0;
	}
	mem_free(own);
}

static int
page_fill(struct look *l, struct index_page *page)
{
	size_t kept = 0;

	for (size_t i = 0; i < page->count; i++) {
		MDB_val k = { strlen(page->ids[i]), page->ids[i] }, v;
		int rc = mdb_get(l->txn, l->x->by_id, &k, &v);

		if (rc != 0)
			return rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc;
		if (v.mv_size > INDEX_VALUE_MAX ||
		    !buf_append(&page->values, v.mv_data, v.mv_size))
			return MDB_CORRUPTED;
		page->ends[kept++] = page->values.len;
	}
	return 0;
}

bool
queue_index_page_domain(struct queue_index *x, struct view domain, const char *after,
    struct index_page *page, const char **why)
{
	struct index_page *any = mem_alloc(sizeof(*any));
	struct look l;
	int rc;

	page->count = 0;
	buf_clear(&page->values);
	if (!look_begin(&l, x, x->by_domain, why)) {
		mem_free(any);
		return false;
	}
	rc = bucket_ids(&l, index_domain_hash(domain), after, page);
	if (rc == 0 || rc == MDB_NOTFOUND)
		rc = bucket_ids(&l, INDEX_ANY_DOMAIN, after, any);
	if (rc == 0 || rc == MDB_NOTFOUND) {
		merge_ids(page, any);
		rc = page_fill(&l, page);
	}
	l.pages += page->count * 3;
	mem_free(any);
	return look_end(&l, rc, why);
}

/* ---- one ---- */

bool
queue_index_find(
    struct queue_index *x, const char *id, struct buf *value, bool *found, const char **why)
{
	MDB_val k = { strlen(id), (char *)id }, v;
	struct look l;
	int rc;

	*found = false;
	buf_clear(value);
	if (k.mv_size == 0)
		return true;
	if (!look_begin(&l, x, x->by_id, why))
		return false;
	rc = mdb_get(l.txn, x->by_id, &k, &v);
	if (rc == 0) {
		buf_append(value, v.mv_data, v.mv_size);
		*found = true;
	}
	return look_end(&l, rc, why);
}

bool
queue_index_count(struct queue_index *x, uint64_t *count, const char **why)
{
	struct look l;
	MDB_stat st;
	int rc;

	if (!look_begin(&l, x, x->by_id, why))
		return false;
	rc = mdb_stat(l.txn, x->by_id, &st);
	*count = st.ms_entries;
	return look_end(&l, rc, why);
}
