/* SPDX-License-Identifier: Apache-2.0 */
/* Lists that decide who may relay: what matches, and what must not match by accident. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "table/match_list.h"
#include "tests/unit/conf_text.h"

static struct conf *conf;
static char directory[32];

static int
setup(void **state)
{
	char *itself;

	(void)state;
	conf = conf_of("");
	test_directory(directory);
	table_set_direct(true);
	mem_free(
	    test_file(directory, "names", "# ours\none.example\n!two.example three.example\n"));
	mem_free(test_file(directory, "nets", "10.0.0.0/8,\n 192.0.2.1\n"));
	mem_free(test_file(directory, "badnets", "10.0.0.0/8\n10.1.2.3/8\n"));
	itself = mem_printf("%s/self\n", directory);
	mem_free(test_file(directory, "self", itself));
	mem_free(itself);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	test_directory_remove(directory);
	conf_free(&conf);
	table_done();
	return 0;
}

static enum table_result
has_name(const char *parameter, const char *text, const char *name)
{
	char *full = text[0] == '/' ? mem_printf("%s%s", directory, text) : mem_strdup(text);
	struct match_list *l = match_list_open(parameter, full, conf);
	const char *why = NULL;
	enum table_result result = match_list_has_name(l, view_of(name), &why);

	assert_int_equal(why != NULL, result == TABLE_CANNOT_TELL);
	match_list_free(&l);
	mem_free(full);
	return result;
}

static void
names(void **state)
{
	static const struct {
		const char *parameter, *list, *name;
		enum table_result result;
	} rows[] = {
		{ "mydestination", "example.org, localhost", "example.org", TABLE_FOUND },
		{ "mydestination", "example.org, localhost", "EXAMPLE.org", TABLE_FOUND },
		{ "mydestination", "Example.ORG", "example.org", TABLE_FOUND },
		{ "mydestination", "example.org, localhost", "localhost", TABLE_FOUND },
		{ "mydestination", "example.org", "sub.example.org", TABLE_NOT_FOUND },
		{ "mydestination", ".example.org", "sub.example.org", TABLE_NOT_FOUND },
		{ "mydestination", "example.org", "xexample.org", TABLE_NOT_FOUND },
		{ "mydestination", "example.org", "example.or", TABLE_NOT_FOUND },
		{ "mydestination", "", "example.org", TABLE_NOT_FOUND },
		{ "mydestination", "example.org", "", TABLE_NOT_FOUND },
		{ "mydestination", "*", "example.org", TABLE_NOT_FOUND },
		{ "relay_domains", "*", "example.org", TABLE_NOT_FOUND },
		/* A pattern is asked about the name, never about its parents. */
		{ "relay_domains", "pcre:{{/^example\\.org$/ x}}", "example.org", TABLE_FOUND },
		{ "relay_domains", "pcre:{{/^example\\.org$/ x}}", "sub.example.org",
		    TABLE_NOT_FOUND },
		{ "relay_domains", "regexp:{{!/\\.example\\.org$/ x}}", "sub.example.org",
		    TABLE_NOT_FOUND },
		{ "relay_domains", "proxy:pcre:{{/^example\\.org$/ x}}", "sub.example.org",
		    TABLE_NOT_FOUND },
		{ "unlisted_parameter", "pcre:{{/^\\.example\\.org$/ x}}", "sub.example.org",
		    TABLE_NOT_FOUND },
		{ "mydestination", "!example.org, static:x", "example.org", TABLE_NOT_FOUND },
		{ "mydestination", "!example.org, static:x", "example.net", TABLE_FOUND },
		{ "mydestination", "example.org, !example.org", "example.org", TABLE_FOUND },
		{ "mydestination", "[192.0.2.1]", "[192.0.2.1]", TABLE_FOUND },
		/* relay_domains is in parent_domain_matches_subdomains by default. */
		{ "relay_domains", "example.org", "example.org", TABLE_FOUND },
		{ "relay_domains", "example.org", "a.b.example.org", TABLE_FOUND },
		{ "relay_domains", "example.org", "aexample.org", TABLE_NOT_FOUND },
		{ "relay_domains", "inline:{example.org=x}", "a.b.example.org", TABLE_FOUND },
		{ "relay_domains", "inline:{.example.org=x}", "a.example.org",
		    TABLE_NOT_FOUND },
		{ "relay_domains", "!a.example.org example.org", "b.a.example.org",
		    TABLE_NOT_FOUND },
		/* This one is not. */
		{ "smtpd_other", "example.org", "a.example.org", TABLE_NOT_FOUND },
		{ "smtpd_other", ".example.org", "a.b.example.org", TABLE_FOUND },
		{ "smtpd_other", ".example.org", "example.org", TABLE_NOT_FOUND },
		{ "smtpd_other", "inline:{.example.org=x}", "a.b.example.org", TABLE_FOUND },
		{ "smtpd_other", "inline:{example.org=x}", "a.b.example.org", TABLE_NOT_FOUND },
		{ "smtpd_other", "inline:{example.org=x}", "example.org", TABLE_FOUND },
		/* Files, in the place where they stand. */
		{ "mydestination", "/names", "one.example", TABLE_FOUND },
		{ "mydestination", "/names", "two.example", TABLE_NOT_FOUND },
		{ "mydestination", "/names", "three.example", TABLE_FOUND },
		{ "mydestination", "/nothing", "one.example", TABLE_CANNOT_TELL },
		{ "mydestination", "/self", "one.example", TABLE_CANNOT_TELL },
		/* What cannot tell hides what stands behind it. */
		{ "mydestination", "one.example fail:x", "one.example", TABLE_FOUND },
		{ "mydestination", "one.example fail:x", "two.example", TABLE_CANNOT_TELL },
		{ "mydestination", "!fail:x one.example", "one.example", TABLE_CANNOT_TELL },
		{ "mydestination", "lmdb:/nothing", "two.example", TABLE_CANNOT_TELL },
		{ "mydestination", "! one.example", "one.example", TABLE_CANNOT_TELL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum table_result result =
		    has_name(rows[i].parameter, rows[i].list, rows[i].name);

		if (result != rows[i].result)
			fail_msg("%s = %s: %s: %d", rows[i].parameter, rows[i].list,
			    rows[i].name, result);
	}
}

