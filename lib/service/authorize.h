/* SPDX-License-Identifier: Apache-2.0 */
/*
 * authorized_submit_users and its like: lists of login names, files and tables that say which
 * local users a service works for. Root and mail_owner are always among them.
 */
#ifndef SERVICE_AUTHORIZE_H
#define SERVICE_AUTHORIZE_H

#include <sys/types.h>

#include "base/buf.h"
#include "conf/conf.h"
#include "table/table.h"

struct authorize;

/* Before the jail; the list is that of the parameter. */
struct authorize *authorize_open(const char *parameter, const char *text, const struct conf *c);
void authorize_free(struct authorize **a);

/*
 * Whether the user is meant: TABLE_FOUND or TABLE_NOT_FOUND; TABLE_CANNOT_TELL with *why when a
 * table or the user database has no answer now. *name (cleared first) is the login name, or
 * "unknown"; it is only looked up where the list needs it. May wait: tasks only.
 */
enum table_result authorize_uid(
    struct authorize *a, uid_t uid, struct buf *name, const char **why);

#endif
