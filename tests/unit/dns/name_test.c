/* SPDX-License-Identifier: Apache-2.0 */
/* Names from people and from packets: what is taken, what is refused, and that no packet makes
 * the reader run in circles or out of its bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "dns/name.h"

#define L10 "abcdefghij"
#define L60 L10 L10 L10 L10 L10 L10
#define L63 L60 "abc"

static void
from_text(void **state)
{
	static const struct {
		const char *text, *expected; /* NULL: refused */
	} rows[] = {
		{ "example.org", "example.org" },
		{ "example.org.", "example.org" },
		{ "Example.ORG", "Example.ORG" },
		{ ".", "" },
		{ "_25._tcp.mx.example", "_25._tcp.mx.example" },
		{ "0/25.2.0.192.in-addr.arpa", "0/25.2.0.192.in-addr.arpa" },
		{ "b\u00fccher.example", "xn--bcher-kva.example" },
		{ L63 "." L63 "." L63 "." L60 "a", L63 "." L63 "." L63 "." L60 "a" },
		{ "", NULL },
		{ "..", NULL },
		{ "a..b", NULL },
		{ ".a", NULL },
		{ "a b", NULL },
		{ "a\nb", NULL },
		{ "a\x7f"
		  "b",
		    NULL },
		{ "a\\.b", NULL },
		{ "<a>", NULL },
		{ "a@b", NULL },
		{ "b\xff", NULL },
		{ L63 "x", NULL },
		{ L63 "." L63 "." L63 "." L60 "ab", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dns_name name = { 3, "old" };
		bool ok = dns_name_from_text(view_of(rows[i].text), &name);

		if (ok != (rows[i].expected != NULL))
			fail_msg("row %zu: %s", i, rows[i].text);
		assert_string_equal(name.text, ok ? rows[i].expected : "old");
		assert_int_equal(name.n, strlen(name.text));
	}
}

#define BYTES(s)                                                                               \
	{                                                                                      \
		s, sizeof(s) - 1                                                               \
	}

static void
from_packet(void **state)
{
	static const struct {
		struct view packet;
		size_t at;
		const char *expected; /* NULL: not taken */
		int end;              /* -1: malformed */
	} rows[] = {
		{ BYTES("\1a\1b\0"), 0, "a.b", 5 },
		{ BYTES("\0rest"), 0, "", 1 },
		{ BYTES("\1b\0\1a\xc0\0rest"), 3, "a.b", 7 },
		{ BYTES("\1c\0\1b\xc0\0\1a\xc0\3"), 7, "a.b.c", 11 },
		{ BYTES("\1a\xc0\0"), 2, "a", -1 },       /* to itself */
		{ BYTES("\xc0\0"), 0, NULL, -1 },         /* the same, at once */
		{ BYTES("\1a\xc0\4\1b\0"), 0, NULL, -1 }, /* forward */
		{ BYTES("\xc0\2\xc0\0"), 2, NULL, -1 },   /* back and forth */
		{ BYTES("\1a\xc0"), 0, NULL, -1 },
		{ BYTES("\5abc"), 0, NULL, -1 },
		{ BYTES("\1a"), 0, NULL, -1 },
		{ BYTES(""), 0, NULL, -1 },
		{ BYTES("\x41z\0"), 0, NULL, -1 }, /* reserved kind of label */
		{ BYTES("\3a.b\1c\0x"), 0, NULL, 7 },
		{ BYTES("\3a\nb\0x"), 0, NULL, 5 },
		{ BYTES("\1\0\0"), 0, NULL, 3 },
		{ BYTES("\2\303\274\0"), 0, NULL, 4 },
		{ BYTES("\1\\\0"), 0, NULL, 3 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct cursor c =
		    cursor_of(view_sub(rows[i].packet, rows[i].at, rows[i].packet.n));
		struct dns_name name = { 3, "old" };
		bool ok = dns_name_take(rows[i].packet, &c, &name);

		if (c.failed != (rows[i].end < 0))
			fail_msg("row %zu: failed is %d", i, c.failed);
		if (!c.failed && c.p - rows[i].packet.p != rows[i].end)
			fail_msg("row %zu: ends at %d", i, (int)(c.p - rows[i].packet.p));
		if (ok != (rows[i].expected != NULL && rows[i].end >= 0))
			fail_msg("row %zu: taken is %d", i, ok);
		assert_string_equal(name.text, ok ? rows[i].expected : "old");
	}
}

/* 127 labels of one byte are 253 characters; a name of 128 is too long, and read over. */
static void
longest(void **state)
{
	char packet[300];

	(void)state;
	for (size_t labels = 127; labels <= 128; labels++) {
		struct view all = { packet, 2 * labels + 1 };
		struct cursor c = cursor_of(all);
		struct dns_name name;

		for (size_t i = 0; i < labels; i++)
			memcpy(packet + 2 * i, "\1a", 2);
		packet[2 * labels] = 0;
		assert_int_equal(dns_name_take(all, &c, &name), labels == 127);
		assert_true(cursor_at_end(&c));
		if (labels == 127)
			assert_int_equal(name.n, DNS_NAME_MAX);
	}
}

static void
reverse(void **state)
{
	static const struct {
		const char *name;
		int family;
		unsigned char address[16];
	} rows[] = {
		{ "4.3.2.192.in-addr.arpa", AF_INET, { 192, 2, 3, 4 } },
		{ "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
		    AF_INET6, { 0x20, 1, 0x0d, 0xb8, [15] = 1 } },
	};
	static const char *const refused[] = { "3.2.192.in-addr.arpa", "in-addr.arpa",
		"5.4.3.2.192.in-addr.arpa", "256.3.2.1.in-addr.arpa", "x.3.2.1.in-addr.arpa",
		"1.ip6.arpa", "example.org", "4.3.2.1.in-addr.arpa.example" };
	struct dns_name name;
	unsigned char address[16];
	int family;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		dns_name_of_address(rows[i].family, rows[i].address, &name);
		assert_string_equal(name.text, rows[i].name);
		assert_int_equal(name.n, strlen(name.text));
		memset(address, 0, sizeof(address));
		assert_true(dns_name_to_address(view_of(rows[i].name), &family, address));
		assert_int_equal(family, rows[i].family);
		assert_memory_equal(address, rows[i].address, 16);
	}
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		assert_false(dns_name_to_address(view_of(refused[i]), &family, address));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_text),
		cmocka_unit_test(from_packet),
		cmocka_unit_test(longest),
		cmocka_unit_test(reverse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
