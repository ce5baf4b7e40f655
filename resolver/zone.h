/* SPDX-License-Identifier: Apache-2.0 */
/* Records that are known without asking: those of the administrator, and /etc/hosts. */
#ifndef RESOLVER_ZONE_H
#define RESOLVER_ZONE_H

#include "base/arena.h"
#include "dns/dns.h"
#include "dns/name.h"

struct zone;

struct zone *zone_new(void);
void zone_free(struct zone **z);

/*
 * One line: NAME [TTL] [IN] TYPE DATA, as in a zone file with full names. Instead of type and
 * data there may be NXDOMAIN, NODATA, SERVFAIL or BOGUS, which is then the answer to every
 * question about the name, or SECURE: its records count as validated. "*.NAME" stands for all
 * names below, "*" for all names. False: *why is a constant.
 */
bool zone_add_line(struct zone *z, struct view line, const char **why);

/* Lines with comments behind '#' or ';'. False: *line is the number of the bad one. */
bool zone_add_text(struct zone *z, struct view text, size_t *line, const char **why);

/* Lines of hosts(5). What is no host name or address is left out, as is what is too much. */
void zone_add_hosts(struct zone *z, struct view text);

enum zone_answer {
	ZONE_UNKNOWN, /* nothing is known about the name */
	ZONE_ALIAS,   /* *name is now what it is an alias of */
	ZONE_ANSWER,  /* *out is the answer; its texts live as long as the zone */
};
enum zone_answer zone_find(const struct zone *z, struct dns_name *name, enum dns_type type,
    struct arena *arena, struct dns_answer *out);

#endif
