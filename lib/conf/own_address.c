/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Own addresses come from getifaddrs. What cannot be learned is never taken for "everything":
 * no interface information means that loopback alone is trusted, an address that no interface
 * has stands for itself, and an unknown style means single addresses.
 */
#include "conf/own_address.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <string.h>

#include "base/mem.h"
#include "conf/list.h"

#define MAPPED_BITS 96u

struct addresses {
	struct own_address *items;
	size_t count;
};

static void
add(struct addresses *a, const struct own_address *item)
{
	for (size_t i = 0; i < a->count; i++)
		if (memcmp(a->items[i].address, item->address, 16) == 0)
			return;
	a->items = mem_resize(a->items, a->count + 1, sizeof(*a->items));
	a->items[a->count++] = *item;
}

static bool
is_loopback(const struct own_address *a)
{
	static const uint8_t v6[16] = { [15] = 1 };

	return a->is_ipv4 ? a->address[12] == 127 : memcmp(a->address, v6, 16) == 0;
}

static bool
from_sockaddr(const struct sockaddr *sa, struct own_address *out)
{
	*out = (struct own_address){ .prefix = 128 };
	if (!sa || !cidr_from_sockaddr(sa, out->address))
		return false;
	out->is_ipv4 = sa->sa_family == AF_INET;
	out->is_loopback = is_loopback(out);
	return true;
}

/* The leading one bits of a netmask. */
static unsigned
mask_length(const struct sockaddr *mask)
{
	uint8_t bytes[16];
	unsigned n = 0;

	if (!mask || !cidr_from_sockaddr(mask, bytes))
		return 128;
	if (mask->sa_family == AF_INET)
		memset(bytes, 0xff, 12);
	while (n < 128 && (bytes[n / 8] & (0x80u >> (n % 8))))
		n++;
	return n;
}

static void
interface_addresses(struct addresses *out)
{
	struct ifaddrs *list = NULL;
	struct own_address item;

	if (getifaddrs(&list) < 0)
		return;
	for (const struct ifaddrs *i = list; i; i = i->ifa_next) {
		if (!(i->ifa_flags & IFF_UP) || !from_sockaddr(i->ifa_addr, &item))
			continue;
		unsigned prefix = mask_length(i->ifa_netmask);
		/* A mask of no bits would trust the whole Internet. */
		item.prefix = prefix > (item.is_ipv4 ? MAPPED_BITS : 0) ? prefix : 128;
		add(out, &item);
	}
	freeifaddrs(list);
}

/* Adds an address that was named, with the prefix that its interface gives it. */
static void
add_named(const struct addresses *interfaces, struct own_address *item, struct addresses *out)
{
	for (size_t i = 0; i < interfaces->count; i++)
		if (memcmp(interfaces->items[i].address, item->address, 16) == 0)
			item->prefix = interfaces->items[i].prefix;
	add(out, item);
}

static void
add_word(const struct addresses *interfaces, struct view word, struct addresses *out)
{
	struct own_address item = { .prefix = 128 };
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;

	if (cidr_parse_address(word, item.address)) {
		item.is_ipv4 = view_find(word, ':') == word.n;
		item.is_loopback = is_loopback(&item);
		add_named(interfaces, &item, out);
		return;
	}
	char *name = mem_dup(word.p, word.n);
	if (getaddrinfo(name, NULL, &hints, &list) == 0) {
		for (const struct addrinfo *i = list; i; i = i->ai_next)
			if (from_sockaddr(i->ai_addr, &item))
				add_named(interfaces, &item, out);
		freeaddrinfo(list);
	}
	mem_free(name);
}

static void
select_addresses(const struct addresses *interfaces, struct view words, struct addresses *out)
{
	struct view word;

	while (conf_list_next(&words, &word)) {
		bool all = view_eq_nocase(word, VIEW("all"));
		if (!all && !view_eq_nocase(word, VIEW("loopback-only"))) {
			add_word(interfaces, word, out);
			continue;
		}
		for (size_t i = 0; i < interfaces->count; i++)
			if (all || interfaces->items[i].is_loopback)
				add(out, &interfaces->items[i]);
	}
}

