/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel tells a client's uid, the lists hold names. The user database may block and is out
 * of reach in the jail, so names come from the `tables` service; with the default list, which
 * means everybody, nothing is asked.
 */
#include "service/authorize.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "service/sandbox.h"
#include "table/match_list.h"

struct authorize {
	const struct conf *conf;
	struct match_list *list; /* NULL: everybody */
	struct table *users;
};

struct authorize *
authorize_open(const char *parameter, const char *text, const struct conf *c)
{
	struct authorize *a = NEW(struct authorize);

	a->conf = c;
	if (strcmp(text, "static:anyone") == 0)
		return a;
	a->list = match_list_open(parameter, text, c);
	a->users = table_open("proxy:unix:passwd.byuid", c);
	return a;
}

void
authorize_free(struct authorize **a)
{
	if (!*a)
		return;
	match_list_free(&(*a)->list);
	table_free(&(*a)->users);
	mem_free(*a);
	*a = NULL;
}

enum table_result
authorize_uid(struct authorize *a, uid_t uid, struct buf *name, const char **why)
{
	enum table_result result;
	char number[16];

	buf_clear(name);
	if (!a->list || uid == geteuid() || sandbox_uid_is_owner(a->conf, uid)) {
		buf_append_str(name, "unknown");
		return TABLE_FOUND;
	}
	snprintf(number, sizeof(number), "%lu", (unsigned long)uid);
	result = table_find(a->users, view_of(number), name, why);
	if (result == TABLE_CANNOT_TELL)
		return result;
	if (result == TABLE_FOUND) {
		buf_truncate(name, view_find(buf_view(name), ':'));
	} else {
		buf_clear(name);
		buf_append_str(name, "unknown");
	}
	return match_list_has_name(a->list, buf_view(name), why);
}
