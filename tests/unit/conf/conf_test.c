/* SPDX-License-Identifier: Apache-2.0 */
/* main.cf as text: logical lines, settings, errors with their place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "conf/conf.h"

struct row {
	const char *text;
	const char *name;
	const char *value; /* NULL: not set */
};

static const struct row rows[] = {
	{ "a=b\n", "a", "b" },
	{ "a=b", "a", "b" },
	{ "a = b\n", "a", "b" },
	{ "a   =\t b c  \n", "a", "b c" },
	{ "a =\n", "a", "" },
	{ "a=b=c\n", "a", "b=c" },
	{ "a==b\n", "a", "=b" },
	{ "a-b.c=d\n", "a-b.c", "d" },
	{ "#a=b\na=c\n", "a", "c" },
	{ "   # a=b\na=c\n", "a", "c" },
	{ "a = b # no comment\n", "a", "b # no comment" },
	/* continuation; comments and empty lines inside */
	{ "a = b\n c\n\td\n", "a", "b c\td" },
	{ "a =\n b\n", "a", "b" },
	{ "a\n = b\n", "a", "b" },
	{ "a = b,\n# x\n  c\n", "a", "b,  c" },
	{ "a = b\n\n\n c\n   \n  # x\n d\n", "a", "b c d" },
	{ "a = b\n#x\n\nc = d\n e\n", "a", "b" },
	{ "a = b\n#x\n\nc = d\n e\n", "c", "d e" },
	{ "a = b\r\nc = d\r\n", "a", "b" },
	{ "a = b\\\nc = d\n", "a", "b\\" },
	/* the last one wins */
	{ "a=1\na=2\n", "a", "2" },
	{ "\n\n", "a", NULL },
	{ "", "a", NULL },
	/* a first line that continues nothing is skipped, with what continues it */
	{ "  a=1\n b\nc=2\n", "c", "2" },
	{ "  a=1\n b\nc=2\n", "a", NULL },
};

static void
parsing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *why = NULL;
		struct conf *c = conf_open_text("main.cf", view_of(rows[i].text), true, &why);
		if (!c)
			fail_msg("row %zu: %s", i, why);
		const char *value = conf_text(c, rows[i].name, NULL);
		if (!value != !rows[i].value || (value && strcmp(value, rows[i].value) != 0))
			fail_msg("row %zu: got \"%s\"", i, value ? value : "(nothing)");
		conf_free(&c);
	}
}

struct error_row {
	struct view text;
	const char *why;
};

static const struct error_row error_rows[] = {
	{ VIEW("a=1\n\nfoo\n bar\n"),
	    "main.cf, line 3: missing '=' after attribute name: \"foo bar\"" },
	{ VIEW("=x\n"), "main.cf, line 1: missing attribute name: \"=x\"" },
	{ VIEW("# c\na b = c\n"),
	    "main.cf, line 2: missing '=' after attribute name: \"a b = c\"" },
	{ VIEW("a=1\nb=\0x\n"), "main.cf, line 2: null byte in the file" },
};

static void
errors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(error_rows); i++) {
		char *why = NULL;
		struct conf *c = conf_open_text("main.cf", error_rows[i].text, true, &why);
		assert_null(c);
		assert_string_equal(why, error_rows[i].why);
		mem_free(why);
	}
}

static void
long_line(void **state)
{
	size_t n = CONF_LINE_MAX + 10;
	char *text = mem_zero(n + 1, 1), *why = NULL;
	struct conf *c;

	(void)state;
	memset(text, 'x', n);
	memcpy(text, "\na=", 3);
	c = conf_open_text("main.cf", (struct view){ text, CONF_LINE_MAX + 1 }, true, &why);
	assert_non_null(c);
	assert_int_equal(strlen(conf_text(c, "a", NULL)), CONF_LINE_MAX - 2);
	conf_free(&c);
	assert_null(
	    conf_open_text("main.cf", (struct view){ text, CONF_LINE_MAX + 2 }, true, &why));
	assert_non_null(strstr(why, "main.cf, line 2: "));
	mem_free(why);
	mem_free(text);
}

static void
warnings(void **state)
{
	char *why = NULL;
	struct conf *c = conf_open_text(
	    "main.cf", VIEW(" lead\na=1\na=1\na=2\nb=x\nb = y\n  z\n"), true, &why);

	(void)state;
	assert_non_null(c);
	assert_int_equal(conf_warning_count(c), 3);
	assert_string_equal(conf_warning(c, 0),
	    "main.cf, line 1: logical line must not start with whitespace: \" lead\"");
	assert_string_equal(
	    conf_warning(c, 1), "main.cf, line 4: overriding earlier entry: a=1");
	assert_string_equal(
	    conf_warning(c, 2), "main.cf, line 6: overriding earlier entry: b=x");
	assert_string_equal(conf_text(c, "b", NULL), "y  z");
	conf_free(&c);
}

static void
options(void **state)
{
	char *why = NULL;
	bool is_default;
	struct conf *c = conf_open_text("main.cf", VIEW("b=1\na=2\n"), true, &why);
	struct buf where = BUF_INIT(1000);

	(void)state;
	conf_set(c, "a", "3");
	conf_set(c, "n", "4");
	assert_string_equal(conf_text(c, "a", &is_default), "3");
	assert_false(is_default);
	assert_string_equal(conf_text(c, "biff", &is_default), "yes");
	assert_true(is_default);
	assert_null(conf_text(c, "nothing", NULL));
	assert_int_equal(conf_set_count(c), 3);
	assert_string_equal(conf_set_name(c, 0), "b");
	assert_string_equal(conf_set_name(c, 1), "a");
	assert_string_equal(conf_set_name(c, 2), "n");
	conf_where(c, "b", &where);
	buf_append_char(&where, '|');
	conf_where(c, "a", &where);
	buf_append_char(&where, '|');
	conf_where(c, "biff", &where);
	assert_string_equal(buf_str(&where), "main.cf, line 1|-o option|default");
	assert_string_equal(conf_directory(c), "");
	buf_done(&where);
	conf_free(&c);
}

static void
file(void **state)
{
	char dir[] = "/tmp/conf_test.XXXXXX", *why = NULL;

	(void)state;
	assert_non_null(mkdtemp(dir));
	char *path = mem_printf("%s/main.cf", dir);
	assert_null(conf_open(dir, true, &why));
	assert_non_null(strstr(why, path));
	assert_non_null(strstr(why, "No such file"));
	mem_free(why);
	FILE *f = fopen(path, "w");
	fputs("relayhost = [x]\n", f);
	fclose(f);
	struct conf *c = conf_open(dir, true, &why);
	assert_non_null(c);
	assert_string_equal(conf_text(c, "relayhost", NULL), "[x]");
	assert_string_equal(conf_text(c, "config_directory", NULL), dir);
	assert_string_equal(conf_directory(c), dir);
	conf_free(&c);
	unlink(path);
	rmdir(dir);
	mem_free(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parsing),
		cmocka_unit_test(errors),
		cmocka_unit_test(long_line),
		cmocka_unit_test(warnings),
		cmocka_unit_test(options),
		cmocka_unit_test(file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
