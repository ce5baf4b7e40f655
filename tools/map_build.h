/* SPDX-License-Identifier: Apache-2.0 */
/* Builds indexed tables from their sources: for postmap, postalias and newaliases. */
#ifndef TOOLS_MAP_BUILD_H
#define TOOLS_MAP_BUILD_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/conf.h"

enum map_source {
	MAP_SOURCE_POSTMAP, /* key whitespace value */
	MAP_SOURCE_ALIASES, /* name: value, value */
};

struct map_options {
	enum map_source source;
	bool incremental;       /* -i: entries from standard input, added to what is there */
	bool replace;           /* -r: an entry that exists gets the new value, silently */
	bool ignore_duplicates; /* -w: it keeps the old one, silently */
	bool keep_case;         /* -f */
	bool without_nul;       /* -n */
	bool default_mode;      /* -p: 0644 instead of the source's */
	bool keep_root;         /* -o: do not become the owner of the source */
	size_t map_size;        /* lmdb_map_size */
};

/*
 * The path behind "type:name" when the type is kept in LMDB (a name without type means
 * default_database_type); NULL, reported, when it is not. The caller frees.
 */
char *map_path(const char *type_name, const struct conf *c);

/* Builds PATH.lmdb from PATH in one transaction. False: reported, the old table is unchanged.
 */
bool map_build(const char *path, const struct map_options *o);

/* Removes keys; *found counts those that were there. False: reported. */
bool map_delete(const char *path, const struct map_options *o, const char *const *keys,
    size_t count, size_t *found);

/* newaliases and sendmail -bi: all tables of alias_database. False: reported. */
bool map_build_aliases(const struct conf *c);

#endif
