/* SPDX-License-Identifier: Apache-2.0 */
/* Which keys an address is looked up under, and in which order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "table/table.h"
#include "tests/unit/conf_text.h"

#define USER   TABLE_SEARCH_USER
#define DOMAIN TABLE_SEARCH_DOMAIN
#define BOTH   (USER | DOMAIN)

static void
keys(void **state)
{
	static const struct {
		const char *list, *address;
		unsigned search;
		bool ours;
		const char *value; /* NULL: not found, "?": cannot tell */
		const char *extension;
	} rows[] = {
		{ "inline:{u+x@d=1,u@d=2,u+x=3,u=4,@d=5}", "u+x@d", BOTH, true, "1", "" },
		{ "inline:{u@d=2,u+x=3,u=4,@d=5}", "u+x@d", BOTH, true, "2", "+x" },
		{ "inline:{u+x=3,u=4,@d=5}", "u+x@d", BOTH, true, "3", "" },
		{ "inline:{u=4,@d=5}", "u+x@d", BOTH, true, "4", "+x" },
		{ "inline:{@d=5}", "u+x@d", BOTH, true, "5", "" },
		{ "inline:{u+x=3,u=4,@d=5}", "u+x@d", BOTH, false, "5", "" },
		{ "inline:{u+x=3,u=4,@d=5}", "u+x@d", DOMAIN, true, "5", "" },
		{ "inline:{u+x=3,u=4,@d=5}", "u+x@d", 0, true, NULL, "" },
		{ "inline:{d=5,u@=6,x@d=7}", "u@d", BOTH, true, NULL, "" },
		{ "inline:{u@d=2}", "U@D", BOTH, true, "2", "" },
		/* Each key in all tables before the next key. */
		{ "inline:{u@d=far}, inline:{u+x@d=near}", "u+x@d", BOTH, true, "near", "" },
		{ "inline:{@d=first} inline:{@d=second}", "u@d", BOTH, true, "first", "" },
		/* A table that cannot tell might have had the better key. */
		{ "inline:{u@d=1} fail:x", "u@d", BOTH, true, "1", "" },
		{ "inline:{@d=1} fail:x", "u@d", BOTH, true, "?", "" },
		/* Quoted local parts: external form, then internal. */
		{ "inline:{ {\"j s\"@d = q} }", "j s@d", BOTH, true, "q", "" },
		{ "inline:{ {j s@d = i} }", "j s@d", BOTH, true, "i", "" },
		{ "inline:{ {\"j s\" = q} }", "j s@d", BOTH, true, "q", "" },
		/* "v@x"@d has nothing to do with v@x (attacks.md E1). */
		{ "inline:{v@x=stolen}", "v@x@d", BOTH, true, NULL, "" },
		{ "inline:{@x=stolen,v=stolen}", "v@x@d", BOTH, true, NULL, "" },
		{ "inline:{@d=5}", "v@x@d", BOTH, true, "5", "" },
		/* No extension to split off. */
		{ "inline:{owner-list=no,owner=no}", "mailer-daemon@d", BOTH, true, NULL, "" },
		{ "inline:{u=4}", "", BOTH, true, NULL, "" },
		{ "inline:{u=4}", "u", USER, true, "4", "" },
		{ "inline:{u=4}", "u+e", USER, true, "4", "+e" },
		{ "", "u@d", BOTH, true, NULL, "" },
	};
	struct conf *conf = conf_of("");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct table_list *l = table_list_open(rows[i].list, conf);
		struct buf value = BUF_INIT(TABLE_VALUE_MAX);
		struct view extension = VIEW("left over");
		const char *why = "";
		enum table_result result = table_list_find_address(l, view_of(rows[i].address),
		    "+-", rows[i].search, rows[i].ours, &value, &extension, &why);

		if (rows[i].value == NULL)
			assert_int_equal(result, TABLE_NOT_FOUND);
		else if (strcmp(rows[i].value, "?") == 0)
			assert_int_equal(result, TABLE_CANNOT_TELL);
		else
			assert_int_equal(result, TABLE_FOUND);
		if (result == TABLE_FOUND)
			assert_string_equal(buf_str(&value), rows[i].value);
		assert_true(view_eq(extension, view_of(rows[i].extension)));
		buf_done(&value);
		table_list_free(&l);
	}
	conf_free(&conf);
}

static void
patterns_see_the_whole_address(void **state)
{
	char directory[32];
	char *path, *name;
	struct conf *conf = conf_of("");
	struct table_list *l;
	struct buf value = BUF_INIT(TABLE_VALUE_MAX);

	(void)state;
	test_directory(directory);
	path = test_file(
	    directory, "re", "/^u@d$/ bare\n/^@d$/ domain\n/^u$/ user\n/x@d$/ whole\n");
	name = mem_printf("regexp:%s", path);
	l = table_list_open(name, conf);
	assert_int_equal(
	    table_list_find_address(l, VIEW("u+x@d"), "+", BOTH, true, &value, NULL, NULL),
	    TABLE_FOUND);
	assert_string_equal(buf_str(&value), "whole");
	assert_int_equal(
	    table_list_find_address(l, VIEW("u+y@d"), "+", BOTH, true, &value, NULL, NULL),
	    TABLE_NOT_FOUND);
	table_list_free(&l);
	buf_done(&value);
	mem_free(path);
	mem_free(name);
	test_directory_remove(directory);
	conf_free(&conf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys),
		cmocka_unit_test(patterns_see_the_whole_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
