/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pattern lists without tables: address lists such as mynetworks and name lists such as
 * mydestination once their type:table members have been given to lib/table.
 */
#ifndef CONF_MATCH_H
#define CONF_MATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/view.h"

/* A network: IPv4 in the last four bytes of the IPv4-mapped form, so one compare serves both.
 */
struct cidr {
	uint8_t address[16];
	unsigned prefix; /* 0..128 */
};

/* a.b.c.d, a.b.c.d/n, [v6]/n, [v6/n], v6/n. False when malformed or host bits are set. */
bool cidr_parse(struct view text, struct cidr *out, const char **why);

/* An address literal without prefix, IPv4 or IPv6 (brackets allowed). */
bool cidr_parse_address(struct view text, uint8_t out[16]);
bool cidr_from_sockaddr(const struct sockaddr *sa, uint8_t out[16]);
bool cidr_has(const struct cidr *net, const uint8_t address[16]);

#endif
