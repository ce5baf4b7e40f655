/* SPDX-License-Identifier: Apache-2.0 */
/* The order in which mail servers are tried, and those that never are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/random.h"
#include "base/view.h"
#include "smtp/order.h"

#define MAX 20

/* "10a4 20b6": preference, name, family. */
static size_t
read_candidates(const char *text, struct candidate *all)
{
	static char names[MAX][2];
	struct view rest = { text, strlen(text) }, word;
	size_t count = 0;

	while (view_next_word(&rest, " ", &word)) {
		unsigned preference = 0;
		size_t i = 0;

		for (; char_is_digit(word.p[i]); i++)
			preference = preference * 10 + (unsigned)(word.p[i] - '0');
		names[count][0] = word.p[i];
		all[count] = (struct candidate){
			.host = names[count],
			.preference = preference,
			.is_ipv6 = word.p[i + 1] == '6',
		};
		count++;
	}
	return count;
}

static void
print_candidates(const struct candidate *all, size_t count, char *out)
{
	for (size_t i = 0; i < count; i++)
		out[i] = all[i].host[0];
	out[count] = '\0';
}

static void
without_dice(void **state)
{
	static const struct {
		const char *candidates;
		struct order_rules rules;
		const char *order;
	} rows[] = {
		{ "", { 0 }, "" },
		{ "10a4", { .limit = 5 }, "a" },
		{ "30a4 10b4 20c4", { 0 }, "bca" },
		{ "10a4 10b4 10c4", { 0 }, "abc" },
		{ "10a4 10b6 10c4", { .family = ORDER_IPV6_FIRST }, "bac" },
		{ "10a6 10b4 10c6", { .family = ORDER_IPV4_FIRST }, "bac" },
		/* preference goes before family */
		{ "20a6 10b4", { .family = ORDER_IPV6_FIRST }, "ba" },
		{ "10a4 20b4 30c4", { .limit = 2 }, "ab" },
		/* the limit cuts the other family off, unless they are balanced */
		{ "10a6 10b6 10c6 20d4", { .limit = 3 }, "abc" },
		{ "10a6 10b6 10c6 20d4", { .limit = 3, .balance = true }, "abd" },
		{ "10a6 10b6 10c6 20d4 20e4 20f4", { .limit = 4, .balance = true }, "abde" },
		{ "10a6 10b6 10c6 20d4 20e4", { .limit = 3, .balance = true }, "abd" },
		{ "10a6 10b6 10c6 20d4", { .limit = 1, .balance = true }, "a" },
		{ "10a6 10b6 10c6", { .limit = 2, .balance = true }, "ab" },
		{ "10a6 10b4", { .limit = 2, .balance = true }, "ab" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct candidate all[MAX];
		char order[MAX + 1];
		size_t count = read_candidates(rows[i].candidates, all);

		count = order_candidates(all, count, &rows[i].rules, random_below);
		print_candidates(all, count, order);
		assert_string_equal(order, rows[i].order);
	}
}

/* Each order of equals comes about as often as any other, and never one across preferences. */
static void
dice(void **state)
{
	static const struct order_rules rules = { .randomize = true };
	static const char *const orders[] = { "abcd", "acbd", "bacd", "bcad", "cabd", "cbad" };
	unsigned seen[ARRAY_LEN(orders)] = { 0 };

	(void)state;
	for (int i = 0; i < 6000; i++) {
		struct candidate all[MAX];
		char order[MAX + 1];
		size_t known = 0;

		order_candidates(
		    all, read_candidates("10a4 10b4 10c4 20d4", all), &rules, random_below);
		print_candidates(all, 4, order);
		while (known < ARRAY_LEN(orders) && strcmp(orders[known], order) != 0)
			known++;
		assert_true(known < ARRAY_LEN(orders));
		seen[known]++;
	}
	for (size_t i = 0; i < ARRAY_LEN(orders); i++)
		assert_in_range(seen[i], 800, 1200);
}

static bool
is_x(const struct candidate *c)
{
	return *c->host == 'x';
}

static void
own_servers(void **state)
{
	static const struct {
		const char *candidates;
		bool found;
		const char *left;
	} rows[] = {
		{ "10a4 20b4", false, "ab" },
		{ "10a4 20x4 30b4", true, "a" },
		{ "10a4 10x4 20b4", true, "" },
		{ "10x4 20b4", true, "" },
		{ "30x4 10a4 20x4 20b4", true, "a" },
		{ "", false, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct candidate all[MAX];
		char left[MAX + 1];
		bool found;
		size_t count = read_candidates(rows[i].candidates, all);

		count = order_drop_own(all, count, is_x, &found);
		print_candidates(all, count, left);
		assert_int_equal(found, rows[i].found);
		assert_string_equal(left, rows[i].left);
	}
}

static void
forbidden(void **state)
{
	static const struct {
		const char *address;
		bool may_connect, is_loopback;
	} rows[] = {
		{ "192.0.2.1", true, false },
		{ "10.0.0.1", true, false },
		{ "0.0.0.0", false, false },
		{ "0.1.2.3", false, false },
		{ "127.0.0.1", true, true },
		{ "127.255.255.254", true, true },
		{ "223.255.255.255", true, false },
		{ "224.0.0.1", false, false },
		{ "239.1.2.3", false, false },
		{ "240.0.0.1", false, false },
		{ "255.255.255.255", false, false },
		{ "2001:db8::1", true, false },
		{ "fd00::1", true, false },
		{ "::", false, false },
		{ "::1", true, true },
		{ "ff02::1", false, false },
		{ "fe80::1", false, false },
		{ "febf::1", false, false },
		{ "fec0::1", true, false },
		{ "::ffff:127.0.0.1", true, true },
		{ "::ffff:0.0.0.0", false, false },
		{ "::ffff:224.0.0.1", false, false },
		{ "64:ff9b::127.0.0.1", true, true },
		{ "64:ff9b::192.0.2.1", true, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct candidate c = { .is_ipv6 = strchr(rows[i].address, ':') != NULL };

		assert_int_equal(
		    inet_pton(c.is_ipv6 ? AF_INET6 : AF_INET, rows[i].address, c.address), 1);
		assert_int_equal(order_may_connect(&c), rows[i].may_connect);
		assert_int_equal(order_is_loopback(&c), rows[i].is_loopback);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_dice),
		cmocka_unit_test(dice),
		cmocka_unit_test(own_servers),
		cmocka_unit_test(forbidden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
