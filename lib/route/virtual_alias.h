/* SPDX-License-Identifier: Apache-2.0 */
/* Expansion of recipients through virtual_alias_maps. */
#ifndef ROUTE_VIRTUAL_ALIAS_H
#define ROUTE_VIRTUAL_ALIAS_H

#include <stddef.h>

#include "base/arena.h"
#include "base/view.h"
#include "conf/conf.h"
#include "route/route.h"
#include "table/table.h"

struct virtual_alias_result {
	struct view *addresses; /* in standard form, each once; lives in the arena */
	size_t count;
};

/*
 * Expands address (internal form) until nothing maps any more. TABLE_NOT_FOUND: no entry, the
 * address stays as it is and *out is untouched. TABLE_FOUND: *out has at least one address.
 * TABLE_CANNOT_TELL: a table failed, or the expansion is larger, deeper or longer than
 * virtual_alias_expansion_limit, _recursion_limit and _address_length_limit allow (logged): the
 * message is deferred. An address that expands to itself among others stays; a loop without
 * any such end is "cannot tell". May wait (tables).
 */
enum table_result virtual_alias_expand(struct router *r, struct view address,
    struct arena *arena, struct virtual_alias_result *out, const char **why);

#endif
