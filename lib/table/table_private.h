/* SPDX-License-Identifier: Apache-2.0 */
/* What a type of table is to lib/table/table.c: a row of functions over its own state. */
#ifndef TABLE_TABLE_PRIVATE_H
#define TABLE_TABLE_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/view.h"
#include "table/table.h"

/* Why a table cannot answer. Lives in the table, so that callers may keep a pointer to it. */
struct table_error {
	char text[256];
};
void table_error_set(struct table_error *e, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

struct table_type {
	const char *name;
	enum table_keys keys;
	bool is_served; /* can block: asked through the `tables` service, unless direct */

	/* name is what stands behind "type:". NULL: *e says why. */
	void *(*open)(const char *name, struct table_error *e);
	void (*close)(void *state);

	/* key: 1..TABLE_KEY_MAX bytes, no NUL, folded for fixed keys. Appends to *value. */
	enum table_result (*find)(
	    void *state, struct view key, struct buf *value, struct table_error *e);
};

extern const struct table_type table_type_lmdb;
extern const struct table_type table_type_texthash;
extern const struct table_type table_type_inline;
extern const struct table_type table_type_static;
extern const struct table_type table_type_fail;
extern const struct table_type table_type_unix;
extern const struct table_type table_type_cidr;
extern const struct table_type table_type_regexp;
extern const struct table_type table_type_pcre;
extern const struct table_type table_type_proxy; /* open gets "type:name" of the other side */

/* A whole source file into out; *e says why not. */
bool table_read_file(const char *path, struct buf *out, struct table_error *e);

#endif
