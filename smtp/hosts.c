/* SPDX-License-Identifier: Apache-2.0 */
/* Where mail for a destination goes: an address or socket that is named, or what the DNS says.
 */
#include "smtp/hosts.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

static struct problem *
bad_destination(struct delivery *d, struct view text, const char *why)
{
	struct problem *p =
	    problem_new(d, NULL, "5.4.4", "bad destination \"%.*s\": %s", VIEW_ARG(text), why);

	return p;
}

static struct problem *
unix_endpoint(
    struct delivery *d, struct view text, const struct destination *to, struct endpoints *out)
{
	struct endpoint *e = ARENA_NEW(&d->arena, struct endpoint);
	struct sockaddr_un *un = (void *)&e->address;

	if (to->name.n >= sizeof(un->sun_path) || view_find(to->name, '\0') < to->name.n)
		return bad_destination(d, text, "the path is too long");
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, to->name.p, to->name.n);
	e->length = sizeof(*un);
	e->host = client.conf->myhostname;
	*out = (struct endpoints){ e, 1 };
	return NULL;
}

void
endpoint_set(struct endpoint *e, bool is_ipv6, const unsigned char *address, uint16_t port)
{
	struct sockaddr_in *v4 = (void *)&e->address;
	struct sockaddr_in6 *v6 = (void *)&e->address;

	memset(&e->address, 0, sizeof(e->address));
	if (is_ipv6) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		memcpy(&v6->sin6_addr, address, 16);
		e->length = sizeof(*v6);
	} else {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		memcpy(&v4->sin_addr, address, 4);
		e->length = sizeof(*v4);
	}
}

struct problem *
hosts_find(struct delivery *d, struct view text, struct endpoints *out)
{
	struct view service = view_of(client.options.tcp_port);
	struct destination to;
	struct endpoint *e;
	const char *why;
	uint16_t port;

	if (!destination_parse(text, client.options.is_lmtp, &to, &why))
		return bad_destination(d, text, why);
	if (to.kind == DESTINATION_UNIX)
		return unix_endpoint(d, text, &to, out);
	if (to.service.n)
		service = to.service;
	if (!destination_port(service, client.conf->known_tcp_ports, &port))
		return bad_destination(d, text, "unknown port");
	if (to.kind != DESTINATION_ADDRESS)
		return problem_new(
		    d, NULL, "4.4.3", "no name service yet: %.*s", VIEW_ARG(text));
	e = ARENA_NEW(&d->arena, struct endpoint);
	endpoint_set(e, to.is_ipv6, to.address, port);
	e->host = arena_dup(&d->arena, to.name);
	*out = (struct endpoints){ e, 1 };
	return NULL;
}
