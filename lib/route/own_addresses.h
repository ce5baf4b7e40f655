/* SPDX-License-Identifier: Apache-2.0 */
/* The network addresses at which this host receives mail: inet_interfaces, proxy_interfaces. */
#ifndef ROUTE_OWN_ADDRESSES_H
#define ROUTE_OWN_ADDRESSES_H

#include <ifaddrs.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"

struct own_addresses {
	uint8_t (*list)[16]; /* IPv4 mapped into IPv6 */
	size_t count;
};

/* getifaddrs, or what a test puts in its place. */
typedef int interfaces_fn(struct ifaddrs **);

/*
 * Asks the system and resolves host names: before the jail. What cannot be found out is not
 * ours, with a warning; loopback always is with "all" and "loopback-only".
 */
void own_addresses_init(struct own_addresses *o, const struct conf_values *v,
    interfaces_fn *interfaces, void (*free_interfaces)(struct ifaddrs *));
void own_addresses_done(struct own_addresses *o);
bool own_addresses_has(const struct own_addresses *o, const uint8_t address[16]);

#endif
