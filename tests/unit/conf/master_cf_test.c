/* SPDX-License-Identifier: Apache-2.0 */
/* master.cf: columns, service forms, options, errors with their place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "conf/master_cf.h"

static struct master_cf *
parsed(const char *text)
{
	char *why = NULL;
	struct master_cf *m = master_cf_parse("master.cf", view_of(text), NULL, true, &why);

	if (!m)
		fail_msg("%s: %s", text, why);
	return m;
}

static void
columns(void **state)
{
	struct master_cf *m = parsed("# services\n"
				     "smtp inet n - n - 5 smtpd\n"
				     "pickup\tunix  n  y  y  60  1  pickup\n"
				     "flush unix n n - 1000? 0 flush\n"
				     "pass pass - - - - - smtpd\n"
				     "old fifo n - - - - qmgr\n"
				     "postlog unix-dgram n - n - 1 postlogd\n");
	const struct master_entry *e = m->entries;

	(void)state;
	assert_int_equal(m->count, 6);
	assert_string_equal(e[0].name, "smtp");
	assert_int_equal(e[0].type, MASTER_INET);
	assert_false(e[0].is_private || e[0].is_private_default || e[0].is_chroot);
	assert_true(e[0].is_unprivileged && e[0].is_unprivileged_default);
	assert_int_equal(e[0].wakeup, 0);
	assert_true(e[0].is_wakeup_default && !e[0].wakeup_if_used);
	assert_int_equal(e[0].max_processes, 5);
	assert_string_equal(e[0].program, "smtpd");
	assert_int_equal(e[0].argument_count, 0);
	assert_null(e[0].arguments[0]);
	assert_int_equal(e[0].line, 2);
	assert_int_equal(e[1].type, MASTER_UNIX);
	assert_true(e[1].is_unprivileged && !e[1].is_unprivileged_default && e[1].is_chroot);
	assert_int_equal(e[1].wakeup, 60);
	assert_int_equal(e[1].max_processes, 1);
	assert_false(e[2].is_unprivileged);
	assert_true(e[2].is_chroot && e[2].is_chroot_default); /* compatibility_level 0 */
	assert_true(e[2].wakeup_if_used);
	assert_int_equal(e[2].wakeup, 1000);
	assert_int_equal(e[2].max_processes, 0);
	assert_int_equal(e[3].type, MASTER_PASS);
	assert_true(e[3].is_private && e[3].is_private_default);
	assert_int_equal(e[3].max_processes, -1);
	assert_int_equal(e[4].type, MASTER_FIFO);
	assert_int_equal(e[5].type, MASTER_UNIX_DGRAM);
	assert_ptr_equal(master_cf_find(m, "pass", MASTER_PASS), &e[3]);
	assert_null(master_cf_find(m, "pass", MASTER_UNIX));
	master_cf_free(&m);
}

static void
chroot_default(void **state)
{
	static const char *const levels[] = { "compatibility_level = 0\n",
		"compatibility_level = 1\n", "compatibility_level = 3.11\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
		char *why = NULL;
		struct conf *c = conf_open_text("main.cf", view_of(levels[i]), true, &why);
		struct master_cf *m =
		    master_cf_parse("master.cf", VIEW("x unix - - - - - x\n"), c, true, &why);
		assert_int_equal(m->entries[0].is_chroot, i == 0);
		master_cf_free(&m);
		conf_free(&c);
	}
}

struct port_row {
	const char *name;
	const char *host;
	const char *port; /* NULL: refused */
};

static const struct port_row port_rows[] = {
	{ "smtp", "", "smtp" },
	{ "25", "", "25" },
	{ ":25", "", "25" },
	{ "127.0.0.1:smtp", "127.0.0.1", "smtp" },
	{ "host.example:10025", "host.example", "10025" },
	{ "[::1]:25", "::1", "25" },
	{ "[127.0.0.1]:25", "127.0.0.1", "25" },
	{ "[ipv6:::1]:25", "::1", "25" },
	{ "::1:25", NULL, NULL },
	{ "[::1:25", NULL, NULL },
	{ "[]:25", NULL, NULL },
	{ "host:", NULL, NULL },
	{ "0", NULL, NULL },
	{ "65536", NULL, NULL },
	{ "25x", NULL, NULL },
	{ "a/b", NULL, NULL },
};

static void
service_forms(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(port_rows); i++) {
		const struct port_row *row = &port_rows[i];
		char *text = mem_printf("%s inet n - - - - smtpd\n", row->name), *why = NULL;
		struct master_cf *m =
		    master_cf_parse("master.cf", view_of(text), NULL, true, &why);
		if (!m != !row->port)
			fail_msg("%s: %s", row->name, m ? "accepted" : why);
		if (m) {
			assert_string_equal(m->entries[0].name, row->name);
			assert_string_equal(m->entries[0].host, row->host);
			assert_string_equal(m->entries[0].port, row->port);
		}
		mem_free(why);
		mem_free(text);
		master_cf_free(&m);
	}
}

static void
assert_option(const struct master_entry *e, size_t i, const char *name, const char *value)
{
	assert_true(i < e->option_count);
	assert_string_equal(e->options[i].name, name);
	assert_string_equal(e->options[i].value, value);
}

