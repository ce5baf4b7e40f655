/* SPDX-License-Identifier: Apache-2.0 */
/* From what a next hop names to the endpoints to try, in order. */
#ifndef SMTP_HOSTS_H
#define SMTP_HOSTS_H

#include "smtp/client.h"
#include "smtp/destination.h"

struct endpoints {
	struct endpoint *all; /* in the arena of the delivery */
	size_t count;
	bool is_own_mx; /* we are a mail server of the destination ourselves */
};

/* The address (4 or 16 octets) and port of an endpoint. */
void endpoint_set(
    struct endpoint *e, bool is_ipv6, const unsigned char *address, uint16_t port);

/*
 * NULL, or why there is none; is_final then says that no other destination can help. May wait
 * (DNS).
 */
struct problem *hosts_find(struct delivery *d, struct view text, struct endpoints *out);

/* Reads which addresses are our own; before the jail. */
void hosts_open(void);

#endif
