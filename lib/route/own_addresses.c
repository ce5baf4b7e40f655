/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which addresses are ours decides what "user@[1.2.3.4]" means. If the system does not tell,
 * the answer is "loopback": an address that is taken for a stranger's costs a bounce, one that
 * is taken for ours by mistake would open doors.
 */
#include "route/own_addresses.h"

#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/match.h"

#define SEPARATORS ", \t\r\n"

static void
add(struct own_addresses *o, const uint8_t address[16])
{
	if (own_addresses_has(o, address))
		return;
	o->list = mem_resize(o->list, o->count + 1, sizeof(*o->list));
	memcpy(o->list[o->count++], address, 16);
}

static void
add_loopback(struct own_addresses *o)
{
	uint8_t address[16];

	if (cidr_parse_address(VIEW("127.0.0.1"), address))
		add(o, address);
	if (cidr_parse_address(VIEW("::1"), address))
		add(o, address);
}

static void
add_interfaces(struct own_addresses *o, interfaces_fn *interfaces,
    void (*free_interfaces)(struct ifaddrs *))
{
	struct ifaddrs *first = NULL;
	uint8_t address[16];

	add_loopback(o);
	if (interfaces(&first) < 0) {
		log_warn("cannot list the network interfaces: %s: only loopback is ours",
		    strerror(errno));
		return;
	}
	for (struct ifaddrs *i = first; i != NULL; i = i->ifa_next) {
		if (i->ifa_addr == NULL || (i->ifa_flags & IFF_UP) == 0)
			continue;
		if (cidr_from_sockaddr(i->ifa_addr, address))
			add(o, address);
	}
	free_interfaces(first);
}

static void
add_host(struct own_addresses *o, const char *parameter, struct view host)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
	char *name = mem_dup(host.p, host.n);
	uint8_t address[16];
	int rc = getaddrinfo(name, NULL, &hints, &found);

	if (rc != 0)
		log_warn("%s: host not found: %s: %s", parameter, name, gai_strerror(rc));
	for (struct addrinfo *a = found; rc == 0 && a != NULL; a = a->ai_next) {
		if (cidr_from_sockaddr(a->ai_addr, address))
			add(o, address);
	}
	if (rc == 0)
		freeaddrinfo(found);
	mem_free(name);
}

static void
add_word(struct own_addresses *o, const char *parameter, struct view word)
{
	uint8_t address[16];

	if (cidr_parse_address(word, address))
		add(o, address);
	else
		add_host(o, parameter, word);
}

void
own_addresses_init(struct own_addresses *o, const struct conf_values *v,
    interfaces_fn *interfaces, void (*free_interfaces)(struct ifaddrs *))
{
	struct view rest = view_of(v->inet_interfaces), word;

	*o = (struct own_addresses){ 0 };
	while (view_next_word(&rest, SEPARATORS, &word)) {
		if (view_eq_nocase(word, VIEW("all")))
			add_interfaces(o, interfaces, free_interfaces);
		else if (view_eq_nocase(word, VIEW("loopback-only")))
			add_loopback(o);
		else
			add_word(o, "inet_interfaces", word);
	}
	rest = view_of(v->proxy_interfaces);
	while (view_next_word(&rest, SEPARATORS, &word))
		add_word(o, "proxy_interfaces", word);
}

void
own_addresses_done(struct own_addresses *o)
{
	mem_free(o->list);
	*o = (struct own_addresses){ 0 };
}

bool
own_addresses_has(const struct own_addresses *o, const uint8_t address[16])
{
	for (size_t i = 0; i < o->count; i++) {
		if (memcmp(o->list[i], address, 16) == 0)
			return true;
	}
	return false;
}
