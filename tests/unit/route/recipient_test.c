/* SPDX-License-Identifier: Apache-2.0 */
/* Which recipients exist, and the standard form of addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "route/route.h"
#include "tests/unit/conf_text.h"

#define COMMON                                                                                 \
	"mydestination = $myhostname, local.example\nvirtual_alias_domains = alias.example\n"  \
	"virtual_mailbox_domains = mailbox.example\nrelay_domains = relay.example\n"           \
	"recipient_delimiter = +\n"
#define LOCALS "local_recipient_maps = inline:{user=x, tag+ext=x, full@local.example=x}\n"

static void
existence(void **state)
{
	static const struct {
		const char *text, *recipient;
		enum route_class class_;
		enum table_result result;
	} rows[] = {
		{ LOCALS, "user@local.example", ROUTE_LOCAL, TABLE_FOUND },
		{ LOCALS, "USER@local.example", ROUTE_LOCAL, TABLE_FOUND },
		{ LOCALS, "user", ROUTE_LOCAL, TABLE_FOUND },
		{ LOCALS, "user@[192.0.2.25]", ROUTE_LOCAL, TABLE_FOUND },
		{ LOCALS, "user+any@local.example", ROUTE_LOCAL, TABLE_FOUND },
		{ LOCALS, "tag+ext@local.example", ROUTE_LOCAL, TABLE_FOUND },
		{ LOCALS, "tag@local.example", ROUTE_LOCAL, TABLE_NOT_FOUND },
		{ LOCALS, "full@local.example", ROUTE_LOCAL, TABLE_FOUND },
		{ LOCALS, "full@mail.example.org", ROUTE_LOCAL, TABLE_NOT_FOUND },
		{ LOCALS, "nobody-here@local.example", ROUTE_LOCAL, TABLE_NOT_FOUND },
		{ LOCALS, "user@local.example@local.example", ROUTE_LOCAL, TABLE_NOT_FOUND },
		{ LOCALS, "double-bounce@local.example", ROUTE_LOCAL, TABLE_FOUND },
		{ "local_recipient_maps =\n", "anybody@local.example", ROUTE_LOCAL,
		    TABLE_FOUND },
		{ "local_recipient_maps = fail:x\n", "user@local.example", ROUTE_LOCAL,
		    TABLE_CANNOT_TELL },
		{ "local_recipient_maps = lmdb:/none\n", "user@local.example", ROUTE_LOCAL,
		    TABLE_CANNOT_TELL },
		{ "local_recipient_maps = inline:{user=x} fail:x\n", "nobody@local.example",
		    ROUTE_LOCAL, TABLE_CANNOT_TELL },
		/* The default asks the system's users, and alias_maps, which is empty here. */
		{ "", "root@local.example", ROUTE_LOCAL, TABLE_FOUND },
		{ "", "no-such-user-here@local.example", ROUTE_LOCAL, TABLE_NOT_FOUND },
		{ "alias_maps = inline:{postmaster=root}\n", "postmaster@local.example",
		    ROUTE_LOCAL, TABLE_FOUND },
		/* Tables that rewrite vouch for any class. */
		{ LOCALS "virtual_alias_maps = inline:{sales@local.example=user}\n",
		    "sales@local.example", ROUTE_LOCAL, TABLE_FOUND },
		{ "virtual_alias_maps = inline:{a@alias.example=user}\n", "a@alias.example",
		    ROUTE_VIRTUAL_ALIAS, TABLE_FOUND },
		{ "virtual_alias_maps = inline:{a@alias.example=user}\n", "a+x@alias.example",
		    ROUTE_VIRTUAL_ALIAS, TABLE_FOUND },
		{ "virtual_alias_maps = inline:{a@alias.example=user}\n", "b@alias.example",
		    ROUTE_VIRTUAL_ALIAS, TABLE_NOT_FOUND },
		{ "virtual_alias_maps = inline:{@alias.example=user}\n", "b@alias.example",
		    ROUTE_VIRTUAL_ALIAS, TABLE_FOUND },
		{ "virtual_alias_maps = fail:x\n", "b@alias.example", ROUTE_VIRTUAL_ALIAS,
		    TABLE_CANNOT_TELL },
		{ "canonical_maps = inline:{b@mailbox.example=user}\n"
		  "virtual_mailbox_maps = inline:{c@mailbox.example=x}\n",
		    "b@mailbox.example", ROUTE_VIRTUAL_MAILBOX, TABLE_FOUND },
		{ "virtual_mailbox_maps = inline:{c@mailbox.example=x}\n",
		    "c+e@mailbox.example", ROUTE_VIRTUAL_MAILBOX, TABLE_FOUND },
		{ "virtual_mailbox_maps = inline:{c@mailbox.example=x}\n", "d@mailbox.example",
		    ROUTE_VIRTUAL_MAILBOX, TABLE_NOT_FOUND },
		{ "virtual_mailbox_maps = inline:{c=x}\n", "c@mailbox.example",
		    ROUTE_VIRTUAL_MAILBOX, TABLE_NOT_FOUND },
		{ "", "d@relay.example", ROUTE_RELAY, TABLE_FOUND },
		{ "relay_recipient_maps = inline:{c@relay.example=x}\n", "c@relay.example",
		    ROUTE_RELAY, TABLE_FOUND },
		{ "relay_recipient_maps = inline:{c@relay.example=x}\n", "d@relay.example",
		    ROUTE_RELAY, TABLE_NOT_FOUND },
		{ "relay_recipient_maps = inline:{@relay.example=x}\n", "d@relay.example",
		    ROUTE_RELAY, TABLE_FOUND },
		{ "", "anybody@example.net", ROUTE_DEFAULT, TABLE_FOUND },
		/* What ends in the error transport has no place to go, whoever it is. */
		{ LOCALS "relocated_maps = inline:{user=elsewhere}\n", "user@local.example",
		    ROUTE_LOCAL, TABLE_NOT_FOUND },
		{ LOCALS "transport_maps = inline:{{local.example=error:closed}}\n",
		    "user@local.example", ROUTE_LOCAL, TABLE_NOT_FOUND },
		{ "default_transport = retry:later\n", "anybody@example.net", ROUTE_DEFAULT,
		    TABLE_NOT_FOUND },
		{ "transport_maps = fail:x\n", "anybody@example.net", ROUTE_DEFAULT,
		    TABLE_CANNOT_TELL },
		{ "transport_maps = inline:{{alias.example=error:closed}}\n"
		  "virtual_alias_maps = inline:{a@alias.example=user}\n",
		    "a@alias.example", ROUTE_VIRTUAL_ALIAS, TABLE_FOUND },
		{ "", "x@bad..example", ROUTE_ERROR, TABLE_NOT_FOUND },
	};

	(void)state;
	table_set_direct(true);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *text = mem_printf("%s%s", COMMON, rows[i].text);
		struct conf *conf = conf_of(text);
		struct router *router = router_open(conf);
		struct arena arena = ARENA_INIT;
		const char *why = NULL;
		struct route route;
		enum table_result result = router_recipient_exists(router, VIEW_NONE,
		    view_of(rows[i].recipient), rows[i].class_, &arena, &route, &why);

		if (result != rows[i].result)
			fail_msg("%s%s: %d", rows[i].text, rows[i].recipient, result);
		assert_int_equal(why != NULL, result == TABLE_CANNOT_TELL);
		arena_reset(&arena);
		router_free(&router);
		conf_free(&conf);
		mem_free(text);
	}
}

