/* SPDX-License-Identifier: Apache-2.0 */
/* The addresses of this host that main.cf gives to an inet service. */
#ifndef SERVICE_INTERFACES_H
#define SERVICE_INTERFACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "conf/conf.h"

struct interface_address {
	struct sockaddr_storage address;
	socklen_t length;
};

struct interface_addresses {
	struct interface_address *all; /* heap, the caller frees */
	size_t count;
};

/*
 * Appends the addresses of host, or of inet_interfaces when it is empty, with the port, which
 * is a number or a name. False: *why (heap).
 */
bool interfaces_find(const struct conf_values *v, const char *host, const char *port,
    struct interface_addresses *out, char **why);

/* The number that a list such as known_tcp_ports gives a name. */
bool interfaces_known_port(const char *list, struct view name, uint64_t *port);

#endif
