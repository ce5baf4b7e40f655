/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lookup tables "type:name" with one interface and three answers. "Cannot tell now" (a database
 * that is away, a table that cannot be read) never becomes "not found": the caller defers.
 *
 * Types of this layer: lmdb (hash and btree mean lmdb), texthash, inline, static, fail,
 * unix:passwd.byname, unix:group.byname, cidr, regexp, pcre, and proxy:, which asks the
 * `tables` service. Types that can block (unix:) are always asked through `tables`, so that a
 * lookup never stops the loop; the calling task waits.
 */
#ifndef TABLE_TABLE_H
#define TABLE_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/view.h"
#include "conf/conf.h"

#define TABLE_KEY_MAX   2000 /* a longer key is not found */
#define TABLE_VALUE_MAX 65536

enum table_result { TABLE_FOUND, TABLE_NOT_FOUND, TABLE_CANNOT_TELL };

enum table_keys {
	TABLE_KEYS_FIXED,   /* exact keys, folded to lower case; partial keys make sense */
	TABLE_KEYS_PATTERN, /* regexp, pcre, cidr: the whole key, once, unfolded */
};

struct table;

/*
 * Opens "type:name" (before the jail: files are opened here and stay open; LMDB tables see
 * changes made later by postmap). Never NULL: a table that cannot be opened answers "cannot
 * tell" with the reason, logged once, as Postfix does.
 */
struct table *table_open(const char *type_name, const struct conf *c);
void table_free(struct table **t);
const char *table_name(const struct table *t); /* "lmdb:/etc/aliases" */
enum table_keys table_keys(const struct table *t);

/*
 * Looks the key up; the value is appended to *value (cleared first). why (constant or owned by
 * the table, may be NULL) is set for TABLE_CANNOT_TELL. May wait: tasks only, where the type is
 * served by `tables`; other types need no task.
 */
enum table_result table_find(
    struct table *t, struct view key, struct buf *value, const char **why);

/* The same without folding the key: for tables built with postmap -f. */
enum table_result table_find_unfolded(
    struct table *t, struct view key, struct buf *value, const char **why);

/* How tables reach the `tables` service; set once by the daemon (lib/service does it). */
void table_set_proxy(const char *socket_path, nanoseconds timeout);

/*
 * True in the `tables` service itself and in commands, before the first table_open: unix: and
 * proxy: tables are then answered in this process (inside a task through task_offload).
 */
void table_set_direct(bool on);

/* Gives back what outlives the tables (kept connections, caches): for tests and at exit. */
void table_done(void);

/* A list of tables as in alias_maps: the first that has the key answers; an error stops. */
struct table_list;
struct table_list *table_list_open(const char *text, const struct conf *c);
void table_list_free(struct table_list **l);
bool table_list_is_empty(const struct table_list *l);
enum table_result table_list_find(
    struct table_list *l, struct view key, struct buf *value, const char **why);

/* The same; a key that is only a part of what is looked for is not shown to pattern tables. */
enum table_result table_list_find_key(struct table_list *l, struct view key, bool is_partial,
    struct buf *value, const char **why);

/* True when a member is a table of exact keys, so that partial keys can match. */
bool table_list_has_fixed(const struct table_list *l);

/*
 * Looks an address (internal form) up with Postfix's search order for virtual aliases,
 * canonical and mailbox tables: user+ext@domain, user@domain, then what the flags allow:
 * user+ext, user,
 * @domain; each in external form and, where it differs, in internal form, and each in all
 * tables before the next. Pattern tables see the full address only. *matched_extension (may be
 * NULL) is the part of address that the matching key left out, with its delimiter, or empty.
 */
enum table_search {
	TABLE_SEARCH_USER = 1,   /* bare "user" when is_local says that the domain is ours */
	TABLE_SEARCH_DOMAIN = 2, /* "@domain" */
};
enum table_result table_list_find_address(struct table_list *l, struct view address,
    const char *recipient_delimiter, unsigned search, bool domain_is_ours, struct buf *value,
    struct view *matched_extension, const char **why);

#endif