static void
options(void **state)
{
	struct master_cf *m = parsed(
	    "smtp inet n - n - - smtpd -v -o a=b\n"
	    "  -oc=d # no comment\n"
	    "# -o hidden=1\n"
	    "\n"
	    "  -o { e = f, g  h }  -vv -D {arg with  blanks} -o not=option {}\n"
	    "dot unix - n n - - pipe flags=DR { user = x } argv=/bin/x -o y=z ${nexthop}\n"
	    "end unix - n n - - prog -v -- -o x\n"
	    "last unix - n n - - prog -vo a= -o b==\n");
	const struct master_entry *e = m->entries;

	(void)state;
	assert_int_equal(m->count, 4);
	/* "#" inside a line is a word, and the first word that is no option ends the options */
	assert_int_equal(e[0].option_count, 2);
	assert_option(&e[0], 0, "a", "b");
	assert_option(&e[0], 1, "c", "d");
	assert_int_equal(e[0].verbose, 1);
	assert_string_equal(e[0].arguments[0], "#");
	assert_int_equal(e[1].option_count, 0);
	assert_int_equal(e[1].argument_count, 6);
	assert_string_equal(e[1].arguments[1], "user = x");
	assert_string_equal(e[1].arguments[5], "${nexthop}");
	assert_int_equal(e[2].verbose, 1);
	assert_int_equal(e[2].argument_count, 2);
	assert_string_equal(e[2].arguments[0], "-o");
	assert_option(&e[3], 0, "a", "");
	assert_option(&e[3], 1, "b", "=");
	assert_int_equal(e[3].verbose, 1);
	master_cf_free(&m);

	m = parsed(
	    "smtp inet n - n - - smtpd -o { e = f, g  h }  -vv -D {arg with  blanks} {}\n");
	e = m->entries;
	assert_option(&e[0], 0, "e", "f, g  h");
	assert_int_equal(e[0].verbose, 2);
	assert_true(e[0].debug);
	assert_int_equal(e[0].argument_count, 2);
	assert_string_equal(e[0].arguments[0], "arg with  blanks");
	assert_string_equal(e[0].arguments[1], "");
	assert_int_equal(e[0].word_count, 6);
	master_cf_free(&m);
}

static void
last_one_wins(void **state)
{
	struct master_cf *m =
	    parsed("a unix - - - - 1 x\nb unix - - - - 2 x\na pass - - - - 3 x\n"
		   "a unix - - - - 4 y -o p=q\n");

	(void)state;
	assert_int_equal(m->count, 3);
	assert_int_equal(m->entries[0].max_processes, 4);
	assert_string_equal(m->entries[0].program, "y");
	assert_int_equal(m->warning_count, 1);
	assert_string_equal(
	    m->warnings[0], "master.cf, line 4: overriding earlier entry of line 1: a/unix");
	master_cf_free(&m);
}

struct error_row {
	struct view text;
	const char *why;
};

static const struct error_row error_rows[] = {
	{ VIEW("smtp inet n -\n"), "master.cf, line 1: bad field count: 4 of the 8 columns" },
	{ VIEW("#\n\nx foo n - - - - x\n"),
	    "master.cf, line 3: invalid type field \"foo\": must be "
	    "inet, unix, unix-dgram, fifo or pass" },
	{ VIEW("x unix q - - - - x\n"), "invalid private field \"q\": must be y, n or -" },
	{ VIEW("x unix - Y - - - x\n"), "invalid unprivileged field \"Y\"" },
	{ VIEW("x unix - - yes - - x\n"), "invalid chroot field \"yes\"" },
	{ VIEW("x unix - - - 1m - x\n"), "invalid wakeup field \"1m\"" },
	{ VIEW("x unix - - - ? - x\n"), "invalid wakeup field \"?\"" },
	{ VIEW("x unix - - - - -1 x\n"), "invalid process_limit field \"-1\"" },
	{ VIEW("x unix - - - - 99999999999 x\n"), "invalid process_limit field" },
	{ VIEW("x inet - - - - - x\n"), "invalid private field \"-\": must be n" },
	{ VIEW("x inet y - - - - x\n"), "invalid private field \"y\": must be n" },
	{ VIEW("x unix - - - - - /bin/x\n"), "invalid command field \"/bin/x\"" },
	{ VIEW("x unix - - - - - ../x\n"), "invalid command field" },
	{ VIEW("/x unix - - - - - x\n"), "invalid service name field \"/x\"" },
	{ VIEW("a/../x unix - - - - - x\n"), "invalid service name field" },
	{ VIEW("x unix - - - - - x\n -o\n"), "line 1: -o without name=value" },
	{ VIEW("x unix - - - - - x -o a = b\n"),
	    "missing '=' after attribute name in -o \"a\"" },
	{ VIEW("x unix - - - - - x -o =b\n"), "missing attribute name in -o \"=b\"" },
	{ VIEW("x unix - - - - - x -o { a b }\n"), "missing '=' after attribute name" },
	{ VIEW("x unix - - - - - x -o { a=b\n"), "missing '}' in \"{ a=b\"" },
	{ VIEW("x unix - - - - - x\0y\n"), "line 1: null byte" },
};

static void
errors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(error_rows); i++) {
		char *why = NULL;
		struct master_cf *m =
		    master_cf_parse("master.cf", error_rows[i].text, NULL, true, &why);
		if (m)
			fail_msg("accepted: %s", error_rows[i].text.p);
		if (!strstr(why, error_rows[i].why))
			fail_msg("%s: %s", error_rows[i].text.p, why);
		mem_free(why);
	}
}

static void
first_line_continues_nothing(void **state)
{
	struct master_cf *m = parsed("  a unix - - - - - x\nb unix - - - - - x\n");

	(void)state;
	assert_int_equal(m->count, 1);
	assert_int_equal(m->warning_count, 1);
	master_cf_free(&m);
	m = parsed("");
	assert_int_equal(m->count, 0);
	master_cf_free(&m);
	master_cf_free(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns),
		cmocka_unit_test(chroot_default),
		cmocka_unit_test(service_forms),
		cmocka_unit_test(options),
		cmocka_unit_test(last_one_wins),
		cmocka_unit_test(errors),
		cmocka_unit_test(first_line_continues_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
