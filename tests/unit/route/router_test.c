/* SPDX-License-Identifier: Apache-2.0 */
/* Address classes, and that no notation makes somebody else's mail ours to relay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/cursor.h"
#include "mail/address.h"
#include "route/route.h"
#include "tests/unit/conf_text.h"

static const char settings[] = "mydestination = $myhostname, local.example, localhost\n"
			       "virtual_alias_domains = alias.example\n"
			       "virtual_mailbox_domains = mailbox.example\n"
			       "relay_domains = relay.example\n"
			       "proxy_interfaces = 198.51.100.25, 2001:db8::25\n"
			       "local_recipient_maps = inline:{user=x}\n"
			       "relay_recipient_maps = inline:{user@relay.example=x}\n";

static struct conf *conf;
static struct router *router;

static void
open_router(const char *text)
{
	table_set_direct(true);
	conf = conf_of(text);
	router = router_open(conf);
}

static void
close_router(void)
{
	router_free(&router);
	assert_null(router);
	conf_free(&conf);
}

static int
setup(void **state)
{
	(void)state;
	open_router(settings);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	close_router();
	return 0;
}

static void
classes(void **state)
{
	static const struct {
		const char *domain;
		enum route_class class_;
	} rows[] = {
		{ "mail.example.org", ROUTE_LOCAL },
		{ "MAIL.Example.ORG", ROUTE_LOCAL },
		{ "mail.example.org.", ROUTE_LOCAL },
		{ "local.example", ROUTE_LOCAL },
		{ "localhost", ROUTE_LOCAL },
		{ "[192.0.2.25]", ROUTE_LOCAL },
		{ "[198.51.100.25]", ROUTE_LOCAL },
		{ "[IPv6:2001:db8::25]", ROUTE_LOCAL },
		{ "[IPv6:2001:db8:0:0::25]", ROUTE_LOCAL },
		{ "[IPv6:::ffff:192.0.2.25]", ROUTE_LOCAL },
		{ "alias.example", ROUTE_VIRTUAL_ALIAS },
		{ "mailbox.example", ROUTE_VIRTUAL_MAILBOX },
		{ "relay.example", ROUTE_RELAY },
		{ "sub.relay.example", ROUTE_RELAY },
		{ "sub.local.example", ROUTE_DEFAULT },
		{ "sub.alias.example", ROUTE_DEFAULT },
		{ "sub.mailbox.example", ROUTE_DEFAULT },
		{ "notrelay.example", ROUTE_DEFAULT },
		{ "relay.example.com", ROUTE_DEFAULT },
		{ "example.net", ROUTE_DEFAULT },
		{ "[192.0.2.26]", ROUTE_DEFAULT },
		{ "[127.0.0.1]", ROUTE_DEFAULT }, /* inet_interfaces names one address only */
		{ "", ROUTE_ERROR },
		{ ".", ROUTE_ERROR },
		{ ".local.example", ROUTE_ERROR },
		{ "local..example", ROUTE_ERROR },
		{ "local.example..", ROUTE_ERROR },
		{ "192.0.2.25", ROUTE_ERROR },
		{ "3221226009", ROUTE_ERROR },
		{ "[192.0.2]", ROUTE_ERROR },
		{ "[0xc0.0.2.25]", ROUTE_ERROR },
		{ "[192.0.2.25", ROUTE_ERROR },
		{ "[]", ROUTE_ERROR },
		{ "local.example:25", ROUTE_ERROR },
		{ "local.example/x", ROUTE_ERROR },
		{ "local example", ROUTE_ERROR },
		{ "-local.example", ROUTE_ERROR },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum route_class class_ = (enum route_class)99;
		const char *why = NULL;

		assert_int_equal(
		    router_class(router, view_of(rows[i].domain), &class_, &why), TABLE_FOUND);
		if (class_ != rows[i].class_)
			fail_msg("%s: class %d", rows[i].domain, class_);
	}
}

/* A list that cannot be read answers for no domain that stands behind it, least of all "ours".
 */
