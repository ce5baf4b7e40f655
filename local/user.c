/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts, as the `tables` service reads them from the name service: lines of passwd(5). */
#include "base/number.h"
#include "local/local.h"

#define PASSWD_FIELDS 7

enum table_result
user_find(struct arena *a, struct view name, struct user *out, const char **why)
{
	struct buf line = BUF_INIT(TABLE_VALUE_MAX);
	struct view fields[PASSWD_FIELDS] = { 0 }, rest;
	uint64_t uid, gid;
	size_t count = 0;
	enum table_result found = table_find(local.passwd, name, &line, why);

	rest = arena_view(a, buf_view(&line));
	buf_done(&line);
	if (found != TABLE_FOUND)
		return found;
	while (count < PASSWD_FIELDS) {
		size_t colon = view_find(rest, ':');

		fields[count++] = view_sub(rest, 0, colon);
		if (colon == rest.n)
			break;
		rest = view_sub(rest, colon + 1, SIZE_MAX);
	}
	if (count != PASSWD_FIELDS || !number_parse(fields[2], UINT32_MAX - 1, &uid) ||
	    !number_parse(fields[3], UINT32_MAX - 1, &gid)) {
		*why = "malformed passwd entry";
		return TABLE_CANNOT_TELL;
	}
	out->name = arena_dup(a, fields[0]);
	out->uid = (unsigned)uid;
	out->gid = (unsigned)gid;
	out->home = arena_dup(a, fields[5]);
	out->shell = arena_dup(a, fields[6]);
	return TABLE_FOUND;
}
