/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An answer as it came over the wire (RFC 1035 4.1), made into records. Pure; nothing outside
 * of the packet is read, whatever it claims.
 */
#ifndef DNS_PACKET_H
#define DNS_PACKET_H

#include "base/arena.h"
#include "base/view.h"
#include "dns/dns.h"

#define DNS_ALIASES_MAX 16   /* CNAMEs from the name that was asked for to the last one */
#define DNS_TEXT_MAX    4096 /* octets of a TXT record, its strings joined */
#define DNS_TYPE_COUNT  9    /* values of enum dns_type */

/*
 * The records of the type that belong to the name or to what its CNAMEs lead to, at most
 * DNS_RECORDS_MAX. A record with a malformed or unacceptable name or data is left out; when no
 * other is there the result is DNS_NO_DATA, and why says so. A packet that is malformed as a
 * whole and a loop of CNAMEs are DNS_TRY_AGAIN. secure and bogus are left as they are.
 */
void dns_packet_parse(struct view packet, struct view name, enum dns_type type,
    struct arena *arena, struct dns_answer *out);

/*
 * The data of one record, which lies in the packet at the view data. Names in it may point
 * elsewhere in the packet. False: malformed, and *out is untouched. TTL is not touched at all.
 */
bool dns_rdata_parse(struct view packet, struct view data, enum dns_type type,
    struct arena *arena, struct dns_record *out);

/* "MX", and back; NULL and false for what we do not ask for. */
const char *dns_type_name(enum dns_type type);
bool dns_type_from_name(struct view name, enum dns_type *out);
bool dns_type_is_known(uint64_t number);

/* The text for a person: "Host not found". */
const char *dns_result_text(enum dns_result result);

#endif
