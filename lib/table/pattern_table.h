/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ordered rules, the first that matches answers: what regexp, pcre and cidr tables share. One
 * rule per entry: [!]pattern value; if [!]pattern ... endif encloses rules.
 */
#ifndef TABLE_PATTERN_TABLE_H
#define TABLE_PATTERN_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/view.h"
#include "table/table_private.h"

#define PATTERN_GROUPS 32 /* $0 is not used; $1 .. $31 */

struct pattern_match {
	struct view groups[PATTERN_GROUPS];
	size_t count; /* groups that the pattern has, the whole match included */
};

enum pattern_result { PATTERN_YES, PATTERN_NO, PATTERN_ERROR };

struct pattern_engine {
	const char *name;
	/* Takes the pattern with its flags off the front of *rest. NULL: *e says why. */
	void *(*compile)(struct view *rest, struct table_error *e);
	enum pattern_result (*match)(
	    void *compiled, struct view key, struct pattern_match *out, struct table_error *e);
	size_t (*groups)(void *compiled); /* how many ( ) it has; NULL: no substitution */
	void (*free)(void *compiled);
};

void *pattern_table_open(
    const struct pattern_engine *engine, const char *path, struct table_error *e);
void pattern_table_close(void *state);
enum table_result pattern_table_find(
    void *state, struct view key, struct buf *value, struct table_error *e);

/* "/text/flags" off the front of *rest, for any delimiter; "\/" in text stays as it is. */
bool pattern_delimited(struct view *rest, struct view *text, struct view *flags);

#endif
