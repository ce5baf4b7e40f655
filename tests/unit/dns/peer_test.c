/* SPDX-License-Identifier: Apache-2.0 */
/* What may be shown as the name of a host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "dns/peer.h"

static void
hosts(void **state)
{
	static const struct {
		const char *name;
		bool is_host;
	} rows[] = {
		{ "mx.example.org", true },
		{ "a", true },
		{ "a_b.example", true },
		{ "1.example", true },
		{ "x--y.example", true },
		{ "", false },
		{ "192.0.2.1", false },
		{ "123", false },
		{ "-a.example", false },
		{ "a-.example", false },
		{ "a.-b", false },
		{ "a..b", false },
		{ ".a", false },
		{ "a.", false },
		{ "a/b.example", false },
		{ "a*b", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (dns_name_is_host(view_of(rows[i].name)) != rows[i].is_host)
			fail_msg("%s", rows[i].name);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(hosts) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
