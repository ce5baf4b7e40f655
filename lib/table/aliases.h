/* SPDX-License-Identifier: Apache-2.0 */
/* The source forms of tables: postmap files and aliases(5) files, read entry by entry. */
#ifndef TABLE_ALIASES_H
#define TABLE_ALIASES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/view.h"

/* Logical lines of a table source: comments, blank lines, continuation; bounded length. */
struct source_lines {
	struct view rest;
	unsigned line; /* of the first line of the current entry */
	unsigned next_line;
	struct buf text; /* the entry */
};
void source_lines_init(struct source_lines *s, struct view text);
bool source_lines_next(struct source_lines *s);
void source_lines_done(struct source_lines *s);

/* "key whitespace value". False: *why (constant) says what is wrong. */
bool map_entry_parse(struct view entry, struct view *key, struct view *value, const char **why);

/* "name: value, value": the key unquoted, the value normalised to ", " between members. */
bool alias_entry_parse(struct view entry, struct buf *key, struct buf *value, const char **why);

/*
 * Takes the next member off a value "a, b, c" as it is written, quotes and all; empty members
 * are passed over. False at the end, or with *malformed at a quote without end. For alias
 * values and for those of virtual_alias_maps.
 */
bool value_member_next(struct view *rest, struct view *member, bool *malformed);

/* One member of an alias value: what kind of destination it is. */
enum alias_kind { ALIAS_ADDRESS, ALIAS_FILE, ALIAS_COMMAND, ALIAS_INCLUDE };
struct alias_member {
	enum alias_kind kind;
	struct view text; /* address in external form; path; command; path */
};
/* Takes members off the value of an alias; false at the end. Quoted members are unquoted. */
bool alias_member_next(struct view *rest, struct buf *scratch, struct alias_member *out);

#endif
