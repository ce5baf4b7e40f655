/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "conf/conf.h"
#include "service/interfaces.h"

static const struct row {
	const char *main_cf;
	const char *host, *port;
	const char *expected; /* addresses in order, or NULL: refused */
} rows[] = {
	{ "inet_interfaces=all\ninet_protocols=ipv4\n", "", "25", "0.0.0.0:25 " },
	{ "inet_interfaces=loopback-only\ninet_protocols=ipv4\n", "", "smtp", "127.0.0.1:25 " },
	{ "inet_interfaces=127.0.0.1, 127.0.0.2\ninet_protocols=ipv4\n", "", "587",
	    "127.0.0.1:587 127.0.0.2:587 " },
	{ "inet_interfaces=127.0.0.1 127.0.0.1\ninet_protocols=ipv4\n", "", "587",
	    "127.0.0.1:587 " },
	{ "inet_interfaces=all\ninet_protocols=ipv4\n", "127.0.0.3", "submissions",
	    "127.0.0.3:465 " },
	{ "inet_interfaces=all\ninet_protocols=ipv4\n", "", "smtps", "0.0.0.0:465 " },
	{ "inet_interfaces=all\ninet_protocols=ipv4\nknown_tcp_ports=odd=2=4026\n", "", "odd",
	    "0.0.0.0:4026 " },
	{ "inet_interfaces=all\ninet_protocols=ipv4\n", "", "0", NULL },
	{ "inet_interfaces=all\ninet_protocols=ipv4\n", "", "65536", NULL },
	{ "inet_interfaces=all\ninet_protocols=ipv4\n", "", "no-such-service", NULL },
};

static void
describe(const struct interface_addresses *found, char *out, size_t size)
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < found->count; i++) {
		char host[64], port[8];

		assert_int_equal(getnameinfo((const struct sockaddr *)&found->all[i].address,
				     found->all[i].length, host, sizeof(host), port,
				     sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV),
		    0);
		n += (size_t)snprintf(out + n, size - n, "%s:%s ", host, port);
	}
}

static void
check(const struct row *r)
{
	struct interface_addresses found = { 0 };
	char *why = NULL, text[512];
	struct conf *c = conf_open_text("main.cf", view_of(r->main_cf), true, &why);
	bool good;

	assert_non_null(c);
	conf_set(c, "myhostname", "mail.example.test");
	if (!conf_evaluate(c, &why))
		fail_msg("%s", why);
	good = interfaces_find(conf_values_of(c), r->host, r->port, &found, &why);
	if (good != (r->expected != NULL))
		fail_msg("%s port %s: %s", r->main_cf, r->port, why ? why : "accepted");
	describe(&found, text, sizeof(text));
	if (good)
		assert_string_equal(text, r->expected);
	else
		assert_non_null(why);
	mem_free(why);
	mem_free(found.all);
	conf_free(&c);
}

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(&rows[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
