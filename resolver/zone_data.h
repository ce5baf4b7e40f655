/* SPDX-License-Identifier: Apache-2.0 */
/* The data of a record in the text form of zone files (RFC 1035 5.1 and the types' own RFCs).
 */
#ifndef RESOLVER_ZONE_DATA_H
#define RESOLVER_ZONE_DATA_H

#include "base/arena.h"
#include "dns/dns.h"

#define ZONE_HOSTS_MAX 100000 /* names taken from a hosts file */

/* Fills in what record->type has; texts live in the arena. Names are full ones. */
bool zone_data_parse(struct view text, struct arena *arena, struct dns_record *record);

/* An IPv4 or IPv6 address as A or AAAA. */
bool zone_address_parse(struct view text, struct dns_record *record);

#endif
