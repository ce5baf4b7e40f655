/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shuffling first and sorting by preference after gives each order of equals the same chance.
 * The sort keeps the shuffled order by a rank.
 */
#include "smtp/order.h"

#include <stdlib.h>
#include <string.h>

static void
shuffle(struct candidate *all, size_t count, uint64_t (*below)(uint64_t n))
{
	for (size_t i = count; i > 1; i--) {
		size_t other = (size_t)below(i);
		struct candidate c = all[i - 1];

		all[i - 1] = all[other];
		all[other] = c;
	}
}

static int
compare(size_t a, size_t b)
{
	return (a > b) - (a < b);
}

static int
by_preference(const void *x, const void *y)
{
	const struct candidate *a = x, *b = y;
	int result = compare(a->preference, b->preference);

	return result ? result : compare(a->rank, b->rank);
}

/* A later family comes behind all of an earlier one, as far as preference is the same. */
static size_t
family_rank(const struct candidate *c, enum order_family family, size_t count)
{
	bool is_last = family == ORDER_IPV4_FIRST ? c->is_ipv6
	    : family == ORDER_IPV6_FIRST          ? !c->is_ipv6
						  : false;

	return is_last ? count : 0;
}

/* How many of a family are taken, when the limit cannot hold all: half of it, or what is left.
 */
static size_t
share(size_t own, size_t other, size_t limit)
{
	size_t half = (limit + 1) / 2, rest = other < limit / 2 ? limit - other : half;

	return own < rest ? own : rest;
}

static size_t
balance(struct candidate *all, size_t count, size_t limit)
{
	size_t of[2] = { 0 }, room[2], kept = 0;

	for (size_t i = 0; i < count; i++)
		of[all[i].is_ipv6]++;
	/* The family that comes first gets the odd one. */
	room[all[0].is_ipv6] = share(of[all[0].is_ipv6], of[!all[0].is_ipv6], limit);
	room[!all[0].is_ipv6] = limit - room[all[0].is_ipv6];
	for (size_t i = 0; i < count && kept < limit; i++)
		if (room[all[i].is_ipv6] > 0) {
			room[all[i].is_ipv6]--;
			all[kept++] = all[i];
		}
	return kept;
}

size_t
order_candidates(struct candidate *all, size_t count, const struct order_rules *rules,
    uint64_t (*below)(uint64_t n))
{
	if (count < 2)
		return count;
	if (rules->randomize)
		shuffle(all, count, below);
	for (size_t i = 0; i < count; i++)
		all[i].rank = i + family_rank(&all[i], rules->family, count);
	qsort(all, count, sizeof(*all), by_preference);
	if (rules->limit == 0 || count <= rules->limit)
		return count;
	return rules->balance ? balance(all, count, rules->limit) : rules->limit;
}

size_t
order_drop_own(
    struct candidate *all, size_t count, bool (*is_own)(const struct candidate *c), bool *found)
{
	unsigned own = 0;
	size_t kept = 0;

	*found = false;
	for (size_t i = 0; i < count; i++)
		if (is_own(&all[i]) && (!*found || all[i].preference < own)) {
			*found = true;
			own = all[i].preference;
		}
	if (!*found)
		return count;
	for (size_t i = 0; i < count; i++)
		if (all[i].preference < own)
			all[kept++] = all[i];
	return kept;
}

/* The IPv4 address, also one that stands in an IPv6 address; NULL: none. */
static const unsigned char *
ipv4_of(const struct candidate *c)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	static const unsigned char nat64[12] = { 0, 0x64, 0xff, 0x9b };

	if (!c->is_ipv6)
		return c->address;
	if (memcmp(c->address, mapped, sizeof(mapped)) == 0 ||
	    memcmp(c->address, nat64, sizeof(nat64)) == 0)
		return c->address + sizeof(mapped);
	return NULL;
}

bool
order_may_connect(const struct candidate *c)
{
	static const unsigned char unspecified[16] = { 0 };
	const unsigned char *v4 = ipv4_of(c);

	if (v4)
		return v4[0] != 0 && v4[0] < 224;
	if (memcmp(c->address, unspecified, sizeof(unspecified)) == 0)
		return false;
	return c->address[0] != 0xff &&
	    !(c->address[0] == 0xfe && (c->address[1] & 0xc0) == 0x80);
}

bool
order_is_loopback(const struct candidate *c)
{
	static const unsigned char loopback[16] = { [15] = 1 };
	const unsigned char *v4 = ipv4_of(c);

	return v4 ? v4[0] == 127 : memcmp(c->address, loopback, sizeof(loopback)) == 0;
}
