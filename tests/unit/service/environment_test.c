/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "service/environment.h"

static const char *
value_in(char **environment, const char *name)
{
	size_t n = strlen(name);

	for (; *environment; environment++) {
		if (strncmp(*environment, name, n) == 0 && (*environment)[n] == '=')
			return *environment + n + 1;
	}
	return NULL;
}

static void
test_list(void **state)
{
	char **e;

	(void)state;
	setenv("TZ", "Europe/Berlin", 1);
	setenv("LD_PRELOAD", "/tmp/evil.so", 1);
	setenv("SPOILT", "a\nb", 1);
	setenv("PATH", "/tmp", 1);
	unsetenv("MISSING");
	e = environment_new("TZ MISSING, SPOILT LANG=C { TEXT = two words } EMPTY=");
	assert_string_equal(value_in(e, "TZ"), "Europe/Berlin");
	assert_string_equal(value_in(e, "LANG"), "C");
	assert_string_equal(value_in(e, "TEXT"), "two words");
	assert_string_equal(value_in(e, "EMPTY"), "");
	assert_null(value_in(e, "MISSING"));
	assert_null(value_in(e, "SPOILT"));
	assert_null(value_in(e, "LD_PRELOAD"));
	assert_null(strstr(value_in(e, "PATH"), "/tmp"));
	environment_free(&e);
	assert_null(e);
}

static void
test_clean(void **state)
{
	(void)state;
	setenv("TZ", "UTC", 1);
	setenv("IFS", "x", 1);
	environment_clean("TZ");
	assert_string_equal(getenv("TZ"), "UTC");
	assert_null(getenv("IFS"));
}

/* A list of a thousand names makes an environment of bounded size. */
static void
test_bounded(void **state)
{
	char *list = mem_zero(8001, 1);
	char **e;
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < 1000; i++)
		memcpy(list + i * 8, "ABC=def ", 8);
	e = environment_new(list);
	while (e[n])
		n++;
	assert_in_range(n, 2, 100);
	environment_free(&e);
	mem_free(list);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