size_t
own_addresses(const char *inet_interfaces, const char *inet_protocols, struct own_address **out)
{
	struct addresses interfaces = { 0 }, chosen = { 0 }, sorted = { 0 };
	bool all = conf_list_has(inet_protocols, VIEW("all"));

	interface_addresses(&interfaces);
	select_addresses(&interfaces, view_of(inet_interfaces), &chosen);
	for (int ipv4 = 1; ipv4 >= 0; ipv4--)
		for (size_t i = 0; i < chosen.count; i++)
			if (chosen.items[i].is_ipv4 == (ipv4 == 1) &&
			    (all ||
				conf_list_has(
				    inet_protocols, ipv4 ? VIEW("ipv4") : VIEW("ipv6"))))
				add(&sorted, &chosen.items[i]);
	mem_free(interfaces.items);
	mem_free(chosen.items);
	*out = sorted.items;
	return sorted.count;
}

/* The network sizes that addresses had before there were masks. */
static unsigned
class_prefix(const struct own_address *a)
{
	uint8_t first = a->address[12];

	if (!a->is_ipv4)
		return a->prefix;
	return MAPPED_BITS + (first < 128 ? 8 : first < 192 ? 16 : first < 224 ? 24 : 32);
}

static void
append_network(struct buf *out, const uint8_t address[16], unsigned prefix, bool is_ipv4)
{
	uint8_t net[16];
	char text[INET6_ADDRSTRLEN];

	memcpy(net, address, 16);
	for (unsigned bit = prefix; bit < 128; bit++)
		net[bit / 8] &= (uint8_t) ~(0x80u >> (bit % 8));
	if (is_ipv4 && inet_ntop(AF_INET, net + 12, text, sizeof(text)))
		buf_printf(out, "%s/%u ", text, prefix - MAPPED_BITS);
	else if (!is_ipv4 && inet_ntop(AF_INET6, net, text, sizeof(text)))
		buf_printf(out, "[%s]/%u ", text, prefix);
}

/* Two interfaces in one network, or an address inside a network named before. */
static bool
is_covered(const struct own_address *a, unsigned prefix, size_t i,
    unsigned (*prefix_of)(const struct own_address *))
{
	for (size_t k = 0; k < i; k++) {
		struct cidr net = { .prefix = prefix_of(&a[k]) };
		memcpy(net.address, a[k].address, 16);
		if (net.prefix == prefix && a[k].is_ipv4 == a[i].is_ipv4 &&
		    cidr_has(&net, a[i].address))
			return true;
	}
	return false;
}

static unsigned
host_prefix(const struct own_address *a)
{
	(void)a;
	return 128;
}

static unsigned
subnet_prefix(const struct own_address *a)
{
	return a->prefix;
}

void
own_networks(
    const char *inet_interfaces, const char *inet_protocols, const char *style, struct buf *out)
{
	unsigned (*prefix_of)(const struct own_address *) = host_prefix;
	struct own_address *a;
	size_t count = own_addresses(inet_interfaces, inet_protocols, &a);

	if (strcmp(style, "subnet") == 0)
		prefix_of = subnet_prefix;
	else if (strcmp(style, "class") == 0)
		prefix_of = class_prefix;
	for (size_t i = 0; i < count; i++) {
		unsigned prefix = prefix_of(&a[i]);
		if (!is_covered(a, prefix, i, prefix_of))
			append_network(out, a[i].address, prefix, a[i].is_ipv4);
	}
	if (out->len > 0)
		buf_truncate(out, out->len - 1);
	else
		buf_append_str(out, "127.0.0.0/8 [::1]/128");
	mem_free(a);
}
