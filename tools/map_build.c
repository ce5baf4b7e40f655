/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table is built in one transaction: the daemons see the old contents until the last moment
 * and then all of the new. Whatever goes wrong on the way (a full disk, a key that LMDB cannot
 * hold) leaves the old table in place; lines that are malformed are reported and passed over.
 *
 * Called by root for a file of somebody else, the work is done with that user's rights, so that
 * nobody can direct root's writes by links in a directory of their own.
 */
#include "tools/map_build.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "table/aliases.h"
#include "table/lmdb_table.h"
#include "table/table.h"

#define SOURCE_MAX   ((size_t)4 * 1024 * 1024 * 1024)
#define MAP_SIZE_MIN ((size_t)1024 * 1024)
#define MAP_SIZE_MAX ((size_t)1 << 40)
#define READ_SIZE    65536
#define TABLE_MODE   0644

/* One build. */
struct build {
	const struct map_options *options;
	const char *path;
	char *table;     /* path of the LMDB file */
	struct buf text; /* the source */
	unsigned mode;   /* of the table, 0: leave */
	struct lmdb_writer *writer;
	struct buf key, value;
	unsigned line;
	bool must_grow;
};

char *
map_path(const char *type_name, const struct conf *c)
{
	static const char *const lmdb_types[] = { "lmdb", "hash", "btree" };
	struct view full = view_of(type_name), type;
	size_t colon = view_find(full, ':');

	if (colon == full.n) {
		type = view_of(conf_values_of(c)->default_database_type);
		colon = (size_t)-1;
	} else {
		type = view_sub(full, 0, colon);
	}
	for (size_t i = 0; i < ARRAY_LEN(lmdb_types); i++) {
		if (view_eq(type, view_of(lmdb_types[i])))
			return mem_strdup(type_name + colon + 1);
	}
	log_error("unsupported map type for this operation: %.*s", VIEW_ARG(type));
	return NULL;
}

struct rights {
	bool changed;
	int group_count;
	gid_t groups[64];
};

static bool
rights_take(struct rights *r, const struct stat *owner, bool keep_root)
{
	r->changed = false;
	if (geteuid() != 0 || owner->st_uid == 0 || keep_root)
		return true;
	r->group_count = getgroups((int)ARRAY_LEN(r->groups), r->groups);
	if (r->group_count < 0 || setgroups(1, &owner->st_gid) < 0)
		return false;
	r->changed = true;
	return setegid(owner->st_gid) == 0 && seteuid(owner->st_uid) == 0;
}

static void
rights_give_back(const struct rights *r)
{
	if (!r->changed)
		return;
	if (seteuid(0) < 0 || setegid(0) < 0 ||
	    setgroups((size_t)r->group_count, r->groups) < 0)
		log_fatal("cannot become root again: %s", strerror(errno));
}

static bool
read_all(int fd, struct buf *out)
{
	ssize_t n;
	char *room;

	do {
		room = buf_reserve(out, READ_SIZE);
		if (room == NULL) {
			errno = EFBIG;
			return false;
		}
		n = read(fd, room, READ_SIZE);
		if (n > 0)
			buf_commit(out, (size_t)n);
	} while (n > 0 || (n < 0 && errno == EINTR));
	return n == 0;
}

