/* SPDX-License-Identifier: Apache-2.0 */
/* The source forms of tables: logical lines, postmap(1) and aliases(5) entries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "table/aliases.h"

static void
logical_lines(void **state)
{
	static const char text[] =
	    "one\n two\n\n#comment\n\tthree\nfour\n  # indented comment\n"
	    " five\r\nsix";
	static const struct {
		unsigned line;
		const char *text;
	} expected[] = { { 1, "one two\tthree" }, { 6, "four five" }, { 9, "six" } };
	struct source_lines lines;

	(void)state;
	source_lines_init(&lines, view_of(text));
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		assert_true(source_lines_next(&lines));
		assert_int_equal(lines.line, expected[i].line);
		assert_string_equal(buf_str(&lines.text), expected[i].text);
	}
	assert_false(source_lines_next(&lines));
	source_lines_done(&lines);
	source_lines_init(&lines, VIEW("\n \n# x\n"));
	assert_false(source_lines_next(&lines));
	source_lines_done(&lines);
}

static void
map_entries(void **state)
{
	static const struct {
		const char *entry, *key, *value; /* key NULL: malformed */
	} rows[] = {
		{ "key value", "key", "value" },
		{ "key\t two words  ", "key", "two words" },
		{ "\"a b\"@c.d  x", "\"a b\"@c.d", "x" },
		{ "\"a\\\" b\"@c.d  x", "\"a\\\" b\"@c.d", "x" },
		{ "key", NULL, NULL },
		{ " key value", NULL, NULL },
		{ "\"a b value", NULL, NULL },
		{ "", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct view key, value;
		const char *why = NULL;
		bool ok = map_entry_parse(view_of(rows[i].entry), &key, &value, &why);

		assert_int_equal(ok, rows[i].key != NULL);
		if (!ok) {
			assert_non_null(why);
			continue;
		}
		assert_true(view_eq(key, view_of(rows[i].key)));
		assert_true(view_eq(value, view_of(rows[i].value)));
	}
}

static void
alias_entries(void **state)
{
	static const struct {
		const char *entry, *key, *value;
	} rows[] = {
		{ "root: me", "root", "me" },
		{ "root:me,you", "root", "me, you" },
		{ "root :  me ,, you, ", "root", "me, you" },
		{ "\"john smith\": x", "john smith", "x" },
		{ "\"a\\\"b:c\": x", "a\"b:c", "x" },
		{ "p: \"|/bin/cmd -a, -b\", /var/x", "p", "\"|/bin/cmd -a, -b\", /var/x" },
		{ "l: :include:/etc/list", "l", ":include:/etc/list" },
		{ "u: a\\,b", "u", "a\\,b" },
		{ "root", NULL, NULL },
		{ "root:", NULL, NULL },
		{ "root: ,", NULL, NULL },
		{ ": x", NULL, NULL },
		{ "\"open: x", NULL, NULL },
		{ "p: \"|open", NULL, NULL },
		{ " root: x", NULL, NULL },
		{ "", NULL, NULL },
	};
	struct buf key = BUF_INIT(100), value = BUF_INIT(100);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *why = NULL;
		bool ok = alias_entry_parse(view_of(rows[i].entry), &key, &value, &why);

		assert_int_equal(ok, rows[i].key != NULL);
		if (!ok) {
			assert_non_null(why);
			continue;
		}
		assert_string_equal(buf_str(&key), rows[i].key);
		assert_string_equal(buf_str(&value), rows[i].value);
	}
	buf_done(&key);
	buf_done(&value);
}

static void
alias_members(void **state)
{
	static const char text[] =
	    "me, \"|/bin/cmd \\\"x\\\" a, b\", |/bin/plain arg, /var/mail/x, "
	    "\"/path with/blank\", :include:/etc/list, "
	    ":INCLUDE:/etc/up, \":include:/a b\", \"john smith\", "
	    "\"|x\"@example.org, Me <me@example.org>, \\postmaster";
	static const struct {
		enum alias_kind kind;
		const char *text;
	} expected[] = {
		{ ALIAS_ADDRESS, "me" },
		{ ALIAS_COMMAND, "/bin/cmd \"x\" a, b" },
		{ ALIAS_COMMAND, "/bin/plain arg" },
		{ ALIAS_FILE, "/var/mail/x" },
		{ ALIAS_FILE, "/path with/blank" },
		{ ALIAS_INCLUDE, "/etc/list" },
		{ ALIAS_INCLUDE, "/etc/up" },
		{ ALIAS_INCLUDE, "/a b" },
		{ ALIAS_ADDRESS, "\"john smith\"" },
		{ ALIAS_ADDRESS, "\"|x\"@example.org" }, /* an address, not a command */
		{ ALIAS_ADDRESS, "me@example.org" },
		{ ALIAS_ADDRESS, "\\postmaster" },
	};
	struct view rest = view_of(text);
	struct buf scratch = BUF_INIT(1000);
	struct alias_member m;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		assert_true(alias_member_next(&rest, &scratch, &m));
		assert_int_equal(m.kind, expected[i].kind);
		assert_true(view_eq(m.text, view_of(expected[i].text)));
	}
	assert_false(alias_member_next(&rest, &scratch, &m));
	buf_done(&scratch);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logical_lines),
		cmocka_unit_test(map_entries),
		cmocka_unit_test(alias_entries),
		cmocka_unit_test(alias_members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
