/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "type:name" becomes a table. One table that is named in several parameters is opened once and
 * counted. A table that cannot be opened is still a table: it answers "cannot tell" with the
 * reason, so that a missing file can never look like "no such user".
 */
#include "table/table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "table/proxy_table.h"
#include "table/table_private.h"

struct table {
	char *name;
	const struct table_type *type; /* NULL: unknown */
	enum table_keys keys;
	void *state; /* NULL: could not be opened */
	unsigned references;
	struct table_error error;
};

static const struct {
	const char *name;
	const struct table_type *type;
} types[] = {
	{ "lmdb", &table_type_lmdb },
	{ "hash", &table_type_lmdb },
	{ "btree", &table_type_lmdb },
	{ "texthash", &table_type_texthash },
	{ "inline", &table_type_inline },
	{ "static", &table_type_static },
	{ "fail", &table_type_fail },
	{ "unix", &table_type_unix },
	{ "cidr", &table_type_cidr },
	{ "regexp", &table_type_regexp },
	{ "pcre", &table_type_pcre },
	{ "proxy", &table_type_proxy },
};

static struct hash *opened; /* name -> struct table */
static bool direct;

void
table_set_direct(bool on)
{
	direct = on;
}

void
table_done(void)
{
	proxy_table_done();
	if (opened != NULL && hash_count(opened) == 0)
		hash_free(&opened, NULL);
}

void
table_error_set(struct table_error *e, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(e->text, sizeof(e->text), format, ap);
	va_end(ap);
}

bool
table_read_file(const char *path, struct buf *out, struct table_error *e)
{
	if (file_read_at(AT_FDCWD, path, out))
		return true;
	table_error_set(e, "open %s: %s", path, strerror(errno));
	return false;
}

static const struct table_type *
type_find(struct view name)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (view_eq(name, view_of(types[i].name)))
			return types[i].type;
	}
	return NULL;
}

/* What kind of keys the table behind any number of "proxy:" has. */
static enum table_keys
keys_of(struct view full)
{
	const struct table_type *type;

	while (view_has_prefix(full, VIEW("proxy:")))
		full = view_sub(full, 6, full.n);
	type = type_find(view_sub(full, 0, view_find(full, ':')));
	return type == NULL ? TABLE_KEYS_FIXED : type->keys;
}

static void
open_state(struct table *t)
{
	struct view full = view_of(t->name);
	size_t colon;

	while (direct && view_has_prefix(full, VIEW("proxy:")))
		full = view_sub(full, 6, full.n);
	t->keys = keys_of(full);
	colon = view_find(full, ':');
	if (colon == full.n) {
		table_error_set(
		    &t->error, "expecting \"type:name\" form instead of \"%s\"", t->name);
		return;
	}
	t->type = type_find(view_sub(full, 0, colon));
	if (t->type == NULL) {
		table_error_set(
		    &t->error, "unsupported dictionary type: %.*s", (int)colon, full.p);
		return;
	}
	if (t->type->is_served && !direct) {
		t->type = &table_type_proxy;
		t->state = t->type->open(full.p, &t->error);
	} else {
		t->state = t->type->open(full.p + colon + 1, &t->error);
	}
}

struct table *
table_open(const char *type_name, const struct conf *c)
{
	struct view name = view_of(type_name);
	struct table *t;

	(void)c;
	if (opened == NULL)
		opened = hash_new();
	t = hash_find(opened, name);
	if (t != NULL) {
		t->references++;
		return t;
	}
	t = NEW(struct table);
	t->name = mem_strdup(type_name);
	t->references = 1;
	open_state(t);
	if (t->state == NULL)
		log_error("%s: %s", t->name, t->error.text);
	hash_put(opened, name, t);
	return t;
}

void
table_free(struct table **t)
{
	struct table *old = *t;

	*t = NULL;
	if (old == NULL || --old->references > 0)
		return;
	hash_remove(opened, view_of(old->name));
	if (hash_count(opened) == 0)
		hash_free(&opened, NULL);
	if (old->state != NULL)
		old->type->close(old->state);
	mem_free(old->name);
	mem_free(old);
}

const char *
table_name(const struct table *t)
{
	return t->name;
}

enum table_keys
table_keys(const struct table *t)
{
	return t->keys;
}

static bool
has_upper(struct view v)
{
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] >= 'A' && v.p[i] <= 'Z')
			return true;
	}
	return false;
}

static enum table_result
find_folded(struct table *t, struct view key, struct buf *value)
{
	char folded[TABLE_KEY_MAX];

	for (size_t i = 0; i < key.n; i++)
		folded[i] = char_lower(key.p[i]);
	return t->type->find(t->state, (struct view){ folded, key.n }, value, &t->error);
}

static enum table_result
find(struct table *t, struct view key, bool fold, struct buf *value, const char **why)
{
	enum table_result result;

	buf_clear(value);
	if (t->state == NULL) {
		result = TABLE_CANNOT_TELL;
	} else if (key.n == 0 || key.n > TABLE_KEY_MAX || view_find(key, '\0') < key.n) {
		return TABLE_NOT_FOUND;
	} else if (fold && t->keys == TABLE_KEYS_FIXED && has_upper(key)) {
		result = find_folded(t, key, value);
	} else {
		result = t->type->find(t->state, key, value, &t->error);
	}
	if (result == TABLE_FOUND && value->overflow) {
		table_error_set(&t->error, "%s: value is too long", t->name);
		result = TABLE_CANNOT_TELL;
	}
	if (result == TABLE_CANNOT_TELL && why != NULL)
		*why = t->error.text;
	return result;
}

enum table_result
table_find(struct table *t, struct view key, struct buf *value, const char **why)
{
	return find(t, key, true, value, why);
}

enum table_result
table_find_unfolded(struct table *t, struct view key, struct buf *value, const char **why)
{
	return find(t, key, false, value, why);
}
