/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unix:passwd.byname and unix:group.byname: the system's users and groups through the name
 * service, in the text form of passwd(5) and group(5); unix:passwd.byuid, our own, finds users
 * by their number. The call may block for seconds (LDAP behind NSS), so inside a task it runs
 * in the pool of threads. An error of the name service is "cannot tell", never "no such user".
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "table/table_private.h"
#include "task/task.h"

#define NAME_LENGTH_MAX 255
#define RECORD_MAX      ((size_t)1024 * 1024) /* a group with very many members */

struct unix_table {
	bool is_group;
	bool by_number;
};

struct call {
	const struct unix_table *table;
	char name[NAME_LENGTH_MAX + 1];
	uint64_t number;
	char *memory; /* the strings of the record */
	int error;
	bool found;
	union {
		struct passwd user;
		struct group group;
	};
};

static void *
unix_open(const char *name, struct table_error *e)
{
	struct unix_table *u;
	bool is_group = strcmp(name, "group.byname") == 0;
	bool by_number = strcmp(name, "passwd.byuid") == 0;

	if (!is_group && !by_number && strcmp(name, "passwd.byname") != 0) {
		table_error_set(e, "unknown table unix:%s", name);
		return NULL;
	}
	u = NEW(struct unix_table);
	u->is_group = is_group;
	u->by_number = by_number;
	return u;
}

static void
unix_close(void *state)
{
	mem_free(state);
}

/*
 * A service behind the name service that is not there gives one of these for a name that does
 * not exist; so does a name service that has lost its files. Only one of the two knows root.
 */
static bool
error_is_absence(int error)
{
	struct passwd root, *found;
	char memory[1024];

	return (error == ENOENT || error == ESRCH) &&
	    getpwnam_r("root", &root, memory, sizeof(memory), &found) == 0 && found != NULL;
}

/* In a thread of the pool: touches nothing but its argument. */
static void
call_run(void *argument)
{
	struct call *c = argument;
	size_t size = 4096;

	do {
		c->memory = mem_resize(c->memory, size, 1);
		if (c->table->is_group) {
			struct group *found;

			c->error = getgrnam_r(c->name, &c->group, c->memory, size, &found);
			c->found = c->error == 0 && found != NULL;
		} else {
			struct passwd *found;

			c->error = c->table->by_number
			    ? getpwuid_r((uid_t)c->number, &c->user, c->memory, size, &found)
			    : getpwnam_r(c->name, &c->user, c->memory, size, &found);
			c->found = c->error == 0 && found != NULL;
		}
		size *= 4;
	} while (c->error == EINTR || (c->error == ERANGE && size <= RECORD_MAX));
	if (c->error != 0 && error_is_absence(c->error))
		c->error = 0;
}

static void
record_print(const struct call *c, struct buf *value)
{
	if (!c->table->is_group) {
		buf_printf(value, "%s:%s:%ld:%ld:%s:%s:%s", c->user.pw_name, c->user.pw_passwd,
		    (long)c->user.pw_uid, (long)c->user.pw_gid, c->user.pw_gecos,
		    c->user.pw_dir, c->user.pw_shell);
		return;
	}
	buf_printf(
	    value, "%s:%s:%ld:", c->group.gr_name, c->group.gr_passwd, (long)c->group.gr_gid);
	for (char **member = c->group.gr_mem; *member != NULL; member++) {
		if (member != c->group.gr_mem)
			buf_append_char(value, ',');
		buf_append_str(value, *member);
	}
}

static enum table_result
unix_find(void *state, struct view key, struct buf *value, struct table_error *e)
{
	struct call c = { .table = state };
	enum table_result result;

	if (key.n > NAME_LENGTH_MAX)
		return TABLE_NOT_FOUND;
	memcpy(c.name, key.p, key.n);
	if (c.table->by_number && !number_parse(key, UINT32_MAX, &c.number))
		return TABLE_NOT_FOUND;
	task_offload(call_run, &c);
	if (c.found) {
		record_print(&c, value);
		result = TABLE_FOUND;
	} else if (c.error == 0) {
		result = TABLE_NOT_FOUND;
	} else {
		table_error_set(e, "name service: %s", strerror(c.error));
		result = TABLE_CANNOT_TELL;
	}
	mem_free(c.memory);
	return result;
}

const struct table_type table_type_unix = {
	.name = "unix",
	.is_served = true,
	.open = unix_open,
	.close = unix_close,
	.find = unix_find,
};
