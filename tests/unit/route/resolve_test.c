/* SPDX-License-Identifier: Apache-2.0 */
/* Transport, next hop and recipient, as transport(5) and postconf(5) define them. */
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

struct row {
	const char *text, *sender, *recipient;
	const char *transport, *nexthop; /* transport NULL: cannot tell */
};

static void
check(const struct row *row)
{
	char *text = mem_printf("%s%s", COMMON, row->text);
	struct conf *conf = conf_of(text);
	struct router *router;
	struct arena arena = ARENA_INIT;
	struct route out = { 0 };
	const char *why = NULL;
	enum table_result result;

	table_set_direct(true);
	router = router_open(conf);
	result = router_resolve(
	    router, view_of(row->sender), view_of(row->recipient), &arena, &out, &why);
	if (row->transport == NULL) {
		assert_int_equal(result, TABLE_CANNOT_TELL);
		assert_non_null(why);
	} else if (result != TABLE_FOUND || !view_eq(out.transport, view_of(row->transport)) ||
	    !view_eq(out.nexthop, view_of(row->nexthop))) {
		fail_msg("%s%s: %d %.*s:%.*s", row->text, row->recipient, result,
		    VIEW_ARG(out.transport), VIEW_ARG(out.nexthop));
	}
	arena_reset(&arena);
	router_free(&router);
	conf_free(&conf);
	mem_free(text);
}

