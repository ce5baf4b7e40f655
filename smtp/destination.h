/* SPDX-License-Identifier: Apache-2.0 */
/* What a next hop names: a mail domain, a host, an address, a UNIX socket. Pure. */
#ifndef SMTP_DESTINATION_H
#define SMTP_DESTINATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/view.h"

enum destination_kind {
	DESTINATION_DOMAIN,  /* its MX hosts */
	DESTINATION_HOST,    /* [name]: its addresses, no MX */
	DESTINATION_ADDRESS, /* [127.0.0.1], [IPv6:::1] */
	DESTINATION_UNIX,
};

struct destination {
	enum destination_kind kind;
	struct view name;          /* without brackets; the path of a socket */
	struct view service;       /* a port or its name; empty: the default */
	unsigned char address[16]; /* DESTINATION_ADDRESS; IPv4: the first four */
	bool is_ipv6;
};

/* Takes the next destination off a list: blanks and commas separate. False at the end. */
bool destination_next(struct view *list, struct view *text);

/*
 * "domain[:service]", "[host][:service]"; for LMTP also "unix:path" and "inet:host[:service]",
 * and any host is DESTINATION_HOST or DESTINATION_ADDRESS. False: *why is a constant.
 */
bool destination_parse(
    struct view text, bool is_lmtp, struct destination *out, const char **why);

/*
 * A port: digits from 1 to 65535, or a name that the list says ("smtp=25, lmtp=24": the
 * parameter known_tcp_ports). False: neither.
 */
bool destination_port(struct view service, const char *known_ports, uint16_t *port);

#endif
