/* SPDX-License-Identifier: Apache-2.0 */
/* Small questions about list values. */
#include "conf/list.h"

bool
conf_list_has(const char *list, struct view word)
{
	struct view rest = view_of(list), member;

	while (conf_list_next(&rest, &member))
		if (view_eq_nocase(member, word))
			return true;
	return false;
}

struct view
conf_list_unbrace(struct view member)
{
	if (member.n < 2 || member.p[0] != '{' || member.p[member.n - 1] != '}')
		return member;
	return view_trim(view_sub(member, 1, member.n - 2));
}
