/* SPDX-License-Identifier: Apache-2.0 */
/* Whom to ask: resolver_forwarders and resolv.conf(5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "resolver/resolver.h"

static void
check(const char *list, const char *resolv_conf, const char *expected)
{
	struct buf got = BUF_INIT(1000);
	char *why = NULL;
	char **found = forwarders_parse(view_of(list), view_of(resolv_conf), &why);

	for (char **f = found; f && *f; f++)
		buf_printf(&got, "%s ", *f);
	if (!found)
		buf_append_str(&got, "refused");
	if (strcmp(buf_str(&got), expected) != 0 || (found == NULL) != (why != NULL))
		fail_msg("\"%s\": %s", list, buf_str(&got));
	buf_done(&got);
	mem_free(why);
	forwarders_free(&found);
}

static void
lists(void **state)
{
	(void)state;
	check("192.0.2.1", "", "192.0.2.1@53 ");
	check("192.0.2.1, 192.0.2.2@54 192.0.2.3:55", "",
	    "192.0.2.1@53 192.0.2.2@54 192.0.2.3@55 ");
	check("2001:db8::1 [2001:db8::2]:54 [::1] ::1@55", "",
	    "2001:db8::1@53 2001:db8::2@54 ::1@53 ::1@55 ");
	check("192.0.2.1", "nameserver 192.0.2.9\n", "192.0.2.1@53 ");
	check("ns.example.org", "", "refused");
	check("192.0.2.1@0", "", "refused");
	check("192.0.2.1@65536", "", "refused");
	check("192.0.2.1@", "", "refused");
	check("[::1", "", "refused");
	check("[::1]x", "", "refused");
	check("1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4 1.1.1.5 1.1.1.6 1.1.1.7 1.1.1.8 1.1.1.9", "",
	    "refused");
}

static void
resolv_conf(void **state)
{
	(void)state;
	check("", "", "");
	check("",
	    "# nameserver 192.0.2.8\nsearch example.org\nnameserver 192.0.2.1\r\n"
	    "nameserver\t::1 # here\nnameserver bad\nnameserver\n nameserver fe80::1%eth0\n"
	    "options edns0\nnameservers 192.0.2.7",
	    "192.0.2.1@53 ::1@53 fe80::1%eth0@53 ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists),
		cmocka_unit_test(resolv_conf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
