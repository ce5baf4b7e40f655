/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The conversation "resolver/1": any number of questions on one connection; each is followed by
 * its answer, and that by as many records as it says. Names are in ASCII, without final dot.
 */
#ifndef DNS_PROTO_H
#define DNS_PROTO_H

#include <stdint.h>

#include "base/view.h"
#include "ipc/ipc.h"

struct resolver_ask {
	struct view name;
	uint64_t type;    /* enum dns_type */
	uint64_t timeout; /* milliseconds that the asking side will wait */
	bool native;      /* look into /etc/hosts first; A, AAAA and PTR only */
};

struct resolver_answer {
	uint64_t result; /* enum dns_result */
	uint64_t count;  /* of records that follow */
	bool secure;
	bool bogus;
	struct view name; /* after any CNAME */
	struct view why;
};

/* Fields as in struct dns_record; what its type does not have is left out. */
struct resolver_record {
	uint64_t type;
	uint64_t ttl;
	uint64_t preference, weight, port;
	uint64_t usage, selector, matching;
	struct view name;
	struct view address; /* 4 or 16 octets */
	struct view data;
};

extern const struct ipc_message resolver_ask_message;
extern const struct ipc_message resolver_answer_message;
extern const struct ipc_message resolver_record_message;

struct arena;
struct dns_record;

/* To the wire's form and back; false when no resolver of ours could have sent it. */
void resolver_record_encode(const struct dns_record *record, struct resolver_record *out);
bool resolver_record_decode(
    const struct resolver_record *record, struct arena *arena, struct dns_record *out);

#endif
