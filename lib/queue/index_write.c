/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes, many in one transaction. The entry that was there says which keys of the other two
 * trees it had; those that stay are not touched. When the map is full the transaction is given
 * up, the map doubled, and all of it done again.
 */
#include "base/crc32c.h"
#include "base/mem.h"
#include "queue/index_private.h"

#define MAP_MAX         ((size_t)1 << 40)
#define PAGES_OF_CHANGE 6

/* The keys of one entry in the other trees. */
struct keys {
	bool known;
	bool has_due;
	microseconds due;
	size_t count;
	uint32_t hashes[INDEX_DOMAINS_MAX + 1];
};

uint32_t
index_domain_hash(struct view domain)
{
	return crc32c(0, domain.p, domain.n);
}

size_t
index_key_due(char out[INDEX_KEY_DUE], microseconds due, const char *id)
{
	uint64_t value = due > 0 ? (uint64_t)due : 0;
	size_t n = strnlen(id, QUEUE_ID_SIZE - 1);

	for (size_t i = 0; i < 8; i++)
		out[i] = (char)(value >> (56 - 8 * i));
	memcpy(out + 8, id, n);
	return 8 + n;
}

size_t
index_key_domain(char out[INDEX_KEY_DOMAIN], uint32_t hash, const char *id)
{
	size_t n = strnlen(id, QUEUE_ID_SIZE - 1);

	for (size_t i = 0; i < 4; i++)
		out[i] = (char)(hash >> (24 - 8 * i));
	memcpy(out + 4, id, n);
	return 4 + n;
}

static void
keys_of(struct view value, struct index_entry *e, struct keys *k)
{
	*k = (struct keys){ .known = index_entry_decode(value, e) };
	if (!k->known)
		return;
	k->has_due = e->place == QUEUE_DEFERRED;
	k->due = e->due;
	for (size_t i = 0; i < e->domain_count; i++)
		k->hashes[k->count++] = index_domain_hash(e->domains[i]);
	if (e->more_domains)
		k->hashes[k->count++] = INDEX_ANY_DOMAIN;
}

static bool
has_hash(const struct keys *k, uint32_t hash)
{
	for (size_t i = 0; i < k->count; i++) {
		if (k->hashes[i] == hash)
			return true;
	}
	return false;
}

/* ---- one transaction ---- */

struct work {
	struct queue_index *x;
	MDB_txn *txn;
	struct index_entry *entry; /* room for decoding */
	struct keys old, new;
};

static int
put_key(struct work *w, MDB_dbi tree, char *key, size_t n)
{
	MDB_val k = { n, key }, nothing = { 0, NULL };

	return mdb_put(w->txn, tree, &k, &nothing, 0);
}

static int
remove_key(struct work *w, MDB_dbi tree, char *key, size_t n)
{
	MDB_val k = { n, key };
	int rc = mdb_del(w->txn, tree, &k, NULL);

	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int
change_due(struct work *w, const char *id)
{
	const struct keys *old = &w->old, *new = &w->new;
	char key[INDEX_KEY_DUE];
	int rc = 0;

	if (old->has_due && new->has_due && old->due == new->due)
		return 0;
	if (old->has_due)
		rc = remove_key(w, w->x->by_due, key, index_key_due(key, old->due, id));
	if (rc == 0 && new->has_due)
		rc = put_key(w, w->x->by_due, key, index_key_due(key, new->due, id));
	return rc;
}

static int
change_domains(struct work *w, const char *id)
{
	char key[INDEX_KEY_DOMAIN];
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < w->old.count; i++) {
		if (!has_hash(&w->new, w->old.hashes[i]))
			rc = remove_key(w, w->x->by_domain, key,
			    index_key_domain(key, w->old.hashes[i], id));
	}
	for (size_t i = 0; rc == 0 && i < w->new.count; i++) {
		if (!has_hash(&w->old, w->new.hashes[i]))
			rc = put_key(w, w->x->by_domain, key,
			    index_key_domain(key, w->new.hashes[i], id));
	}
	return rc;
}

/* value NULL: no entry any more. */
static int
replace(struct work *w, const char *id, const struct buf *value)
{
	MDB_val k = { strlen(id), (char *)id }, v;
	int rc = change_due(w, id);

	if (rc == 0)
		rc = change_domains(w, id);
	if (rc != 0)
		return rc;
	if (!value)
		return remove_key(w, w->x->by_id, (char *)id, strlen(id));
	v = (MDB_val){ value->len, value->data };
	return mdb_put(w->txn, w->x->by_id, &k, &v, 0);
}

static int
set_due(struct work *w, struct index_change *c, MDB_val *old)
{
	int rc;

	buf_init(&c->value, INDEX_VALUE_MAX);
	buf_append(&c->value, old->mv_data, old->mv_size);
	if (!index_entry_set_due(&c->value, c->due))
		return MDB_CORRUPTED;
	w->new = w->old;
	w->new.due = c->due;
	rc = replace(w, c->id, &c->value);
	buf_done(&c->value);
	return rc;
}

static int
change(struct work *w, struct index_change *c)
{
	MDB_val k = { strlen(c->id), c->id }, old;
	int rc = mdb_get(w->txn, w->x->by_id, &k, &old);
	bool found = rc == 0;

	if (rc != 0 && rc != MDB_NOTFOUND)
		return rc;
	w->old = w->new = (struct keys){ 0 };
	if (found) {
		keys_of((struct view){ old.mv_data, old.mv_size }, w->entry, &w->old);
		if (!w->old.known)
			return MDB_CORRUPTED;
	}
	switch (c->op) {
	case INDEX_PUT:
		keys_of(buf_view(&c->value), w->entry, &w->new);
		return w->new.known ? replace(w, c->id, &c->value) : MDB_CORRUPTED;
	case INDEX_REMOVE:
		return found && w->entry->place == c->place ? replace(w, c->id, NULL) : 0;
	case INDEX_SET_DUE:
		return found ? set_due(w, c, &old) : 0;
	}
	return 0;
}

static int
apply(struct queue_index *x, struct index_change **changes, size_t count)
{
	struct work *w = NEW(struct work);
	int rc = index_begin(x, 0, &w->txn);

	w->x = x;
	w->entry = NEW(struct index_entry);
	if (rc == 0) {
		for (size_t i = 0; rc == 0 && i < count; i++)
			rc = change(w, changes[i]);
		if (rc == 0)
			rc = mdb_txn_commit(w->txn);
		else
			mdb_txn_abort(w->txn);
	}
	mem_free(w->entry);
	mem_free(w);
	return rc;
}

bool
queue_index_apply(
    struct queue_index *x, struct index_change **changes, size_t count, const char **why)
{
	int rc;

	if (!index_lock(x, true, why))
		return false;
	while ((rc = apply(x, changes, count)) == MDB_MAP_FULL && x->map_size < MAP_MAX) {
		if (index_grow(x) != 0)
			break;
	}
	if (rc == 0)
		index_extend(x);
	index_touched(x, count * PAGES_OF_CHANGE);
	index_unlock(x);
	if (rc == 0)
		return true;
	x->failed = true;
	*why = mdb_strerror(rc);
	return false;
}
