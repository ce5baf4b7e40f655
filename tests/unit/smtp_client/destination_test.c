/* SPDX-License-Identifier: Apache-2.0 */
/* Next hops as they stand in relayhost and transport tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "smtp/destination.h"

#define DOMAIN  DESTINATION_DOMAIN
#define HOST    DESTINATION_HOST
#define ADDRESS DESTINATION_ADDRESS
#define UNIX    DESTINATION_UNIX

static void
good(void **state)
{
	static const struct {
		const char *text;
		bool is_lmtp;
		enum destination_kind kind;
		const char *name;
		const char *service;
	} rows[] = {
		{ "example.com", false, DOMAIN, "example.com", "" },
		{ "example.com.", false, DOMAIN, "example.com", "" },
		{ "example.com:2525", false, DOMAIN, "example.com", "2525" },
		{ "example.com:submission", false, DOMAIN, "example.com", "submission" },
		{ "[mail.example.com]", false, HOST, "mail.example.com", "" },
		{ "[mail.example.com]:26", false, HOST, "mail.example.com", "26" },
		{ "[127.0.0.1]", false, ADDRESS, "127.0.0.1", "" },
		{ "[127.0.0.1]:2525", false, ADDRESS, "127.0.0.1", "2525" },
		{ "[IPv6:::1]:26", false, ADDRESS, "::1", "26" },
		{ "[ipv6:2001:db8::1]", false, ADDRESS, "2001:db8::1", "" },
		{ "[::1]:26", false, ADDRESS, "::1", "26" },
		{ "mail.example.com", true, HOST, "mail.example.com", "" },
		{ "127.0.0.1:24", true, ADDRESS, "127.0.0.1", "24" },
		{ "inet:mail.example.com:24", true, HOST, "mail.example.com", "24" },
		{ "inet:[::1]:24", true, ADDRESS, "::1", "24" },
		{ "unix:/run/dovecot/lmtp", true, UNIX, "/run/dovecot/lmtp", "" },
		{ "unix:private/dovecot-lmtp", true, UNIX, "private/dovecot-lmtp", "" },
		/* Only LMTP knows sockets: a host and an odd service. */
		{ "unix:24", false, DOMAIN, "unix", "24" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct destination to;
		const char *why = "";

		assert_true(
		    destination_parse(view_of(rows[i].text), rows[i].is_lmtp, &to, &why));
		assert_int_equal(to.kind, rows[i].kind);
		assert_true(view_eq(to.name, view_of(rows[i].name)));
		assert_true(view_eq(to.service, view_of(rows[i].service)));
	}
}

static void
addresses(void **state)
{
	static const unsigned char loopback[16] = { [15] = 1 };
	struct destination to;
	const char *why;

	(void)state;
	assert_true(destination_parse(VIEW("[192.0.2.7]:1"), false, &to, &why));
	assert_false(to.is_ipv6);
	assert_memory_equal(to.address, "\xc0\0\2\7", 4);
	assert_true(destination_parse(VIEW("[::1]:1"), false, &to, &why));
	assert_true(to.is_ipv6);
	assert_memory_equal(to.address, loopback, 16);
}

static void
bad(void **state)
{
	static const struct {
		const char *text;
		bool is_lmtp;
	} rows[] = {
		{ "", false },
		{ ":25", false },
		{ "[]", false },
		{ "[]:25", false },
		{ "[example.com", false },
		{ "[example.com]x", false },
		{ "[example.com]:", false },
		{ "example.com:", false },
		{ "exa mple.com", false },
		{ "example..com", false },
		{ "[a@b]", false },
		{ "[fe80::1%lo]", false },
		{ "unix:", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct destination to;
		const char *why = NULL;

		assert_false(
		    destination_parse(view_of(rows[i].text), rows[i].is_lmtp, &to, &why));
		assert_non_null(why);
	}
}

static void
lists(void **state)
{
	struct view list = VIEW("a.test, [b.test]:26,c.test"), text;

	(void)state;
	assert_true(destination_next(&list, &text));
	assert_true(view_eq(text, VIEW("a.test")));
	assert_true(destination_next(&list, &text));
	assert_true(view_eq(text, VIEW("[b.test]:26")));
	assert_true(destination_next(&list, &text));
	assert_true(view_eq(text, VIEW("c.test")));
	assert_false(destination_next(&list, &text));
}

static void
ports(void **state)
{
	static const struct {
		const char *service;
		unsigned port; /* 0: none */
	} rows[] = { { "25", 25 }, { "65535", 65535 }, { "65536", 0 }, { "0", 0 }, { "-1", 0 },
		{ "smtp", 26 }, { "SMTP", 26 }, { "submissions", 465 }, { "smtps", 465 },
		{ "nonesuch", 0 }, { "", 0 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint16_t port = 0;

		assert_int_equal(destination_port(view_of(rows[i].service),
				     "smtp=26, smtps=submissions=465", &port),
		    rows[i].port != 0);
		assert_true(rows[i].port == 0 || port == rows[i].port);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good),
		cmocka_unit_test(addresses),
		cmocka_unit_test(bad),
		cmocka_unit_test(lists),
		cmocka_unit_test(ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
