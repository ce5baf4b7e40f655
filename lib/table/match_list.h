/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of main.cf that are matched against a name or an address: mydestination, relay_domains,
 * mynetworks. Members: plain names, .parent forms, networks, "!" exclusions, /file/name (read
 * at open), type:table. The first member that matches decides.
 */
#ifndef TABLE_MATCH_LIST_H
#define TABLE_MATCH_LIST_H

#include <stdbool.h>
#include <sys/socket.h>

#include "conf/conf.h"
#include "table/table.h"

struct match_list;

enum match_list_flags {
	MATCH_PARENTS = 1, /* "example.com" also matches its subdomains
			      (parent_domain_matches_subdomains names the parameter) */
};

/*
 * parameter is the name in main.cf, for messages and for parent_domain_matches_subdomains. A
 * list that is malformed makes every answer TABLE_CANNOT_TELL (never a match by accident).
 */
struct match_list *match_list_open(
    const char *parameter, const char *text, const struct conf *c);
void match_list_free(struct match_list **l);
enum table_result match_list_has_name(struct match_list *l, struct view name, const char **why);
enum table_result match_list_has_address(struct match_list *l, const struct sockaddr *peer,
    struct view client_name, const char **why);

#endif
