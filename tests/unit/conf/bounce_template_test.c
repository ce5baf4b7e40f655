/* SPDX-License-Identifier: Apache-2.0 */
/* bounce_template_file: what is taken from a file, what is refused and why, and $name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "conf/bounce_template.h"

static void
collect(const char *warning, void *context)
{
	buf_printf(context, "%s\n", warning);
}

static void
assert_view(struct view v, const char *expected)
{
	char *text = mem_dup(v.n ? v.p : "", v.n);

	assert_string_equal(text, expected);
	mem_free(text);
}

static void
whole_file(void **state)
{
	static const char file[] = "# comment\n"
				   "\n"
				   "failure_template = <<EOF\n"
				   "charset: UTF-8\n"
				   "FROM: Post <post@example.org>\n"
				   "Subject: Zur\xc3\xbc"
				   "ck\n"
				   "EOF\n"
				   "  delay_template=<<END\r\n"
				   "Subject: late\r\n"
				   "Postmaster-Subject: very late\r\n"
				   "\r\n"
				   " keeps \\ and blanks\r\n"
				   "EOF\r\n"
				   "# no comment here\r\n"
				   "END\r\n"
				   "success_template = <<EOF\n"
				   "text at once\n"
				   "\n"
				   "Subject: no header any more\n"
				   "EOF\n"
				   "verify_template = <<EOF\n"
				   "Charset: utf-8\n"
				   "\n"
				   "\xc3\xbc\n"
				   "EOF\n";
	struct bounce_templates t;
	struct buf warnings = BUF_INIT(10000);

	(void)state;
	bounce_templates_parse(&t, "b.cf", view_of(file), collect, &warnings);
	/* A subject that is not ASCII: the built-in template stays as a whole. */
	assert_view(t.of[BOUNCE_TEMPLATE_FAILURE].charset, "us-ascii");
	assert_view(
	    t.of[BOUNCE_TEMPLATE_FAILURE].subject, "Undelivered Mail Returned to Sender");
	assert_view(t.of[BOUNCE_TEMPLATE_DELAY].subject, "late");
	assert_view(t.of[BOUNCE_TEMPLATE_DELAY].postmaster_subject, "very late");
	assert_view(t.of[BOUNCE_TEMPLATE_DELAY].from, "Mail Delivery System <MAILER-DAEMON>");
	assert_view(
	    t.of[BOUNCE_TEMPLATE_DELAY].text, " keeps \\ and blanks\nEOF\n# no comment here\n");
	assert_view(t.of[BOUNCE_TEMPLATE_SUCCESS].text,
	    "text at once\n\nSubject: no header any more\n");
	assert_false(t.of[BOUNCE_TEMPLATE_SUCCESS].is_8bit);
	assert_view(t.of[BOUNCE_TEMPLATE_VERIFY].text, "\xc3\xbc\n");
	assert_true(t.of[BOUNCE_TEMPLATE_VERIFY].is_8bit);
	assert_string_equal(buf_str(&warnings),
	    "b.cf, line 6: a header value must be of ASCII characters, on one line: "
	    "\"Subject\" -- ignoring this template\n");
	bounce_templates_done(&t);
	buf_done(&warnings);
}

