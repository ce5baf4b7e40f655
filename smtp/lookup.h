/* SPDX-License-Identifier: Apache-2.0 */
/* What the DNS, or the system's own resolver, says of a destination: candidates. */
#ifndef SMTP_LOOKUP_H
#define SMTP_LOOKUP_H

#include "smtp/client.h"
#include "smtp/order.h"

#define LOOKUP_CANDIDATES_MAX 500

struct lookup {
	struct delivery *d;
	nanoseconds deadline;  /* of all questions together */
	struct candidate *all; /* in the arena */
	size_t count;
	uint32_t ttl;            /* seconds: the least of all records */
	struct problem *problem; /* the last one; a soft one is not replaced by a hard one */
	unsigned best; /* preference of the best MX host, whether it has an address or not */
};

/* The addresses of the MX hosts of a domain, or of the domain itself when it has none. */
void lookup_domain(struct lookup *l, struct view domain);

/* The addresses of a host. */
void lookup_host(struct lookup *l, struct view host, unsigned preference);

#endif
