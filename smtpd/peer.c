/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who the client is. Its name comes from /etc/hosts, which is read before the jail, or from the
 * resolver, and counts only when it leads back to the client; else the client is "unknown". An
 * IPv4 client of an IPv6 socket counts as IPv4. Local clients (sendmail -bs) appear as
 * localhost[127.0.0.1].
 */
#include <arpa/inet.h>
#include <stdio.h>

#include "base/log.h"
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
peer_set_name(struct peer *p, const char *name)
{
	p->name = p->reverse_name = name;
	p->name_status = p->reverse_status = DNS_PEER_OK;
}

static void
peer_set_local(struct peer *p)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	memcpy(&p->sa, &sin, sizeof(sin));
	peer_set_name(p, "localhost");
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

/* In the words of getaddrinfo, which log readers know. */
static void
peer_log_unconfirmed(const struct peer *p, const struct dns_peer *found)
{
	static const char *const reasons[] = {
		[DNS_FOUND] = "",
		[DNS_NO_DATA] = ": No address associated with hostname",
		[DNS_NO_SUCH_NAME] = ": Name or service not known",
		[DNS_TRY_AGAIN] = ": Temporary failure in name resolution",
		[DNS_BAD_NAME] = ": Name or service not known",
	};

	log_warn("hostname %.*s does not resolve to address %s%s", VIEW_ARG(found->reverse),
	    p->address, reasons[found->forward]);
}

static void
peer_ask(struct peer *p)
{
	const struct sockaddr_in *four = (const struct sockaddr_in *)&p->sa;
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&p->sa;
	struct arena arena = ARENA_INIT;
	struct dns_peer found;

	dns_peer_find(server.dns, p->sa.ss_family,
	    p->sa.ss_family == AF_INET ? (const unsigned char *)&four->sin_addr
				       : six->sin6_addr.s6_addr,
	    &arena, &found, clock_deadline(server.v->resolver_timeout));
	p->name_status = found.status;
	p->reverse_status = found.reverse_status;
	if (found.reverse_status == DNS_PEER_OK) {
		p->found_reverse = mem_dup(found.reverse.p, found.reverse.n);
		p->reverse_name = p->found_reverse;
		if (found.status != DNS_PEER_OK)
			peer_log_unconfirmed(p, &found);
	}
	if (found.status == DNS_PEER_OK)
		p->name = p->found_name = mem_dup(found.name.p, found.name.n);
	arena_reset(&arena);
}

static void
peer_find_name(struct peer *p)
{
	uint8_t key[16];
	struct view k = { (const char *)key, sizeof(key) };
	const char *name;

	if (!server.v->smtpd_peername_lookup || !peer_key(&p->sa, key))
		return;
	name = hash_find(server.hosts, k);
	if (name)
		peer_set_name(p, name);
	else if (server.dns)
		peer_ask(p);
}

void
peer_init(struct peer *p, const struct service_connection *c)
{
	uint8_t key[16];
	struct view k = { (const char *)key, sizeof(key) };

	p->name = p->reverse_name = "unknown";
	p->name_status = p->reverse_status = DNS_PEER_NO_NAME;
	if (c->peer.ss_family == AF_INET || c->peer.ss_family == AF_INET6) {
		p->sa = c->peer;
		peer_unmap(&p->sa);
	} else {
		peer_set_local(p);
	}
	peer_print(p);
	if (c->peer.ss_family != AF_UNIX)
		peer_find_name(p);
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
	mem_free(p->found_name);
	mem_free(p->found_reverse);
	p->found_name = p->found_reverse = NULL;
}
