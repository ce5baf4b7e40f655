/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions to the DNS, as every program but the resolver asks them: one call that the task
 * waits in. The resolver service answers over resolver/1; it alone talks to name servers, and
 * caches and validates.
 *
 * The answers are kept apart, because they lead to different things: a name that does not
 * exist and one without such records are a "no"; DNS_TRY_AGAIN is "cannot tell now" and never
 * becomes a "no".
 */
#ifndef DNS_DNS_H
#define DNS_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/view.h"

#define DNS_RECORDS_MAX 100 /* of one answer; more are left out */
#define DNS_NAME_MAX    253 /* octets, without a final dot */

/* RFC 1035 3.2.2 and later: the numbers on the wire. */
enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_SRV = 33,
	DNS_TLSA = 52,
};

enum dns_result {
	DNS_FOUND,        /* at least one record of the type */
	DNS_NO_DATA,      /* the name exists, without such a record */
	DNS_NO_SUCH_NAME, /* NXDOMAIN */
	DNS_TRY_AGAIN,    /* no answer, SERVFAIL, bogus, or the resolver is not there */
	DNS_BAD_NAME,     /* cannot be asked: not a domain name */
};

struct dns_record {
	enum dns_type type;
	uint32_t ttl;          /* seconds */
	uint16_t preference;   /* MX; SRV: priority */
	uint16_t weight, port; /* SRV */
	struct view name;      /* NS, CNAME, PTR, MX, SRV: without final dot; "" is the root */
	unsigned char address[16];         /* A: the first four octets; AAAA */
	uint8_t usage, selector, matching; /* TLSA */
	struct view data;                  /* TXT: its strings joined; TLSA: the association */
};

struct dns_answer {
	enum dns_result result;
	bool secure;      /* validated by DNSSEC: the answer, also a "no" */
	bool bogus;       /* validation failed: result is DNS_TRY_AGAIN */
	struct view name; /* that the records belong to, after any CNAME */
	struct dns_record *records;
	size_t count;
	const char *why; /* for a person, unless DNS_FOUND: "Host not found" and so on */
};

/* Kept connections to the resolver. */
struct ipc_pool;
struct dns_client;
struct dns_client *dns_client_new(struct ipc_pool *resolver); /* borrows the pool */
void dns_client_free(struct dns_client **c);

/*
 * Waits for the answer, at most until the deadline: then DNS_TRY_AGAIN. out and its texts live
 * in the arena. A domain in UTF-8 is asked for in its A-label form.
 */
enum dns_result dns_lookup(struct dns_client *c, struct view name, enum dns_type type,
    struct arena *arena, struct dns_answer *out, nanoseconds deadline);

/*
 * Addresses of a host as the system's own resolver knows them (/etc/hosts and what else
 * nsswitch.conf names): smtp_host_lookup = native. The records are of type A and AAAA.
 */
enum dns_result dns_native_lookup(struct dns_client *c, struct view host, int family,
    struct arena *arena, struct dns_answer *out, nanoseconds deadline);

/* The other way round: names of an address in network order, records of type PTR. */
enum dns_result dns_native_names(struct dns_client *c, int family, const unsigned char *address,
    struct arena *arena, struct dns_answer *out, nanoseconds deadline);

#endif