static void
peer_of(const char *text, struct sockaddr_storage *out)
{
	struct sockaddr_in *in = (struct sockaddr_in *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
	} else {
		assert_int_equal(inet_pton(AF_INET6, text, &in6->sin6_addr), 1);
		in6->sin6_family = AF_INET6;
	}
}

static void
addresses(void **state)
{
	static const struct {
		const char *list, *peer, *name;
		enum table_result result;
	} rows[] = {
		{ "127.0.0.0/8 10.1.0.0/16", "127.0.0.1", "", TABLE_FOUND },
		{ "127.0.0.0/8 10.1.0.0/16", "10.1.2.3", "", TABLE_FOUND },
		{ "127.0.0.0/8 10.1.0.0/16", "10.2.2.3", "", TABLE_NOT_FOUND },
		{ "127.0.0.0/8 10.1.0.0/16", "::ffff:10.1.2.3", "", TABLE_FOUND },
		{ "!10.1.2.3, 10.0.0.0/8", "10.1.2.3", "", TABLE_NOT_FOUND },
		{ "!10.1.2.3, 10.0.0.0/8", "10.1.2.4", "", TABLE_FOUND },
		{ "[2001:db8::]/32 [::1]", "2001:db8:1::1", "", TABLE_FOUND },
		{ "[2001:db8::]/32 [::1]", "::1", "", TABLE_FOUND },
		{ "[2001:db8::]/32 [::1]", "2001:db9::1", "", TABLE_NOT_FOUND },
		{ "/nets", "10.9.9.9", "", TABLE_FOUND },
		{ "/nets", "192.0.2.1", "", TABLE_FOUND },
		{ "/nets", "192.0.2.2", "", TABLE_NOT_FOUND },
		{ "cidr:/nothing", "192.0.2.2", "", TABLE_CANNOT_TELL },
		{ "inline:{192.0.2.2=x}", "192.0.2.2", "", TABLE_FOUND },
		{ "inline:{192.0.2.2=x}", "::ffff:192.0.2.2", "", TABLE_FOUND },
		{ "inline:{192.0.2.2=x}", "192.0.2.3", "", TABLE_NOT_FOUND },
		{ "example.org", "192.0.2.3", "host.example.org", TABLE_FOUND },
		{ "example.org", "192.0.2.3", "unknown", TABLE_NOT_FOUND },
		{ "unknown", "192.0.2.3", "unknown", TABLE_NOT_FOUND },
		{ "192.0.2.3", "192.0.2.4", "192.0.2.3", TABLE_NOT_FOUND },
		{ "", "127.0.0.1", "", TABLE_NOT_FOUND },
		{ "*", "127.0.0.1", "host", TABLE_NOT_FOUND },
		/* attacks.md E2: a slip of the pen opens nothing, for anybody. */
		{ "127.0.0.0/8 10.1.2.3/8", "203.0.113.1", "", TABLE_CANNOT_TELL },
		{ "127.0.0.0/8 10.1.2.3/8", "127.0.0.1", "", TABLE_CANNOT_TELL },
		{ "10.0.0.0/33", "10.0.0.1", "", TABLE_CANNOT_TELL },
		{ "10.0.0.0/", "10.0.0.1", "", TABLE_CANNOT_TELL },
		{ "10.0.0.0/-1", "10.0.0.1", "", TABLE_CANNOT_TELL },
		{ "10.0.0", "10.0.0.1", "", TABLE_CANNOT_TELL },
		{ "10", "10.0.0.1", "", TABLE_CANNOT_TELL },
		{ "0", "203.0.113.1", "", TABLE_CANNOT_TELL },
		{ "/8", "10.0.0.1", "", TABLE_CANNOT_TELL },
		{ "[2001:db8::/32", "10.0.0.1", "", TABLE_CANNOT_TELL },
		{ "2001:db8::/32", "2001:db8::1", "", TABLE_CANNOT_TELL },
		{ "/badnets", "10.0.0.1", "", TABLE_CANNOT_TELL },
		/* All of IPv6 is not IPv4. */
		{ "[::]/0", "203.0.113.1", "", TABLE_NOT_FOUND },
		{ "[::]/64", "203.0.113.1", "", TABLE_NOT_FOUND },
		{ "0.0.0.0/0", "2001:db8::1", "", TABLE_NOT_FOUND },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *text = rows[i].list, *why = NULL;
		char *full =
		    text[0] == '/' ? mem_printf("%s%s", directory, text) : mem_strdup(text);
		struct match_list *l = match_list_open("mynetworks", full, conf);
		struct sockaddr_storage peer;
		enum table_result result;

		peer_of(rows[i].peer, &peer);
		result = match_list_has_address(
		    l, (struct sockaddr *)&peer, view_of(rows[i].name), &why);
		if (result != rows[i].result)
			fail_msg("mynetworks = %s: %s: %d", text, rows[i].peer, result);
		assert_int_equal(why != NULL, result == TABLE_CANNOT_TELL);
		match_list_free(&l);
		mem_free(full);
	}
}

static void
other_peers_match_no_network(void **state)
{
	struct match_list *l = match_list_open("mynetworks", "0.0.0.0/0 [::]/0 static:x", conf);
	struct sockaddr peer = { .sa_family = AF_UNIX };

	(void)state;
	assert_int_equal(match_list_has_address(l, &peer, VIEW("x"), NULL), TABLE_NOT_FOUND);
	match_list_free(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(addresses),
		cmocka_unit_test(other_peers_match_no_network),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
