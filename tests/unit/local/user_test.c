/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of passwd(5), and the forward files that forward_path makes of an account. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "local/local.h"
#include "tests/unit/conf_text.h"

struct local local;

static void
passwd_lines(void **state)
{
	static const struct {
		const char *line;
		enum table_result result;
		unsigned uid, gid;
		const char *home;
	} rows[] = {
		{ "u:x:1000:100:U,,,:/home/u:/bin/sh", TABLE_FOUND, 1000, 100, "/home/u" },
		{ "u:x:0:0::/root:", TABLE_FOUND, 0, 0, "/root" },
		{ "u:x:4294967294:1:::", TABLE_FOUND, 4294967294u, 1, "" },
		{ "u:x:4294967295:1::/:", TABLE_CANNOT_TELL, 0, 0, NULL },
		{ "u:x:-1:1::/:", TABLE_CANNOT_TELL, 0, 0, NULL },
		{ "u:x: 1:1::/:", TABLE_CANNOT_TELL, 0, 0, NULL },
		{ "u:x:1:1:/home/u:/bin/sh", TABLE_CANNOT_TELL, 0, 0, NULL },
		{ "u", TABLE_CANNOT_TELL, 0, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *name = mem_printf("static:%s", rows[i].line);
		struct arena a = ARENA_INIT;
		const char *why = NULL;
		struct user user;

		local.passwd = table_open(name, NULL);
		assert_int_equal(user_find(&a, VIEW("u"), &user, &why), rows[i].result);
		if (rows[i].result == TABLE_FOUND) {
			assert_int_equal(user.uid, rows[i].uid);
			assert_int_equal(user.gid, rows[i].gid);
			assert_string_equal(user.home, rows[i].home);
			assert_string_equal(user.name, "u");
		} else {
			assert_non_null(why);
		}
		table_free(&local.passwd);
		arena_reset(&a);
		mem_free(name);
	}
}

static void
lookups_without_answer(void **state)
{
	struct arena a = ARENA_INIT;
	const char *why = NULL;
	struct user user;

	(void)state;
	local.passwd = table_open("inline:{other=x}", NULL);
	assert_int_equal(user_find(&a, VIEW("u"), &user, &why), TABLE_NOT_FOUND);
	table_free(&local.passwd);
	local.passwd = table_open("fail:away", NULL);
	assert_int_equal(user_find(&a, VIEW("u"), &user, &why), TABLE_CANNOT_TELL);
	table_free(&local.passwd);
	arena_reset(&a);
}

static void
forward_files(void **state)
{
	static const struct {
		const char *settings, *extension;
		char delimiter;
		const char *paths;
	} rows[] = {
		{ "", NULL, 0, "/h/.forward\n" },
		{ "recipient_delimiter = +-\n", "tag", '-', "/h/.forward-tag\n/h/.forward\n" },
		{ "recipient_delimiter = +\nforward_expansion_filter = etcx.\n", "../../etc/x",
		    '+', "/h/.forward+.._.._etc_x\n/h/.forward\n" },
		{ "forward_path =\n", NULL, 0, "" },
		{ "forward_path = /var/forward/$user, /x/${extension?$extension}\n", "e", '+',
		    "/var/forward/u\n/x/e\n" },
		{ "forward_path = /d/$domain/$local$nothing\n", NULL, 0,
		    "/d/example.test/u\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct conf *conf = conf_of(rows[i].settings);
		struct arena a = ARENA_INIT;
		struct deliver_recipient recipient = { .address = VIEW("u@example.test") };
		struct user user = { "u", "/h", "/bin/sh", (unsigned)geteuid(), 100 };
		struct mailbox_request r = {
			.recipient = &recipient,
			.user = &user,
			.local = VIEW("u"),
			.extension = view_of(rows[i].extension),
			.domain = VIEW("example.test"),
			.delimiter = rows[i].delimiter,
		};

		local.main_cf = conf;
		local.conf = conf_values_of(conf);
		assert_true(view_eq(forward_paths(&a, &r), view_of(rows[i].paths)));
		arena_reset(&a);
		conf_free(&conf);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passwd_lines),
		cmocka_unit_test(lookups_without_answer),
		cmocka_unit_test(forward_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