/* Reads the source; *owner is that of the file to which the table belongs. */
static bool
source_read(struct build *b, struct stat *owner)
{
	int fd;
	bool ok;

	if (b->options->incremental) {
		if (stat(b->table, owner) < 0 && stat(b->path, owner) < 0)
			*owner = (struct stat){ .st_uid = geteuid(), .st_gid = getegid() };
		return read_all(STDIN_FILENO, &b->text);
	}
	fd = open(b->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ok = fd >= 0 && fstat(fd, owner) == 0;
	if (ok && !S_ISREG(owner->st_mode)) {
		errno = EINVAL;
		ok = false;
	}
	ok = ok && read_all(fd, &b->text);
	if (ok)
		b->mode = b->options->default_mode ? TABLE_MODE : owner->st_mode & TABLE_MODE;
	file_close(&fd);
	return ok;
}

static void
fold(struct buf *b)
{
	for (size_t i = 0; i < b->len; i++)
		b->data[i] = char_lower(b->data[i]);
}

/* One entry into b->key and b->value. */
static bool
entry_parse(struct build *b, struct view entry, const char **why)
{
	struct view key, value;

	buf_clear(&b->key);
	buf_clear(&b->value);
	if (b->options->source == MAP_SOURCE_ALIASES)
		return alias_entry_parse(entry, &b->key, &b->value, why);
	if (!map_entry_parse(entry, &key, &value, why))
		return false;
	if (key.p[key.n - 1] == ':')
		log_warn(
		    "%s, line %u: record is in \"key: value\" format; is this an alias file?",
		    b->path, b->line);
	buf_append_view(&b->key, key);
	buf_append_view(&b->value, value);
	if (b->key.overflow || b->value.overflow) {
		*why = "entry is too long";
		return false;
	}
	return true;
}

/* False: the build failed, reported; or b->must_grow. */
static bool
entry_put(struct build *b)
{
	bool replace = b->options->replace;
	const char *why = "";

	switch (
	    lmdb_writer_put(b->writer, buf_view(&b->key), buf_view(&b->value), replace, &why)) {
	case LMDB_PUT_OK:
		return true;
	case LMDB_PUT_EXISTS:
		if (!b->options->ignore_duplicates)
			log_warn("%s, line %u: duplicate entry: \"%s\"", b->path, b->line,
			    buf_str(&b->key));
		return true;
	case LMDB_PUT_FULL:
		b->must_grow = true;
		return false;
	default:
		log_error("%s, line %u: %s", b->path, b->line, why);
		return false;
	}
}

static bool
entries_put(struct build *b)
{
	struct source_lines lines;
	const char *why;
	bool ok = true;

	source_lines_init(&lines, buf_view(&b->text));
	while (ok && source_lines_next(&lines)) {
		b->line = lines.line;
		why = "entry is too long or has a NUL byte";
		if (lines.text.overflow ||
		    view_find(buf_view(&lines.text), '\0') < lines.text.len ||
		    !entry_parse(b, buf_view(&lines.text), &why)) {
			log_warn("%s, line %u: %s", b->path, b->line, why);
			continue;
		}
		if (!b->options->keep_case)
			fold(&b->key);
		ok = entry_put(b);
	}
	source_lines_done(&lines);
	return ok;
}

static size_t
map_size_wanted(const struct build *b)
{
	size_t size = b->options->map_size;
	struct stat st;

	if (size < MAP_SIZE_MIN)
		size = MAP_SIZE_MIN;
	if (size < 4 * b->text.len)
		size = 4 * b->text.len;
	if (stat(b->table, &st) == 0)
		size += 2 * (size_t)st.st_size;
	return (size + READ_SIZE - 1) / READ_SIZE * READ_SIZE;
}

static bool
write_once(struct build *b, size_t map_size)
{
	const struct lmdb_writer_options o = {
		.map_size = map_size,
		.empty_first = !b->options->incremental,
		.with_nul = !b->options->without_nul,
		.mode = b->mode,
	};
	const char *why = "";

	b->must_grow = false;
	b->writer = lmdb_writer_begin(b->table, &o, &why);
	if (b->writer == NULL) {
		log_error("open database %s", why);
		return false;
	}
	if (!entries_put(b)) {
		lmdb_writer_abort(&b->writer);
		return false;
	}
	if (!lmdb_writer_commit(&b->writer, &why)) {
		log_error("write database %s", why);
		return false;
	}
	return true;
}

static bool
write_table(struct build *b)
{
	size_t map_size = map_size_wanted(b);
	bool ok;

	do {
		ok = write_once(b, map_size);
		map_size *= 2;
	} while (!ok && b->must_grow && map_size <= MAP_SIZE_MAX);
	if (!ok && b->must_grow)
		log_error("write database %s: too large", b->table);
	return ok;
}

static void
build_init(struct build *b, const char *path, const struct map_options *o)
{
	*b = (struct build){ .options = o, .path = path };
	b->table = mem_printf("%s.lmdb", path);
	buf_init(&b->text, SOURCE_MAX);
	buf_init(&b->key, TABLE_KEY_MAX);
	buf_init(&b->value, TABLE_VALUE_MAX);
}

static void
build_done(struct build *b)
{
	buf_done(&b->text);
	buf_done(&b->key);
	buf_done(&b->value);
	mem_free(b->table);
}

bool
map_build(const char *path, const struct map_options *o)
{
	struct rights rights;
	struct stat owner;
	struct build b;
	bool ok;

	build_init(&b, path, o);
	if (!source_read(&b, &owner)) {
		log_error(
		    "open %s: %s", o->incremental ? "standard input" : path, strerror(errno));
		build_done(&b);
		return false;
	}
	ok = rights_take(&rights, &owner, o->keep_root);
	if (!ok)
		log_error("become the owner of %s: %s", path, strerror(errno));
	ok = ok && write_table(&b);
	rights_give_back(&rights);
	build_done(&b);
	return ok;
}

static bool
delete_keys(const char *table, const struct map_options *o, const char *const *keys,
    size_t count, size_t *found)
{
	const struct lmdb_writer_options writer_options = {
		.map_size = MAP_SIZE_MIN,
		.with_nul = !o->without_nul,
	};
	const char *why = "";
	struct lmdb_writer *w;
	bool there, ok = true;

	*found = 0;
	w = access(table, F_OK) == 0 ? lmdb_writer_begin(table, &writer_options, &why) : NULL;
	if (w == NULL) {
		log_error("open database %s", why[0] != '\0' ? why : table);
		return false;
	}
	for (size_t i = 0; ok && i < count; i++) {
		struct buf key = BUF_INIT(TABLE_KEY_MAX);

		buf_append_str(&key, keys[i]);
		if (!o->keep_case)
			fold(&key);
		ok = lmdb_writer_delete(w, buf_view(&key), &there, &why);
		*found += ok && there ? 1 : 0;
		buf_done(&key);
	}
	if (ok)
		ok = lmdb_writer_commit(&w, &why);
	else
		lmdb_writer_abort(&w);
	if (!ok)
		log_error("write database %s: %s", table, why);
	return ok;
}

bool
map_delete(const char *path, const struct map_options *o, const char *const *keys, size_t count,
    size_t *found)
{
	char *table = mem_printf("%s.lmdb", path);
	struct rights rights = { 0 };
	struct stat owner;
	bool ok;

	ok = stat(table, &owner) == 0 && rights_take(&rights, &owner, o->keep_root);
	if (!ok)
		log_error("open database %s: %s", table, strerror(errno));
	ok = ok && delete_keys(table, o, keys, count, found);
	rights_give_back(&rights);
	mem_free(table);
	return ok;
}

bool
map_build_aliases(const struct conf *c)
{
	const struct conf_values *v = conf_values_of(c);
	const struct map_options o = {
		.source = MAP_SOURCE_ALIASES,
		.map_size = (size_t)v->lmdb_map_size,
	};
	struct view rest = view_of(v->alias_database), word;
	bool ok = true;

	while (view_next_word(&rest, ", \t\r\n", &word)) {
		char *type_name = mem_dup(word.p, word.n);
		char *path = map_path(type_name, c);

		ok = path != NULL && map_build(path, &o) && ok;
		mem_free(path);
		mem_free(type_name);
	}
	return ok;
}
