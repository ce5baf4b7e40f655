/* SPDX-License-Identifier: Apache-2.0 */
/* Networks and addresses in their written forms, matching, own addresses, list helpers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/mem.h"
#include "conf/list.h"
#include "conf/match.h"
#include "conf/own_address.h"

struct row {
	const char *net;
	bool valid;
	const char *inside;
	const char *outside;
};

static const struct row rows[] = {
	{ "127.0.0.0/8", true, "127.1.2.3", "128.0.0.1" },
	{ "192.0.2.1", true, "192.0.2.1", "192.0.2.2" },
	{ "192.0.2.1/32", true, "192.0.2.1", "192.0.2.0" },
	{ "192.0.2.128/25", true, "192.0.2.255", "192.0.2.127" },
	{ "10.32.0.0/11", true, "10.63.255.255", "10.64.0.0" },
	{ "0.0.0.0/0", true, "255.255.255.255", "2001:db8::1" },
	{ "[::1]/128", true, "::1", "::2" },
	{ "[::1]", true, "::1", "127.0.0.1" },
	{ "[::1/128]", true, "::1", "::" },
	{ "::1", true, "::1", "::3" },
	{ "2001:db8::/32", true, "2001:db8:ffff::1", "2001:db9::" },
	{ "[2001:db8::]/33", true, "2001:db8:7fff::1", "2001:db8:8000::" },
	{ "[fe80::]/10", true, "febf::1", "fec0::1" },
	{ "::/0", true, "2001:db8::1", "192.0.2.1" },
	{ "[::ffff:192.0.2.0]/120", true, "192.0.2.9", "192.0.3.1" },
	/* host bits, prefixes, shapes */
	{ "192.0.2.1/24", false, NULL, NULL },
	{ "[2001:db8::1]/64", false, NULL, NULL },
	{ "192.0.2.0/33", false, NULL, NULL },
	{ "::/129", false, NULL, NULL },
	{ "192.0.2.0/", false, NULL, NULL },
	{ "192.0.2.0/-1", false, NULL, NULL },
	{ "192.0.2.0/+8", false, NULL, NULL },
	{ "192.0.2.0/8/8", false, NULL, NULL },
	{ "192.0.2", false, NULL, NULL },
	{ "192.0.2.0.1", false, NULL, NULL },
	{ "192.0.2.256", false, NULL, NULL },
	{ "0300.0.2.1", false, NULL, NULL },
	{ "[192.0.2.1]", false, NULL, NULL },
	{ "[::1", false, NULL, NULL },
	{ "[::1]x", false, NULL, NULL },
	{ "[::1/128]/128", false, NULL, NULL },
	{ "::1]", false, NULL, NULL },
	{ "[]", false, NULL, NULL },
	{ "/8", false, NULL, NULL },
	{ "", false, NULL, NULL },
	{ "localhost", false, NULL, NULL },
	{ "fe80::1%lo", false, NULL, NULL },
};

static void
networks(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *row = &rows[i];
		const char *why = NULL;
		struct cidr net = { .prefix = 77 };
		uint8_t address[16];
		bool ok = cidr_parse(view_of(row->net), &net, &why);
		if (ok != row->valid)
			fail_msg("%s: %s", row->net, why ? why : "accepted");
		if (!ok) {
			assert_non_null(why);
			assert_int_equal(net.prefix, 77);
			continue;
		}
		assert_true(cidr_parse_address(view_of(row->inside), address));
		if (!cidr_has(&net, address))
			fail_msg("%s does not have %s", row->net, row->inside);
		assert_true(cidr_parse_address(view_of(row->outside), address));
		if (cidr_has(&net, address))
			fail_msg("%s has %s", row->net, row->outside);
	}
}

static void
addresses(void **state)
{
	static const char *const same[] = { "192.0.2.1", "[192.0.2.1]", "::ffff:192.0.2.1",
		"[IPv6:::ffff:192.0.2.1]" };
	static const char *const bad[] = { "", "[", "[]", "192.0.2.1/32", "192.0.2.1]", "a",
		"[IPv6:]", "1", "::g", "192.0.2.1 " };
	uint8_t first[16], other[16];
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct sockaddr local = { .sa_family = AF_UNIX };

	(void)state;
	assert_true(cidr_parse_address(view_of(same[0]), first));
	for (size_t i = 0; i < ARRAY_LEN(same); i++) {
		if (!cidr_parse_address(view_of(same[i]), other) ||
		    memcmp(first, other, 16) != 0)
			fail_msg("%s", same[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (cidr_parse_address(view_of(bad[i]), other))
			fail_msg("accepted: %s", bad[i]);
	assert_false(cidr_parse_address(VIEW("::1\0x"), other));
	inet_pton(AF_INET, "192.0.2.1", &v4.sin_addr);
	assert_true(cidr_from_sockaddr((const struct sockaddr *)&v4, other));
	assert_memory_equal(first, other, 16);
	inet_pton(AF_INET6, "::ffff:192.0.2.1", &v6.sin6_addr);
	assert_true(cidr_from_sockaddr((const struct sockaddr *)&v6, other));
	assert_memory_equal(first, other, 16);
	assert_false(cidr_from_sockaddr(&local, other));
}

static void
own(void **state)
{
	struct own_address *a;
	struct buf out = BUF_INIT(1000);
	size_t count = own_addresses("[127.0.0.1], 192.0.2.55 127.0.0.1", "all", &a);

	(void)state;
	assert_int_equal(count, 2);
	assert_true(a[0].is_loopback && a[0].is_ipv4);
	assert_int_equal(a[0].prefix, 96 + 8); /* as the loopback interface has it */
	assert_false(a[1].is_loopback);
	assert_int_equal(a[1].prefix, 128);
	mem_free(a);
	assert_int_equal(own_addresses("127.0.0.1", "ipv6", &a), 0);
	mem_free(a);
	own_networks("127.0.0.1 127.0.0.2 10.9.8.7 172.16.1.1 192.0.2.1", "all", "class", &out);
	assert_string_equal(buf_str(&out), "127.0.0.0/8 10.0.0.0/8 172.16.0.0/16 192.0.2.0/24");
	buf_clear(&out);
	own_networks("10.9.8.7 2001:db8::7", "all", "host", &out);
	assert_string_equal(buf_str(&out), "10.9.8.7/32 [2001:db8::7]/128");
	buf_clear(&out);
	own_networks("", "all", "subnet", &out);
	assert_string_equal(buf_str(&out), "127.0.0.0/8 [::1]/128");
	buf_done(&out);
}

static void
lists(void **state)
{
	struct view rest = VIEW(" a,b\n\tc, {d e, f}  {}"), member;
	static const char *const expected[] = { "a", "b", "c", "{d e, f}", "{}" };
	size_t i = 0;

	(void)state;
	for (; conf_list_next(&rest, &member); i++)
		assert_true(i < 5 && view_eq(member, view_of(expected[i])));
	assert_int_equal(i, 5);
	assert_true(conf_list_has("all, ipv4", VIEW("IPv4")));
	assert_false(conf_list_has("all, ipv4", VIEW("ipv")));
	assert_true(view_eq(conf_list_unbrace(VIEW("{ d e }")), VIEW("d e")));
	assert_true(view_eq(conf_list_unbrace(VIEW("{d")), VIEW("{d")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(networks),
		cmocka_unit_test(addresses),
		cmocka_unit_test(own),
		cmocka_unit_test(lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