static void
broken_lists(void **state)
{
	static const struct {
		const char *text, *domain;
		enum table_result result;
		enum route_class class_;
	} rows[] = {
		{ "mydestination = one.example, lmdb:/none\n", "one.example", TABLE_FOUND,
		    ROUTE_LOCAL },
		{ "mydestination = one.example, lmdb:/none\n", "two.example", TABLE_CANNOT_TELL,
		    ROUTE_ERROR },
		{ "mydestination = one.example\nrelay_domains = fail:x\n", "two.example",
		    TABLE_CANNOT_TELL, ROUTE_ERROR },
		{ "mydestination = one.example\nrelay_domains = fail:x\n", "one.example",
		    TABLE_FOUND, ROUTE_LOCAL },
		{ "mydestination = one.example\nrelay_domains = /none\n", "two.example",
		    TABLE_CANNOT_TELL, ROUTE_ERROR },
		{ "mydestination =\nvirtual_mailbox_maps = fail:x\n", "two.example",
		    TABLE_CANNOT_TELL, ROUTE_ERROR },
		{ "mydestination = lmdb:/none\n", "[192.0.2.26]", TABLE_CANNOT_TELL,
		    ROUTE_ERROR },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum route_class class_;
		const char *why = NULL;
		enum table_result result;

		open_router(rows[i].text);
		result = router_class(router, view_of(rows[i].domain), &class_, &why);
		assert_int_equal(result, rows[i].result);
		if (result == TABLE_FOUND)
			assert_int_equal(class_, rows[i].class_);
		else
			assert_non_null(why);
		close_router();
	}
}

/* attacks.md E2: without interface information nothing but loopback is ours. */
static void
own_addresses_fail_closed(void **state)
{
	unsigned char mapped[16] = {
		[10] = 0xff, [11] = 0xff, [12] = 203, [14] = 113, [15] = 1
	};
	unsigned char loopback[16] = { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 };
	unsigned char zero[16] = { 0 };

	(void)state;
	open_router("inet_interfaces = all\n");
	assert_true(router_is_own_address(router, loopback));
	assert_false(router_is_own_address(router, mapped));
	assert_false(router_is_own_address(router, zero));
	close_router();
	open_router("inet_interfaces = loopback-only\n");
	assert_true(router_is_own_address(router, loopback));
	assert_false(router_is_own_address(router, mapped));
	close_router();
	open_router("inet_interfaces = no-such-host.invalid\n");
	assert_false(router_is_own_address(router, loopback));
	assert_false(router_is_own_address(router, mapped));
	assert_false(router_is_own_address(router, zero));
	close_router();
}

/*
 * The relay matrix of attacks.md (L08 to L32; the sender does not matter here). L is
 * local.example, IP 192.0.2.25, H mail.example.org, X victim.example. As RCPT TO writes them.
 */
static const char *const matrix[] = {
	"<v@victim.example>",
	"<v%victim.example@local.example>",
	"<v%victim.example@[192.0.2.25]>",
	"<v%victim.example@mail.example.org>",
	"<\"v@victim.example\">",
	"<\"v%victim.example\">",
	"<v@victim.example@local.example>",
	"<v@victim.example@[192.0.2.25]>",
	"<v@victim.example@mail.example.org>",
	"<\"v@victim.example\"@local.example>",
	"<\"v@victim.example\"@[192.0.2.25]>",
	"<\"v%victim.example\"@local.example>",
	"<v\\@victim.example@local.example>",
	"<\"v\\@victim.example\"@local.example>",
	"<@local.example:v@victim.example>",
	"<@[192.0.2.25]:v@victim.example>",
	"<@mail.example.org,@local.example:v@victim.example>",
	"<victim.example!v>",
	"<victim.example!v@local.example>",
	"<victim.example!v@[192.0.2.25]>",
	"<mail.example.org!victim.example!v>",
	"<local.example!victim.example!v@local.example>",
	"<victim.example!v%local.example>",
	"<v%victim.example%local.example@local.example>",
	"<v%victim.example>",
	"<v@[203.0.113.1]>",
	"<v@[IPv6:2001:db8:bad::1]>",
	"<v@2130706433>",
	"<v@victim.example:25>",
	"<v@victim.example.>",
	"<v@local.example.@victim.example>",
	"<v@.local.example>",
	"<v@local.example..>",
	"<v@>",
	"<@local.example>",
	"<=?x?q?v=40victim.example=3e?=@local.example>",
	"<=?utf-7?q?v+AEA-victim.example?=@local.example>",
	"<v@victim.example%00@local.example>",
	"<v@local.example(v@victim.example)>",
	"<v@local.example,v@victim.example>",
	"<v@victim.example><u@local.example>",
	"<\"|cmd\"@local.example>",
	"</tmp/f@local.example>",
	"<:include:/etc/passwd@local.example>",
	"<~root@local.example>",
	"<\"-oQ/tmp\"@local.example>",
	"<u@sub.local.example>",
	"<v@local.example\xe3\x80\x82victim.example>",
	"<v@\xef\xbc\xac"
	"ocal.example>",
	/* To a relay domain, where the next host might read the local part again. */
	"<v%victim.example@relay.example>",
	"<\"v@victim.example\"@relay.example>",
	"<victim.example!v@relay.example>",
};

