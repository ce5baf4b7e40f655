/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks. IPv4 lives in the IPv4-mapped block ::ffff:0:0/96, so an IPv4 prefix n is 96 + n
 * here and an IPv6 network with a shorter prefix than 96 never holds an IPv4 client by
 * accident: such a network must begin with the mapped block to match, and ::/0 is kept away by
 * cidr_has.
 */
#include "conf/match.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/number.h"

#define MAPPED_BITS 96u

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static bool
is_mapped(const uint8_t address[16])
{
	return memcmp(address, mapped, sizeof(mapped)) == 0;
}

static void
map_ipv4(const void *four, uint8_t out[16])
{
	memcpy(out, mapped, sizeof(mapped));
	memcpy(out + sizeof(mapped), four, 4);
}

/* inet_pton takes exactly the standard forms; it needs a NUL. */
static bool
parse_plain(struct view text, bool allow_ipv4, uint8_t out[16])
{
	char copy[INET6_ADDRSTRLEN];
	uint8_t four[4];

	if (text.n == 0 || text.n >= sizeof(copy) || memchr(text.p, '\0', text.n))
		return false;
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	if (allow_ipv4 && inet_pton(AF_INET, copy, four) == 1) {
		map_ipv4(four, out);
		return true;
	}
	return inet_pton(AF_INET6, copy, out) == 1;
}

bool
cidr_parse_address(struct view text, uint8_t out[16])
{
	uint8_t address[16];

	if (text.n >= 2 && text.p[0] == '[' && text.p[text.n - 1] == ']') {
		text = view_sub(text, 1, text.n - 2);
		if (view_has_prefix_nocase(text, VIEW("ipv6:")))
			text = view_sub(text, 5, text.n);
	}
	if (!parse_plain(text, true, address))
		return false;
	memcpy(out, address, sizeof(address));
	return true;
}

static bool
has_host_bits(const struct cidr *net)
{
	for (unsigned bit = net->prefix; bit < 128; bit++)
		if (net->address[bit / 8] & (0x80u >> (bit % 8)))
			return true;
	return false;
}

/* Separates [v6]/n, [v6/n], v6/n and v4/n into address and prefix; prefix.p is NULL without. */
static bool
split(struct view text, struct view *address, struct view *prefix, bool *bracketed)
{
	*prefix = VIEW_NONE;
	*bracketed = text.n > 0 && text.p[0] == '[';
	if (*bracketed) {
		size_t end = view_find(text, ']');
		if (end == text.n)
			return false;
		struct view behind = view_sub(text, end + 1, text.n);
		text = view_sub(text, 1, end - 1);
		if (behind.n > 0) {
			if (behind.p[0] != '/' || view_find(text, '/') < text.n)
				return false;
			*prefix = view_sub(behind, 1, behind.n);
			*address = text;
			return true;
		}
	}
	size_t slash = view_find(text, '/');
	*address = view_sub(text, 0, slash);
	if (slash < text.n)
		*prefix = (struct view){ text.p + slash + 1, text.n - slash - 1 };
	return true;
}

bool
cidr_parse(struct view text, struct cidr *out, const char **why)
{
	struct view address, prefix;
	struct cidr net = { .prefix = 128 };
	bool bracketed;
	uint64_t bits;

	if (!split(text, &address, &prefix, &bracketed) ||
	    !parse_plain(address, !bracketed, net.address)) {
		*why = "not a network address";
		return false;
	}
	unsigned first = !bracketed && view_find(address, ':') == address.n ? MAPPED_BITS : 0;
	if (prefix.p) {
		if (!number_parse(prefix, 128 - first, &bits)) {
			*why = first ? "the prefix length must be 0 to 32"
				     : "the prefix length must be 0 to 128";
			return false;
		}
		net.prefix = first + (unsigned)bits;
	}
	if (has_host_bits(&net)) {
		*why = "the address has bits set behind the prefix";
		return false;
	}
	*out = net;
	return true;
}

bool
cidr_from_sockaddr(const struct sockaddr *sa, uint8_t out[16])
{
	if (sa->sa_family == AF_INET) {
		map_ipv4(&((const struct sockaddr_in *)(const void *)sa)->sin_addr, out);
		return true;
	}
	if (sa->sa_family == AF_INET6) {
		memcpy(out, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
		return true;
	}
	return false;
}

bool
cidr_has(const struct cidr *net, const uint8_t address[16])
{
	unsigned bytes = net->prefix / 8, bits = net->prefix % 8;

	if (net->prefix < MAPPED_BITS && is_mapped(address))
		return false;
	if (memcmp(net->address, address, bytes) != 0)
		return false;
	if (bits == 0)
		return true;
	uint8_t mask = (uint8_t)(0xff00u >> bits);
	return (net->address[bytes] & mask) == (address[bytes] & mask);
}