/* Each leaves the built-in failure template as it is. */
static void
refused(void **state)
{
	static const struct {
		const char *file;
		const char *warning;
	} rows[] = {
		{ "failure_template = <<EOF\nFoo: bar\n\ntext\nEOF\n",
		    "f, line 2: unknown header label: \"Foo\" -- ignoring this template\n" },
		{ "failure_template = <<EOF\nSubject:\n\ntext\nEOF\n",
		    "f, line 2: empty header value: \"Subject\" -- ignoring this template\n" },
		{ "failure_template = <<EOF\nCharset: a b\n\ntext\nEOF\n",
		    "f, line 2: no name of a character set: \"Charset\" -- ignoring this "
		    "template\n" },
		{ "failure_template = <<EOF\nSubject: x\nEOF\n",
		    "f, line 1: missing message text in failure_template -- ignoring this "
		    "template\n" },
		{ "#\nfailure_template = <<EOF\n\xe9t\xe9\nEOF\n",
		    "f, line 2: 8-bit text needs a Charset other than us-ascii in "
		    "failure_template -- ignoring this template\n" },
		{ "failure_template = <<EOF\nCharset: utf-8\n\xe9t\xe9\nEOF\n",
		    "f, line 1: the text is not the UTF-8 that its Charset says in "
		    "failure_template -- ignoring this template\n" },
		{ "fail_template = <<EOF\nfailure_template = <<X\nX\nEOF\n",
		    "f, line 1: unknown template name: fail_template -- ignoring this "
		    "template\n" },
		{ "failure_template = text\n",
		    "f, line 1: expected \"name = <<EOF\" and not \"failure_template = "
		    "text\"\n" },
		{ "failure_template = <<'EOF'\n",
		    "f, line 1: expected \"name = <<EOF\" and not \"failure_template = "
		    "<<'EOF'\"\n" },
		{ "failure_template = <<EOF\n",
		    "f, line 1: missing \"EOF\" end marker\n"
		    "f, line 1: missing message text in failure_template -- ignoring this "
		    "template\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct bounce_template *builtin =
		    bounce_template_builtin(BOUNCE_TEMPLATE_FAILURE);
		struct buf warnings = BUF_INIT(10000);
		struct bounce_templates t;

		bounce_templates_parse(&t, "f", view_of(rows[i].file), collect, &warnings);
		assert_string_equal(buf_str(&warnings), rows[i].warning);
		assert_true(view_eq(t.of[0].text, builtin->text));
		assert_true(view_eq(t.of[0].subject, builtin->subject));
		bounce_templates_done(&t);
		buf_done(&warnings);
	}
}

static void
long_lines_and_nul(void **state)
{
	static const char head[] = "failure_template = <<EOF\n";
	struct buf file = BUF_INIT(10000), warnings = BUF_INIT(10000);
	struct bounce_templates t;

	(void)state;
	for (int with_nul = 0; with_nul < 2; with_nul++) {
		buf_clear(&file);
		buf_append_str(&file, head);
		for (int i = 0; i < (with_nul ? 10 : 991); i++)
			buf_append_char(&file, 'x');
		if (with_nul)
			buf_append_char(&file, '\0');
		buf_append_str(&file, "\nEOF\n");
		bounce_templates_parse(&t, "f", buf_view(&file), collect, &warnings);
		assert_true(t.of[0].text.n < 990);
		bounce_templates_done(&t);
	}
	assert_string_equal(buf_str(&warnings),
	    "f, line 1: a line of the text is too long in failure_template -- ignoring this "
	    "template\n"
	    "f, line 1: NUL in the text in failure_template -- ignoring this template\n");
	buf_done(&file);
	buf_done(&warnings);
}

static void
missing_file(void **state)
{
	struct buf warnings = BUF_INIT(10000);
	struct bounce_templates t;

	(void)state;
	bounce_templates_open(&t, "/nonexistent/bounce.cf", collect, &warnings);
	assert_string_equal(buf_str(&warnings),
	    "bounce_template_file /nonexistent/bounce.cf: No such file or directory: the "
	    "built-in texts are used\n");
	assert_string_equal(t.of[BOUNCE_TEMPLATE_DELAY].name, "delay");
	bounce_templates_done(&t);
	buf_clear(&warnings);
	bounce_templates_open(&t, "", collect, &warnings);
	assert_string_equal(buf_str(&warnings), "");
	bounce_templates_done(&t);
	buf_done(&warnings);
}

static void
expansion(void **state)
{
	static const struct {
		const char *text, *expanded;
	} rows[] = {
		{ "host $myhostname.", "host mail.example.org." },
		{ "$$5 ${myhostname}s $(mydomain)", "$5 mail.example.orgs example.org" },
		{ "$delay_warning_time_seconds $delay_warning_time_minutes "
		  "$delay_warning_time_hours",
		    "16200 270 4" },
		{ "$maximal_queue_lifetime_days/$maximal_queue_lifetime_weeks", "14/2" },
		{ "${bounce_queue_lifetime_days?bounces too}", "bounces too" },
		{ "<$myhostname_days$nothing_hours$delay_warning_time_years>", "<>" },
	};
	char *why = NULL;
	struct conf *c = conf_open_text("main.cf",
	    VIEW("myhostname = mail.example.org\nmydomain = example.org\n"
		 "delay_warning_time = 16200s\nmaximal_queue_lifetime = 2w\n"),
	    true, &why);

	(void)state;
	assert_non_null(c);
	assert_true(conf_evaluate(c, &why));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bounce_template t = { .text = view_of(rows[i].text) };
		struct buf out = BUF_INIT(1000);

		assert_true(bounce_template_expand(c, &t, &out, &why));
		assert_string_equal(buf_str(&out), rows[i].expanded);
		buf_done(&out);
	}
	{
		struct bounce_template t = { .text = VIEW("${myhostname") };
		struct buf out = BUF_INIT(1000);

		assert_false(bounce_template_expand(c, &t, &out, &why));
		assert_non_null(why);
		mem_free(why);
		buf_done(&out);
	}
	conf_free(&c);
}

/* What is built in would be accepted from a file, too. */
static void
builtin(void **state)
{
	(void)state;
	for (int i = 0; i < BOUNCE_TEMPLATE_KINDS; i++) {
		const struct bounce_template *b = bounce_template_builtin(i);
		struct buf file = BUF_INIT(10000), warnings = BUF_INIT(10000);
		struct bounce_templates t;

		buf_printf(&file, "%s_template = <<EOF\nSubject: own\n\n%.*sEOF\n", b->name,
		    VIEW_ARG(b->text));
		bounce_templates_parse(&t, "f", buf_view(&file), collect, &warnings);
		assert_string_equal(buf_str(&warnings), "");
		assert_view(t.of[i].subject, "own");
		assert_true(view_eq(t.of[i].text, b->text));
		bounce_templates_done(&t);
		buf_done(&file);
		buf_done(&warnings);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_file),
		cmocka_unit_test(refused),
		cmocka_unit_test(long_lines_and_nul),
		cmocka_unit_test(missing_file),
		cmocka_unit_test(expansion),
		cmocka_unit_test(builtin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
