/* SPDX-License-Identifier: Apache-2.0 */
/* Lists in parameter values: "a, b c". Braces hold a member with separators together. */
#ifndef CONF_LIST_H
#define CONF_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/view.h"

#define CONF_LIST_SEPARATORS ", \t\r\n"

/* Takes the next member off *rest, braces kept: { a b } is one member. */
static inline bool
conf_list_next(struct view *rest, struct view *member)
{
	return view_next_braced(rest, CONF_LIST_SEPARATORS, member);
}

/* Whether a word is a member, letter case ignored. */
bool conf_list_has(const char *list, struct view word);

/* The text inside { } without blanks around it; text without braces stays as it is. */
struct view conf_list_unbrace(struct view member);

#endif
