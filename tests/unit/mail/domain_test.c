/* SPDX-License-Identifier: Apache-2.0 */
/* Domains, host names and address literals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "mail/address.h"

#define D "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd" /* 62 */

static void
domains(void **state)
{
	static const struct {
		const char *text;
		bool ascii, utf8, hostname;
	} rows[] = {
		{ "example.com", true, true, true },
		{ "a", true, true, true },
		{ "xn--bcher-kva.example", true, true, true },
		{ "a-b.c--d", true, true, true },
		{ "_dmarc.example.com", true, true, false },
		{ "a_b.example", true, true, false },
		{ "2130706433", true, true, false },
		{ "1.2.3.4", true, true, false },
		{ "1.2.3.4a", true, true, true },
		{ D "d.example", true, true, true },
		{ D "dd.example", false, false, false },
		{ D "d." D "d." D "d." D "d", true, true, true },     /* 255 */
		{ D "d." D "d." D "d." D ".d", false, false, false }, /* 256 */
		{ "", false, false, false },
		{ ".", false, false, false },
		{ "a.", false, false, false },
		{ ".a", false, false, false },
		{ "a..b", false, false, false },
		{ "-a.b", false, false, false },
		{ "a-.b", false, false, false },
		{ "a.-", false, false, false },
		{ "a b", false, false, false },
		{ "a\tb", false, false, false },
		{ "a/b", false, false, false },
		{ "a:25", false, false, false },
		{ "a\\.b", false, false, false },
		{ "a@b", false, false, false },
		{ "a%b", false, false, false },
		{ "b\xc3\xbc"
		  "cher.example",
		    false, true, false },
		{ "b\xc3.example", false, false, false },
		{ "a\xe3\x80\x82"
		  "b",
		    false, false, false }, /* U+3002 */
		{ "a\xef\xbc\x8e"
		  "b",
		    false, false, false }, /* U+FF0E */
		{ "a\xef\xbd\xa1"
		  "b",
		    false, false, false },               /* U+FF61 */
		{ "\xef\xbc\xac", false, false, false }, /* full-width L */
		{ "a\xc2\xa0"
		  "b",
		    false, false, false },
		{ "a\xc2\xad"
		  "b",
		    false, false, false },
		{ "a\xe2\x80\x8b"
		  "b",
		    false, false, false },
		{ "a\xe2\x80\xa8"
		  "b",
		    false, false, false },
		{ "[192.0.2.1]", true, true, false },
		{ "[192.0.2.1", false, false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct view v = view_of(rows[i].text);

		if (domain_is_valid(v, false) != rows[i].ascii ||
		    domain_is_valid(v, true) != rows[i].utf8 ||
		    hostname_is_valid(v) != rows[i].hostname)
			fail_msg("%s", rows[i].text);
	}
	assert_false(domain_is_valid(VIEW("a\0b"), true));
	assert_false(hostname_is_valid(VIEW("a\0b")));
}

static void
literals(void **state)
{
	static const struct {
		const char *text;
		const char *binary; /* hexadecimal; NULL: malformed */
	} rows[] = {
		{ "[127.0.0.1]", "00000000000000000000ffff7f000001" },
		{ "[IPv6:::ffff:127.0.0.1]", "00000000000000000000ffff7f000001" },
		{ "[ipv6:::1]", "00000000000000000000000000000001" },
		{ "[IPv6:2001:db8::1]", "20010db8000000000000000000000001" },
		{ "[255.255.255.255]", "00000000000000000000ffffffffffff" },
		{ "[256.0.0.1]", NULL },
		{ "[127.1]", NULL },
		{ "[127.0.0.01]", NULL },
		{ "[0x7f.0.0.1]", NULL },
		{ "[127.0.0.1.]", NULL },
		{ "[ 127.0.0.1]", NULL },
		{ "[+127.0.0.1]", NULL },
		{ "[2130706433]", NULL },
		{ "[::1]", NULL },
		{ "[IPv6:127.0.0.1]", NULL },
		{ "[IPv6:fe80::1%lo]", NULL },
		{ "[IPv6:1::2::3]", NULL },
		{ "[IPv6:]", NULL },
		{ "[x:y]", NULL },
		{ "[]", NULL },
		{ "[", NULL },
		{ "", NULL },
		{ "127.0.0.1", NULL },
		{ "[127.0.0.1]x", NULL },
		{ "[IPv6:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0001]", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct view v = view_of(rows[i].text);
		unsigned char out[16];
		char hex[33];

		assert_int_equal(address_literal_is_valid(v), rows[i].binary != NULL);
		assert_int_equal(address_literal_parse(v, out), rows[i].binary != NULL);
		if (!rows[i].binary)
			continue;
		for (size_t j = 0; j < 16; j++)
			snprintf(hex + 2 * j, 3, "%02x", out[j]);
		assert_string_equal(hex, rows[i].binary);
	}
	assert_false(address_literal_is_valid(VIEW("[127.0.0.1\0]")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(domains),
		cmocka_unit_test(literals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
