/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which addresses of a destination are tried, and in what order: RFC 5321 5.1 with the
 * administrator's preferences. Pure; the dice are the caller's.
 */
#ifndef SMTP_ORDER_H
#define SMTP_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct candidate {
	const char *host;
	unsigned preference;
	bool is_ipv6;
	unsigned char address[16]; /* IPv4: the first four */
	size_t rank;               /* order_candidates' own */
};

enum order_family { ORDER_ANY, ORDER_IPV4_FIRST, ORDER_IPV6_FIRST };

struct order_rules {
	bool randomize;           /* those of equal preference */
	enum order_family family; /* within equal preference */
	bool balance;             /* within the limit both families get a chance */
	size_t limit;             /* 0: none */
};

/*
 * Sorts by preference and the rules, and cuts to the limit; returns how many are left. below(n)
 * is a random number in 0..n-1.
 */
size_t order_candidates(struct candidate *all, size_t count, const struct order_rules *rules,
    uint64_t (*below)(uint64_t n));

/*
 * Drops those whose preference is not better (lower) than that of the first one for which
 * is_own says true, so that mail never goes round among equals; returns how many are left.
 * *found says whether there was one.
 */
size_t order_drop_own(struct candidate *all, size_t count,
    bool (*is_own)(const struct candidate *c), bool *found);

/*
 * Whether mail may go to an address that somebody else's DNS names: not the unspecified one, no
 * multicast, broadcast or reserved one, and no link-local one, which means nothing without its
 * link. IPv4 in IPv6 is looked at as IPv4.
 */
bool order_may_connect(const struct candidate *c);

/* 127.0.0.0/8 and ::1, mapped or not. */
bool order_is_loopback(const struct candidate *c);

#endif
