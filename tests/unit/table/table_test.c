/* SPDX-License-Identifier: Apache-2.0 */
/* Types of tables and lists of them, through the public interface. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cmocka.h>

#include <string.h>

#include "table/lmdb_table.h"
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
	table_set_direct(true);
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

/* The value, or NULL when not found, or "?reason". */
static char *
look_up(struct table *t, struct view key)
{
	struct buf value = BUF_INIT(TABLE_VALUE_MAX);
	const char *why = NULL;
	char *out = NULL;

	buf_append_str(&value, "left over");
	switch (table_find(t, key, &value, &why)) {
	case TABLE_FOUND:
		out = mem_strdup(buf_str(&value));
		break;
	case TABLE_NOT_FOUND:
		break;
	case TABLE_CANNOT_TELL:
		assert_non_null(why);
		out = mem_printf("?%s", why);
		break;
	}
	buf_done(&value);
	return out;
}

static void
expect(const char *type_name, const char *key, const char *value)
{
	struct table *t = table_open(type_name, conf);
	char *found = look_up(t, view_of(key));

	if (value == NULL) {
		assert_null(found);
	} else {
		assert_non_null(found);
		assert_string_equal(found, value);
	}
	mem_free(found);
	table_free(&t);
	assert_null(t);
}

static void
simple_types(void **state)
{
	static const struct {
		const char *table, *key, *value;
	} rows[] = {
		{ "static:OK", "anything", "OK" },
		{ "static:{a b}", "x", "a b" },
		{ "inline:{a=1, B=2}", "a", "1" },
		{ "inline:{a=1, B=2}", "b", "2" },
		{ "inline:{a=1, B=2}", "A", "1" },
		{ "inline:{a=1, B=2}", "c", NULL },
		{ "inline:{ {a = x y}, b=z }", "a", "x y" },
		{ "inline:{ {a = x y}, b=z }", "b", "z" },
		{ "inline:{a=b=c}", "a", "b=c" },
		{ "inline:{}", "a", "?inline: empty table: need at least one name=value" },
		{ "inline:a=b", "a", "?inline: expecting \"inline:{name=value, ...}\"" },
		{ "inline:{novalue}", "a",
		    "?inline: missing '=' after attribute name \"novalue\"" },
		{ "fail:closed", "a", "?fail:closed: this table always fails" },
		{ "nosuch:thing", "a", "?unsupported dictionary type: nosuch" },
		{ "plain", "a", "?expecting \"type:name\" form instead of \"plain\"" },
		{ "unix:passwd.byname", "root", "root:x:0:0:root:/root:/bin/bash" },
		{ "unix:passwd.byname", "ROOT", "root:x:0:0:root:/root:/bin/bash" },
		{ "unix:passwd.byname", "no-such-user-here", NULL },
		{ "unix:passwd.byname", "/etc/passwd", NULL },
		{ "unix:passwd.byname", "root:x:0:0", NULL },
		{ "proxy:unix:group.byname", "root", "root:x:0:" },
		{ "unix:passwd.byuid", "0", "root:x:0:0:root:/root:/bin/bash" },
		{ "unix:passwd.byuid", "root", NULL },
		{ "unix:passwd.byuid", "-1", NULL },
		{ "unix:passwd.byuid", "4294967296", NULL },
		{ "unix:shadow.byname", "root", "?unknown table unix:shadow.byname" },
		{ "lmdb:/no/such/file", "a",
		    "?open database /no/such/file.lmdb: No such file or directory" },
		{ "hash:/no/such/file", "a",
		    "?open database /no/such/file.lmdb: No such file or directory" },
		{ "texthash:/no/such/file", "a",
		    "?open /no/such/file: No such file or directory" },
		{ "regexp:/no/such/file", "a",
		    "?open /no/such/file: No such file or directory" },
		{ "cidr:/no/such/file", "a", "?open /no/such/file: No such file or directory" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect(rows[i].table, rows[i].key, rows[i].value);
}

/* Keys that no table can hold are absent, whatever the type. */
static void
odd_keys(void **state)
{
	static char big[70000];
	static const char *const tables[] = { "static:x", "inline:{k=v}",
		"unix:passwd.byname" };

	(void)state;
	memset(big, 'k', sizeof(big));
	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		struct table *t = table_open(tables[i], conf);

		assert_null(look_up(t, VIEW_NONE));
		assert_null(look_up(t, (struct view){ big, 2001 }));
		assert_null(look_up(t, (struct view){ big, sizeof(big) }));
		assert_null(look_up(t, VIEW("root\0x")));
		table_free(&t);
	}
}

static void
texthash_and_lmdb(void **state)
{
	char *source = test_file(directory, "map",
	    "# comment\n\nAlice  one,\n\ttwo\n# inside\n  three\nbob b\nbroken\nbob again\n");
	char *text = mem_printf("texthash:%s", source), *hash = mem_printf("hash:%s", source);
	char *file = mem_printf("%s.lmdb", source);
	const struct lmdb_writer_options o = { .map_size = 1 << 20, .empty_first = true };
	struct lmdb_writer *w;
	const char *why;

	(void)state;
	expect(text, "alice", "one,\ttwo  three");
	expect(text, "ALICE", "one,\ttwo  three");
	expect(text, "bob", "b");
	expect(text, "broken", NULL);
	w = lmdb_writer_begin(file, &o, &why);
	lmdb_writer_put(w, VIEW("alice"), VIEW("l"), false, &why);
	lmdb_writer_put(w, VIEW("Upper"), VIEW("u"), false, &why);
	assert_true(lmdb_writer_commit(&w, &why));
	expect(hash, "Alice", "l");
	expect(hash, "Upper", NULL);
	mem_free(source);
	mem_free(text);
	mem_free(hash);
	mem_free(file);
}

static void
one_table_for_one_name(void **state)
{
	struct table *a = table_open("static:x", conf), *b = table_open("static:x", conf);
	char *found;

	(void)state;
	assert_ptr_equal(a, b);
	table_free(&a);
	found = look_up(b, VIEW("k"));
	assert_string_equal(found, "x");
	assert_string_equal(table_name(b), "static:x");
	mem_free(found);
	table_free(&b);
}

static void
kinds_of_keys(void **state)
{
	static const struct {
		const char *table;
		enum table_keys keys;
	} rows[] = {
		{ "static:x", TABLE_KEYS_FIXED },
		{ "pcre:/none", TABLE_KEYS_PATTERN },
		{ "proxy:regexp:/none", TABLE_KEYS_PATTERN },
		{ "proxy:unix:passwd.byname", TABLE_KEYS_FIXED },
		{ "cidr:/none", TABLE_KEYS_PATTERN },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct table *t = table_open(rows[i].table, conf);

		assert_int_equal(table_keys(t), rows[i].keys);
		table_free(&t);
	}
}

static void
lists(void **state)
{
	static const struct {
		const char *list, *key;
		enum table_result result;
		const char *value;
	} rows[] = {
		{ "", "a", TABLE_NOT_FOUND, "" },
		{ " , ", "a", TABLE_NOT_FOUND, "" },
		{ "inline:{a=1}, inline:{a=2,b=3}", "a", TABLE_FOUND, "1" },
		{ "inline:{a=1}, inline:{a=2,b=3}", "b", TABLE_FOUND, "3" },
		{ "inline:{a=1} inline:{a=2,b=3}", "c", TABLE_NOT_FOUND, "" },
		/* A table that cannot tell hides what stands behind it, not what stands before.
		 */
		{ "inline:{a=1}, fail:x, inline:{b=2}", "a", TABLE_FOUND, "1" },
		{ "inline:{a=1}, fail:x, inline:{b=2}", "b", TABLE_CANNOT_TELL, "" },
		{ "inline:{a=1}, lmdb:/none, static:b", "b", TABLE_CANNOT_TELL, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct table_list *l = table_list_open(rows[i].list, conf);
		struct buf value = BUF_INIT(TABLE_VALUE_MAX);
		const char *why = NULL;

		assert_int_equal(
		    table_list_find(l, view_of(rows[i].key), &value, &why), rows[i].result);
		if (rows[i].result == TABLE_FOUND)
			assert_string_equal(buf_str(&value), rows[i].value);
		assert_int_equal(why != NULL, rows[i].result == TABLE_CANNOT_TELL);
		buf_done(&value);
		table_list_free(&l);
	}
}

/* A value that does not fit is an error: half a value could be another answer. */
static void
values_too_long_for_the_caller(void **state)
{
	struct table *t = table_open("static:0123456789", conf);
	struct buf value = BUF_INIT(5);
	const char *why = "";

	(void)state;
	assert_int_equal(table_find(t, VIEW("k"), &value, &why), TABLE_CANNOT_TELL);
	buf_done(&value);
	table_free(&t);
}

static void
served_types_need_the_service(void **state)
{
	(void)state;
	table_set_direct(false);
	expect("unix:passwd.byname", "root",
	    "?unix:passwd.byname: no tables service in this process");
	expect("proxy:static:x", "root", "?static:x: no tables service in this process");
	table_set_direct(true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(simple_types),
		cmocka_unit_test(odd_keys),
		cmocka_unit_test(texthash_and_lmdb),
		cmocka_unit_test(one_table_for_one_name),
		cmocka_unit_test(kinds_of_keys),
		cmocka_unit_test(lists),
		cmocka_unit_test(values_too_long_for_the_caller),
		cmocka_unit_test(served_types_need_the_service),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
