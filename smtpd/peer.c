/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who the client is. Its name comes from /etc/hosts, which is read before the jail; a client
 * that is not in it is "unknown" until there is a resolver to ask. An IPv4 client of an IPv6
 * socket counts as IPv4. Local clients (sendmail -bs) appear as localhost[127.0.0.1].
 */
#include <arpa/inet.h>
#include <stdio.h>

#include "conf/match.h"
#include "mail/address.h"
#include "smtpd/smtpd.h"

#define HOSTS_MAX 10000 /* entries */

bool
peer_key(const struct sockaddr_storage *sa, uint8_t out[16])
{
	if (cidr_from_sockaddr((const struct sockaddr *)sa, out))
		return true;
	memset(out, 0, 16);
	return false;
}

/* Lines of "address name alias..."; the first name of an address counts. */
void
peer_open_hosts(struct hash **hosts, struct view text)
{
	struct view line, word, name;
	uint8_t key[16];

	*hosts = hash_new();
	while (text.n && hash_count(*hosts) < HOSTS_MAX) {
		size_t end = view_find(text, '\n');
		struct view k = { (const char *)key, sizeof(key) };

		line = view_sub(text, 0, end);
		text = view_sub(text, end + 1, text.n);
		line = view_sub(line, 0, view_find(line, '#'));
		if (!view_next_word(&line, " \t\r", &word) ||
		    !view_next_word(&line, " \t\r", &name))
			continue;
		if (!cidr_parse_address(word, key) || !hostname_is_valid(name))
			continue;
		if (!hash_find(*hosts, k))
			hash_put(*hosts, k, mem_dup(name.p, name.n));
	}
}

static void
peer_set_local(struct peer *p)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	memcpy(&p->sa, &sin, sizeof(sin));
	p->name = "localhost";
}

static void
peer_unmap(struct sockaddr_storage *sa)
{
	struct sockaddr_in6 six;
	struct sockaddr_in sin = { .sin_family = AF_INET };

	if (sa->ss_family != AF_INET6)
		return;
	memcpy(&six, sa, sizeof(six));
	if (!IN6_IS_ADDR_V4MAPPED(&six.sin6_addr))
		return;
	sin.sin_port = six.sin6_port;
	memcpy(&sin.sin_addr, six.sin6_addr.s6_addr + 12, 4);
	memset(sa, 0, sizeof(*sa));
	memcpy(sa, &sin, sizeof(sin));
}

static void
peer_print(struct peer *p)
{
	if (p->sa.ss_family == AF_INET) {
		const struct sockaddr_in *sin = (const struct sockaddr_in *)&p->sa;

		inet_ntop(AF_INET, &sin->sin_addr, p->address, sizeof(p->address));
		snprintf(p->port, sizeof(p->port), "%u", ntohs(sin->sin_port));
	} else {
		const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&p->sa;

		inet_ntop(AF_INET6, &six->sin6_addr, p->address, sizeof(p->address));
		snprintf(p->port, sizeof(p->port), "%u", ntohs(six->sin6_port));
	}
}

void
peer_init(struct peer *p, const struct service_connection *c)
{
	uint8_t key[16];
	struct view k = { (const char *)key, sizeof(key) };

	p->name = "unknown";
	if (c->peer.ss_family == AF_INET || c->peer.ss_family == AF_INET6) {
		p->sa = c->peer;
		peer_unmap(&p->sa);
		if (server.v->smtpd_peername_lookup && peer_key(&p->sa, key)) {
			const char *name = hash_find(server.hosts, k);

			if (name)
				p->name = name;
		}
	} else {
		peer_set_local(p);
	}
	peer_print(p);
	p->label = server.v->smtpd_client_port_logging
	    ? mem_printf("%s[%s]:%s", p->name, p->address, p->port)
	    : mem_printf("%s[%s]", p->name, p->address);
	p->in_mynetworks = match_list_has_address(
	    server.mynetworks, (const struct sockaddr *)&p->sa, view_of(p->name), &p->why);
	p->is_own = peer_key(&p->sa, key) && hash_find(server.own_addresses, k);
}

void
peer_done(struct peer *p)
{
	mem_free(p->label);
	p->label = NULL;
}
