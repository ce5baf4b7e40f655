/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The name of somebody who has connected. What its address claims to be named counts only when
 * that name leads back to the address; and no answer is not the answer that there is no name.
 */
#ifndef DNS_PEER_H
#define DNS_PEER_H

#include "dns/dns.h"

enum dns_peer_status {
	DNS_PEER_OK,
	DNS_PEER_TRY_AGAIN, /* cannot tell now */
	DNS_PEER_NO_NAME,   /* there is none, or the name has no address */
	DNS_PEER_FORGED,    /* the name has other addresses */
};

struct dns_peer {
	enum dns_peer_status status;         /* of the name, confirmed */
	enum dns_peer_status reverse_status; /* of the name as the address claims it */
	struct view name;                    /* of the arena; empty unless OK */
	struct view reverse;                 /* the same */
	enum dns_result forward;             /* what the name led to, when reverse is OK */
};

/* family and address (network order) as in dns_native_names; both lookups within the deadline.
 */
void dns_peer_find(struct dns_client *c, int family, const unsigned char *address,
    struct arena *arena, struct dns_peer *out, nanoseconds deadline);

/* Something a host may be named: letters, digits, hyphen, underscore, not all digits. */
bool dns_name_is_host(struct view name);

#endif
