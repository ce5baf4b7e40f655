/* SPDX-License-Identifier: Apache-2.0 */
/* Splits "name = value" without looking at what name and value are made of. */
#include "conf/name_value.h"

bool
name_value_parse(struct view text, struct view *name, struct view *value, const char **problem)
{
	struct view all = view_trim(text);
	size_t n = 0;

	while (n < all.n && all.p[n] != '=' && !char_is_blank(all.p[n]))
		n++;
	if (n == 0) {
		*problem = "missing attribute name";
		return false;
	}
	struct view rest = view_trim(view_sub(all, n, all.n));
	if (rest.n == 0 || rest.p[0] != '=') {
		*problem = "missing '=' after attribute name";
		return false;
	}
	*name = view_sub(all, 0, n);
	*value = view_trim(view_sub(rest, 1, rest.n));
	return true;
}
