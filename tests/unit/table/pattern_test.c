/* SPDX-License-Identifier: Apache-2.0 */
/* regexp, pcre and cidr tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cmocka.h>

#include <string.h>

#include "table/table.h"
#include "tests/unit/conf_text.h"

static struct conf *conf;
static char directory[32];

static int
setup(void **state)
{
	(void)state;
	conf = conf_of("");
	test_directory(directory);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	test_directory_remove(directory);
	conf_free(&conf);
	return 0;
}

/* value NULL: not found; "?": cannot tell. */
static void
expect(const char *type, const char *source, const char *key, const char *value)
{
	char *path = test_file(directory, "rules", source);
	char *name = mem_printf("%s:%s", type, path);
	struct table *t = table_open(name, conf);
	struct buf found = BUF_INIT(TABLE_VALUE_MAX);
	const char *why = "";
	enum table_result result = table_find(t, view_of(key), &found, &why);

	if (value == NULL) {
		assert_int_equal(result, TABLE_NOT_FOUND);
	} else if (strcmp(value, "?") == 0) {
		assert_int_equal(result, TABLE_CANNOT_TELL);
		assert_string_not_equal(why, "");
	} else {
		assert_int_equal(result, TABLE_FOUND);
		assert_string_equal(buf_str(&found), value);
	}
	buf_done(&found);
	table_free(&t);
	mem_free(name);
	mem_free(path);
}

/* Rules that mean the same in regexp_table(5) and pcre_table(5). */
static void
both_kinds_of_expression(void **state)
{
	static const struct {
		const char *source, *key, *value;
	} rows[] = {
		{ "/^abc$/ yes\n", "abc", "yes" },
		{ "/^abc$/ yes\n", "ABC", "yes" },
		{ "/^abc$/i yes\n", "ABC", NULL },
		{ "/^abc$/ yes\n", "abcd", NULL },
		{ "!/^abc$/ other\n", "abcd", "other" },
		{ "!/^abc$/ other\n", "abc", NULL },
		{ "/a/ first\n/a/ second\n", "a", "first" },
		{ "/^(.*)@(.*)$/ $2 ${1} $(1)x $$1\n", "u@d", "d u ux $1" },
		{ "/^(x)?y$/ <$1>\n", "y", "<>" },
		{ "/a\\/b/ slash\n", "a/b", "slash" },
		{ "%a/b% slash\n", "a/b", "slash" },
		{ "# c\n/a/\n\tREJECT\n   now\n", "a", "REJECT   now" },
		{ "if /^in/\n/x/ inside\nendif\n/x/ outside\n", "in x", "inside" },
		{ "if /^in/\n/x/ inside\nendif\n/x/ outside\n", "x", "outside" },
		{ "if !/^in/\n/x/ inside\nendif\n/x/ outside\n", "in x", "outside" },
		{ "if /a/\nif /b/\n/c/ abc\nendif\n/c/ ac\nendif\n/c/ c\n", "abc", "abc" },
		{ "if /a/\nif /b/\n/c/ abc\nendif\n/c/ ac\nendif\n/c/ c\n", "ac", "ac" },
		{ "if /a/\nif /b/\n/c/ abc\nendif\n/c/ ac\nendif\n/c/ c\n", "c", "c" },
		/* Bad rules are passed over, the others hold. */
		{ "/(/ bad\n/a/ good\n", "a", "good" },
		{ "/a bad\n/a/ good\n", "a", "good" },
		{ "/a/ $1\n/a/ good\n", "a", "good" },
		{ "!/(b)/ $1\n/a/ good\n", "a", "good" },
		{ "/a/ ${1\n/a/ good\n", "a", "good" },
		{ "/a/ $0\n/a/ good\n", "a", "good" },
		{ "/(a)/ $99999999999999999999\n/a/ good\n", "a", "good" },
		{ "/a/Q bad\n/a/ good\n", "a", "good" },
		{ "abc yes\n/a/ good\n", "abc", "good" },
		/* A broken block could let its rules apply to everything. */
		{ "if /(/\n/a/ x\nendif\n", "a", "?" },
		{ "if /a/\n/a/ x\n", "a", "?" },
		{ "/a/ x\nendif\n", "a", "?" },
		{ "if /a/ text\n/a/ x\nendif\n", "a", "?" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		expect("regexp", rows[i].source, rows[i].key, rows[i].value);
		expect("pcre", rows[i].source, rows[i].key, rows[i].value);
	}
}

static void
perl_only(void **state)
{
	char key[64];

	(void)state;
	expect("pcre", "/^\\d+(?=x)/ digits\n", "12x", "digits");
	expect("pcre", "/a.b/ dot\n", "a\nb", "dot");
	expect("pcre", "/a.b/s dot\n", "a\nb", NULL);
	expect("pcre", "/a b/x ab\n", "ab", "ab");
	/* attacks.md H7: exponential backtracking ends in "cannot tell", soon. */
	memset(key, 'a', sizeof(key) - 1);
	key[sizeof(key) - 2] = '!';
	key[sizeof(key) - 1] = '\0';
	expect("pcre", "/^(a|aa)+$/ boom\n", key, "?");
}

static void
networks(void **state)
{
	static const char source[] = "10.1.0.0/16 narrow\n"
				     "!10.0.0.0/8 outside\n"
				     "[2001:db8::]/32 unreachable: not in 10/8\n"
				     "if 10.2.0.0/16\n10.2.3.4 host\nendif\n"
				     "10.0.0.1/8 bad: host bits\n"
				     "10.0.0.0/8 wide\n";
	static const struct {
		const char *source, *key, *value;
	} rows[] = {
		{ source, "10.1.2.3", "narrow" },
		{ source, "10.2.3.4", "host" },
		{ source, "10.2.3.5", "wide" },
		{ source, "192.0.2.1", "outside" },
		{ source, "2001:db8::1", "outside" },
		{ source, "example.org", NULL },
		{ source, "10.1", NULL },
		{ "2001:db8::/32 six\n", "2001:db8:1::2", "six" },
		{ "[2001:db8::1] six\n", "2001:db8::1", "six" },
		/* All of IPv6 is not IPv4, and the other way round. */
		{ "::/0 six\n", "192.0.2.1", NULL },
		{ "::/0 six\n", "2001:db8::1", "six" },
		{ "0.0.0.0/0 four\n", "2001:db8::1", NULL },
		{ "0.0.0.0/0 four\n", "192.0.2.1", "four" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect("cidr", rows[i].source, rows[i].key, rows[i].value);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_kinds_of_expression),
		cmocka_unit_test(perl_only),
		cmocka_unit_test(networks),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
