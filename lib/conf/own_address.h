/* SPDX-License-Identifier: Apache-2.0 */
/* The addresses of this host on which mail is received, and the networks they stand in. */
#ifndef CONF_OWN_ADDRESS_H
#define CONF_OWN_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "conf/match.h"

struct own_address {
	uint8_t address[16]; /* IPv4 in mapped form */
	unsigned prefix;     /* of its network, 96 + n for IPv4; 128 when not known */
	bool is_ipv4;
	bool is_loopback;
};

/*
 * What inet_interfaces and inet_protocols (both expanded) select: interface addresses for "all"
 * and "loopback-only", else the addresses and names listed. Names are looked up, which may
 * block; one that cannot be found is left out. *out is a heap array, IPv4 first; NULL and 0
 * when nothing could be learned.
 */
size_t own_addresses(
    const char *inet_interfaces, const char *inet_protocols, struct own_address **out);

/*
 * The list for mynetworks: style is host, subnet or class. When the addresses cannot be learned
 * it names loopback and nothing else.
 */
void own_networks(const char *inet_interfaces, const char *inet_protocols, const char *style,
    struct buf *out);

#endif