static void
by_class(void **state)
{
	static const struct row rows[] = {
		{ "", "", "u@local.example", "local", "mail.example.org" },
		{ "", "", "u@LOCAL.Example", "local", "mail.example.org" },
		{ "", "", "u", "local", "mail.example.org" },
		{ "", "", "u@[192.0.2.25]", "local", "mail.example.org" },
		{ "", "", "", "local", "mail.example.org" }, /* MAILER-DAEMON */
		{ "empty_address_recipient = u@example.net\n", "", "", "smtp", "example.net" },
		{ "local_transport = lmtp:unix:private/x\n", "", "u@local.example", "lmtp",
		    "unix:private/x" },
		{ "local_transport = local\n", "", "u@local.example", "local",
		    "local.example" },
		{ "", "", "u@alias.example", "error",
		    "5.1.1 User unknown in virtual alias table" },
		{ "show_user_unknown_table_name = no\n", "", "u@alias.example", "error",
		    "5.1.1 User unknown" },
		{ "", "", "u@mailbox.example", "virtual", "mailbox.example" },
		{ "virtual_transport = lmtp:[127.0.0.1]:24\n", "", "u@mailbox.example", "lmtp",
		    "[127.0.0.1]:24" },
		{ "", "", "u@relay.example", "relay", "relay.example" },
		{ "", "", "u@Sub.Relay.example", "relay", "sub.relay.example" },
		{ "", "", "u@example.net", "smtp", "example.net" },
		{ "", "", "u@[203.0.113.1]", "smtp", "[203.0.113.1]" },
		{ "", "", "u@example.net.", "smtp", "example.net" },
		{ "append_dot_mydomain = yes\n", "", "u@host", "smtp", "host.example.org" },
		{ "append_dot_mydomain = no\n", "", "u@host", "smtp", "host" },
		{ "myorigin = example.net\n", "", "u", "smtp", "example.net" },
		{ "append_at_myorigin = no\n", "", "u", "error", "5.1.3 bad address syntax" },
		/* relayhost is for what leaves, and gives way to a next hop of the transport.
		 */
		{ "relayhost = [gw.example]:587\n", "", "u@example.net", "smtp",
		    "[gw.example]:587" },
		{ "relayhost = [gw.example]:587\n", "", "u@relay.example", "relay",
		    "[gw.example]:587" },
		{ "relayhost = [gw.example]:587\n", "", "u@local.example", "local",
		    "mail.example.org" },
		{ "relayhost = [gw.example]:587\n", "", "u@mailbox.example", "virtual",
		    "mailbox.example" },
		{ "relayhost = gw\nrelay_transport = relay:[in.example]\n", "",
		    "u@relay.example", "relay", "[in.example]" },
		{ "relayhost = gw\ndefault_transport = smtp:[out.example]\n", "",
		    "u@example.net", "smtp", "[out.example]" },
		{ "default_transport = error:no mail leaves\n", "", "u@example.net", "error",
		    "no mail leaves" },
		{ "", "", "-u@local.example", "error", "5.1.3 bad address syntax" },
		{ "allow_min_user = yes\n", "", "-u@local.example", "local",
		    "mail.example.org" },
		{ "", "", "u@203.0.113.1", "error", "5.1.3 bad address syntax" },
		{ "resolve_numeric_domain = yes\n", "", "u@203.0.113.1", "smtp",
		    "[203.0.113.1]" },
		{ "resolve_numeric_domain = yes\n", "", "u@192.0.2.25", "local",
		    "mail.example.org" },
		{ "resolve_numeric_domain = yes\n", "", "u@203.0.113", "error",
		    "5.1.3 bad address syntax" },
		{ "", "", "u@", "error", "5.1.3 bad address syntax" },
		{ "resolve_null_domain = yes\n", "", "u@", "local", "mail.example.org" },
		{ "resolve_null_domain = yes\n", "", "@", "error", "5.1.3 bad address syntax" },
		{ "mydestination = fail:x\n", "", "u@example.net", NULL, NULL },
		/* Addresses of a proxy in front are ours, those of others are not. */
		{ "proxy_interfaces = 198.51.100.9\n", "", "u@[198.51.100.9]", "local",
		    "mail.example.org" },
		{ "", "", "u@[198.51.100.9]", "smtp", "[198.51.100.9]" },
		{ "inet_interfaces = 192.0.2.25\n", "", "u@[127.0.0.1]", "smtp",
		    "[127.0.0.1]" },
		{ "inet_interfaces = loopback-only\n", "", "u@[127.0.0.1]", "local",
		    "mail.example.org" },
		{ "inet_interfaces = loopback-only\n", "", "u@[IPv6:::1]", "local",
		    "mail.example.org" },
		{ "mydestination = $myhostname, [198.51.100.9]\n", "", "u@[198.51.100.9]",
		    "local", "mail.example.org" },
		/* Next hops with several hosts are the transport's to try in turn. */
		{ "relayhost = [a.example]:587, b.example\n", "", "u@example.net", "smtp",
		    "[a.example]:587, b.example" },
		{ "relayhost = [2001:DB8::1]:587\n", "", "u@example.net", "smtp",
		    "[2001:db8::1]:587" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(&rows[i]);
}

#define MAP "transport_maps = inline:{"

static void
by_transport_maps(void **state)
{
	static const struct row rows[] = {
		{ MAP "u+x@example.net=a:1, u@example.net=b:2, example.net=c:3}\n", "",
		    "u+x@example.net", "a", "1" },
		{ MAP "u@example.net=b:2, example.net=c:3}\n", "", "u+x@example.net", "b",
		    "2" },
		{ MAP "example.net=c:3, .net=d:4, *=e:5}\n", "", "u+x@Example.Net", "c", "3" },
		{ MAP ".example.net=d:4, *=e:5}\n", "", "u@a.b.example.net", "d", "4" },
		{ MAP ".example.net=d:4, *=e:5}\n", "", "u@example.net", "e", "5" },
		{ MAP "example.net=d:4}\n", "", "u@sub.example.net", "smtp",
		    "sub.example.net" },
		{ "parent_domain_matches_subdomains = transport_maps\n" MAP
		  "example.net=d:4}\n",
		    "", "u@sub.example.net", "d", "4" },
		{ MAP "*=e:5}\n", "", "u@local.example", "e", "5" },
		/* The null recipient is the mailer daemon's. */
		{ MAP "MAILER-DAEMON@mail.example.org=m:6}\n", "", "", "m", "6" },
		{ MAP "example.net=uucp}\n", "", "u@example.net", "uucp", "example.net" },
		{ MAP "{example.net=smtp: [h1], [h2]:26}}\n", "", "u@example.net", "smtp",
		    "[h1], [h2]:26" },
		{ MAP "u=e:5, @example.net=e:5}\n", "", "u@example.net", "smtp",
		    "example.net" },
		/* What a value leaves out. */
		{ MAP "example.net=:}\n", "", "u@example.net", "smtp", "example.net" },
		{ "relayhost = gw\n" MAP "example.net=:}\n", "", "u@example.net", "smtp",
		    "gw" },
		{ "relayhost = gw\n" MAP "example.net=smtp:}\n", "", "u@example.net", "smtp",
		    "example.net" },
		{ "relayhost = gw\n" MAP "example.net=smtp}\n", "", "u@example.net", "smtp",
		    "example.net" },
		{ "relayhost = gw\n" MAP "example.net=:[h]:25}\n", "", "u@example.net", "smtp",
		    "[h]:25" },
		{ MAP "local.example=:other}\n", "", "u@local.example", "local", "other" },
		{ MAP "local.example=:}\n", "", "u@local.example", "local",
		    "mail.example.org" },
		{ MAP "example.net=smtp:[h.example]:2525}\n", "", "u@example.net", "smtp",
		    "[h.example]:2525" },
		{ MAP "{example.net=error:5.7.1 Not Here}}\n", "", "u@example.net", "error",
		    "5.7.1 Not Here" },
		{ MAP "example.net=error:}\n", "", "u@example.net", "error",
		    "Address is undeliverable" },
		{ MAP "example.net=retry}\n", "", "u@example.net", "retry",
		    "Address is undeliverable" },
		{ MAP "alias.example=smtp:[h]}\n", "", "u@alias.example", "smtp", "[h]" },
		/* An address of no class stays an error whatever the map says. */
		{ MAP "*=smtp:[h]}\n", "", "u@bad..example", "error",
		    "5.1.3 bad address syntax" },
		{ MAP "a=b} fail:x\n", "", "u@example.net", NULL, NULL },
		{ "transport_maps = lmdb:/none\n", "", "u@local.example", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(&rows[i]);
}

#define RELAY "sender_dependent_relayhost_maps = inline:{"
#define AGENT "sender_dependent_default_transport_maps = inline:{"

static void
by_sender(void **state)
{
	static const struct row rows[] = {
		{ "relayhost=gw\n" RELAY "s@a.example=[one],@a.example=[two]}\n",
		    "s+x@a.example", "u@example.net", "smtp", "[one]" },
		{ "relayhost=gw\n" RELAY "s@a.example=[one],@a.example=[two]}\n", "t@a.example",
		    "u@example.net", "smtp", "[two]" },
		{ "relayhost=gw\n" RELAY "s@a.example=[one],@a.example=DUNNO}\n", "t@a.example",
		    "u@example.net", "smtp", "gw" },
		{ "relayhost=gw\n" RELAY "<>=[null]}\n", "", "u@example.net", "smtp",
		    "[null]" },
		{ "relayhost=gw\n" RELAY "s=[local]}\n", "s@local.example", "u@example.net",
		    "smtp", "[local]" },
		{ "relayhost=gw\n" RELAY "s=[local]}\n", "s@a.example", "u@example.net", "smtp",
		    "gw" },
		{ RELAY "@a.example=[two]}\n", "t@a.example", "u@local.example", "local",
		    "mail.example.org" },
		{ AGENT "@a.example=uucp:x}\n", "t@a.example", "u@example.net", "uucp", "x" },
		{ AGENT "@a.example=uucp:}\nrelayhost=gw\n", "t@a.example", "u@example.net",
		    "uucp", "gw" },
		{ AGENT "@a.example=uucp:x}\n", "t@a.example", "u@relay.example", "relay",
		    "relay.example" },
		{ AGENT "<>=uucp:x}\n", "", "u@example.net", "uucp", "x" },
		{ AGENT "none=uucp:x}\nempty_address_default_transport_maps_lookup_key=none\n",
		    "", "u@example.net", "uucp", "x" },
		{ RELAY "none=[gw]}\nempty_address_relayhost_maps_lookup_key=none\n", "",
		    "u@example.net", "smtp", "[gw]" },
		{ "sender_dependent_default_transport_maps = fail:x\n", "t@a.example",
		    "u@example.net", NULL, NULL },
		{ "relocated_prefix_enable = no\n"
		  "relocated_maps = inline:{ {u@local.example = 5.1.6 Gone} }\n",
		    "", "u@local.example", "error", "5.1.6 Gone" },
		{ "sender_dependent_relayhost_maps = fail:x\n", "t@a.example", "u@example.net",
		    NULL, NULL },
		{ "relocated_maps = inline:{ {u@local.example = new@example.net} }\n", "",
		    "u@local.example", "error", "5.1.6 User has moved to new@example.net" },
		{ "relocated_maps = inline:{ {u = new@example.net} }\n", "", "u@example.net",
		    "smtp", "example.net" },
		{ "relocated_maps = fail:x\n", "", "u@example.net", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(&rows[i]);
}

static void
recipients(void **state)
{
	static const struct {
		const char *given, *recipient;
	} rows[] = {
		{ "u@local.example", "u@local.example" },
		{ "U+Ext@LOCAL.example", "U+Ext@LOCAL.example" },
		{ "u", "u@mail.example.org" },
		{ "", "MAILER-DAEMON@mail.example.org" },
		{ "u@example.net.", "u@example.net" },
		{ "a b@example.net", "a b@example.net" },
		{ "a@b@example.net", "a@b@example.net" },
	};
	struct conf *conf = conf_of(COMMON);
	struct router *router = router_open(conf);
	struct arena arena = ARENA_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct route out;
		const char *why;

		assert_int_equal(router_resolve(router, VIEW_NONE, view_of(rows[i].given),
				     &arena, &out, &why),
		    TABLE_FOUND);
		assert_true(view_eq(out.recipient, view_of(rows[i].recipient)));
	}
	arena_reset(&arena);
	router_free(&router);
	conf_free(&conf);
}

static void
address_length(void **state)
{
	struct conf *conf = conf_of(COMMON);
	struct router *router = router_open(conf);
	struct arena arena = ARENA_INIT;
	static char big[100000];
	static const size_t sizes[] = { 1000, 1001, 100000 };

	(void)state;
	memset(big, 'u', sizeof(big));
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct route out = { 0 };
		const char *why;

		memcpy(big + sizes[i] - 14, "@local.example", 14);
		assert_int_equal(router_resolve(router, VIEW_NONE,
				     (struct view){ big, sizes[i] }, &arena, &out, &why),
		    TABLE_FOUND);
		assert_int_equal(out.class_, sizes[i] <= 1000 ? ROUTE_LOCAL : ROUTE_ERROR);
		memset(big + sizes[i] - 14, 'u', 14);
	}
	arena_reset(&arena);
	router_free(&router);
	conf_free(&conf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_class),
		cmocka_unit_test(by_transport_maps),
		cmocka_unit_test(by_sender),
		cmocka_unit_test(recipients),
		cmocka_unit_test(address_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