static void
standard_form(void **state)
{
	static const struct {
		const char *text, *address, *expected;
	} rows[] = {
		{ "", "", "" },
		{ "", "user", "user@mail.example.org" },
		{ "myorigin = $mydomain\n", "user", "user@example.org" },
		{ "append_at_myorigin = no\n", "user", "user" },
		{ "", "user@host", "user@host" },
		{ "append_dot_mydomain = yes\n", "user@host", "user@host.example.org" },
		{ "append_dot_mydomain = yes\n", "user@host.net", "user@host.net" },
		{ "append_dot_mydomain = yes\n", "user@[192.0.2.1]", "user@[192.0.2.1]" },
		{ "", "user@host.net.", "user@host.net" },
		{ "", "user@host.net..", "user@host.net.." },
		{ "", "user@", "user@" },
		{ "", "site!user", "site!user@mail.example.org" },
		{ "", "user%site", "user%site@mail.example.org" },
		{ "", "a@b@host.net", "a@b@host.net" },
		{ "", "User@Host.Net", "User@Host.Net" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct conf *conf = conf_of(rows[i].text);
		struct buf out = BUF_INIT(1000);

		route_standard_form(conf_values_of(conf), view_of(rows[i].address), &out);
		assert_string_equal(buf_str(&out), rows[i].expected);
		buf_done(&out);
		conf_free(&conf);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(existence),
		cmocka_unit_test(standard_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