/*
 * Each is refused by the parser, or leads away from us (default class:
 * reject_unauth_destination refuses it), or is an error, or is nobody of ours. None may reach
 * another class's "exists".
 */
static void
relay_matrix(void **state)
{
	struct arena arena = ARENA_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(matrix); i++) {
		struct cursor c = cursor_of(view_of(matrix[i]));
		struct path path;
		struct route route = { 0 };
		const char *why = NULL;

		if (!path_parse(&c, PATH_UTF8, &arena, &path, &why) || !cursor_at_end(&c))
			continue;
		assert_int_equal(
		    router_resolve(router, VIEW_NONE, path.address, &arena, &route, &why),
		    TABLE_FOUND);
		if (route.class_ == ROUTE_DEFAULT || route.class_ == ROUTE_ERROR)
			continue;
		if (router_recipient_exists(router, VIEW_NONE, path.address, route.class_,
			&arena, &route, &why) != TABLE_NOT_FOUND)
			fail_msg("%s is somebody here", matrix[i]);
		/* And the local part is what it was, to the byte. */
		assert_true(view_has_prefix(route.recipient, path.address));
		arena_reset(&arena);
	}
	arena_reset(&arena);
}

/* The same through resolve alone, for addresses that no parser has seen (sendmail, milters). */
static void
raw_addresses(void **state)
{
	static const struct {
		struct view address;
		enum route_class class_;
		const char *nexthop;
	} rows[] = {
		{ VIEW("v@victim.example@local.example"), ROUTE_LOCAL, "mail.example.org" },
		{ VIEW("v%victim.example@local.example"), ROUTE_LOCAL, "mail.example.org" },
		{ VIEW("victim.example!v"), ROUTE_LOCAL, "mail.example.org" },
		{ VIEW("v%victim.example"), ROUTE_LOCAL, "mail.example.org" },
		{ VIEW("v@local.example@victim.example"), ROUTE_DEFAULT, "victim.example" },
		{ VIEW("v@victim.example\0@local.example"), ROUTE_ERROR, "" },
		{ VIEW("v@local.example\0"), ROUTE_ERROR, "" },
		{ VIEW("v\r\nRCPT TO:<x@victim.example>@local.example"), ROUTE_ERROR, "" },
		{ VIEW("v@local.example\n"), ROUTE_ERROR, "" },
		{ VIEW("v@local.example.."), ROUTE_ERROR, "" },
		{ VIEW("v@relay.example.."), ROUTE_ERROR, "" },
		{ VIEW("v@"), ROUTE_ERROR, "" },
		{ VIEW("@"), ROUTE_ERROR, "" },
		{ VIEW("@local.example"), ROUTE_ERROR, "" },
		{ VIEW("-oQ/tmp@local.example"), ROUTE_ERROR, "" },
		{ VIEW("v@192.0.2.25"), ROUTE_ERROR, "" },
		{ VIEW("v@[127.1]"), ROUTE_ERROR, "" },
		{ VIEW("v@local.example\xe3\x80\x82victim.example"), ROUTE_ERROR, "" },
	};
	struct arena arena = ARENA_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct route route = { 0 };
		const char *why = NULL;

		assert_int_equal(
		    router_resolve(router, VIEW_NONE, rows[i].address, &arena, &route, &why),
		    TABLE_FOUND);
		if (route.class_ != rows[i].class_)
			fail_msg("row %zu: class %d", i, route.class_);
		if (rows[i].class_ == ROUTE_ERROR) {
			assert_true(view_eq(route.transport, VIEW("error")));
			assert_true(view_eq(route.nexthop, VIEW("5.1.3 bad address syntax")));
		} else {
			assert_true(view_eq(route.nexthop, view_of(rows[i].nexthop)));
		}
	}
	arena_reset(&arena);
}

static void
sender_routing(void **state)
{
	static const struct {
		const char *address;
		bool routed;
	} rows[] = {
		{ "user@d", false },
		{ "a@b@d", true },
		{ "a%b@d", true },
		{ "a!b@d", true },
		{ "a+b=c@d", false },
		{ "a", false },
		{ "a!b", true },
		{ "", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(
		    route_has_sender_routing(view_of(rows[i].address)), rows[i].routed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(classes, setup, teardown),
		cmocka_unit_test(broken_lists),
		cmocka_unit_test(own_addresses_fail_closed),
		cmocka_unit_test_setup_teardown(relay_matrix, setup, teardown),
		cmocka_unit_test_setup_teardown(raw_addresses, setup, teardown),
		cmocka_unit_test(sender_routing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
