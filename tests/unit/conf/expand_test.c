/* SPDX-License-Identifier: Apache-2.0 */
/*
 * $name expressions. The expected values are what postconf -x of Postfix prints; they were
 * compared with it row by row.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "conf/conf.h"
#include "conf/expand.h"

static const char settings[] = "b = B\nc = 1\nempty =\nlevel = 3.6\nref = $empty\n";

struct row {
	const char *text;
	const char *expected; /* NULL: an error */
	const char *why;      /* part of the message */
};

static const struct row rows[] = {
	{ "", "", NULL },
	{ "plain } text {", "plain } text {", NULL },
	{ "$b", "B", NULL },
	{ "${b}|$(b)|${ b }|$( b )", "B|B|B|B", NULL },
	{ "$b$c.$b-c${b}_c$b_c", "B1.B-cB_c", NULL },
	{ "$undefined|${undefined}", "|", NULL },
	{ "$$ $$$$ $$b $${b}", "$ $$ $b ${b}", NULL },
	{ "{{$b}}", "{{B}}", NULL },
	/* ? and : */
	{ "${c?yes}${c:no}${empty?yes}${empty:no}${nope?yes}${nope:no}", "yesnono", NULL },
	{ "${c?$c}${c?${c}}${c?{${c}{x}}}", "111{x}", NULL },
	{ "${c?{x}:{y}}${nope?{x}:{y}}${empty?{x}:{y}}", "xyy", NULL },
	{ "${c?{x}:y}${nope?{x}:y}", "xy", NULL },
	{ "${c ? {x} : {y}}${ c ?{x}:{y}}", "xx", NULL },
	{ "${c?x:y}", "x:y", NULL },
	{ "${c?x}y}", "xy}", NULL },
	{ "${nope:x${b}y}", "xBy", NULL },
	{ "${nope?{x}:{}}", "", NULL },
	{ "${c? x }|${c?{ x }}|${nope: z }|${nope:{ z }}|", " x | x | z | z |", NULL },
	{ "$(c?(x))$(c?x(y)z)$(b?{y}:{z})", "(x)x(y)zy", NULL },
	/* the test looks at the text that was set, before expansion */
	{ "${ref?{set}:{unset}}", "set", NULL },
	{ "${b::x}|${nope::x}", "|:x", NULL },
	/* comparisons */
	{ "${{a} == {a}}${{a} == {b}}", "true", NULL },
	{ "${{a} == {a} ? {x}}|${{a} == {b} ? {x}}|${{a} != {b} : {y}}|${{a} == {b} : {y}}",
	    "x|||y", NULL },
	{ "${{$b} == {B} ? {y}:{${c}}}${{$b} != {B} ? {y}:{${c}}}", "y1", NULL },
	{ "${{10} > {9} ? {n}:{s}}${{x10} > {x9} ? {n}:{s}}", "ns", NULL },
	{ "${{010} == {10}?{eq}:{ne}}${{ a } == {a}?{eq}:{ne}}${{} == {}?{eq}:{ne}}", "eqneeq",
	    NULL },
	{ "${{-1} < {1}?{y}:{n}}${{abc} < {abd}?{y}:{n}}${{b} <= {a}?{y}:{n}}", "yyn", NULL },
	{ "${{2} >= {2}?{y}:{n}}${{3} >= {2}?{y}:{n}}${{2}<{2}?{y}:{n}}", "yyn", NULL },
	{ "${{3.10} <level {3.9}?{lt}:{ge}}${{3.9} <level {3.10}?{lt}:{ge}}", "gelt", NULL },
	{ "${{$level} >=level {3.6}?{y}:{n}}${{3.6} ==level {3.6.0}?{y}:{n}}", "yy", NULL },
	{ "${{0} <level{1}?{old}:{new}}${{3} <level {3.0}?{lt}:{ge}}", "oldge", NULL },
	{ "${{x} == {y} ? a : b}|${{x} == {x} ?a}", "|a", NULL },
	/* functions */
	{ "${domain_to_ascii{Example.org}}", "Example.org", NULL },
	{ "${domain_to_ascii{b\xc3\xbc"
	  "cher.example}}",
	    "xn--bcher-kva.example", NULL },
	/* errors */
	{ "x$", NULL, "empty macro name" },
	{ "x$ y", NULL, "empty macro name" },
	{ "${}", NULL, "empty macro name" },
	{ "${b", NULL, "truncated macro reference" },
	{ "$(b}", NULL, "truncated macro reference" },
	{ "${c?{x}", NULL, "truncated macro reference" },
	{ "${b!x}", NULL, "attribute name syntax error" },
	{ "${b.c}", NULL, "attribute name syntax error" },
	{ "${$b}", NULL, "attribute name syntax error" },
	{ "${c?{x}y}", NULL, "\":\" expected" },
	{ "${c:{x}:{y}}", NULL, "unexpected input" },
	{ "${{x} == {x} ? {y}:{z}w}", NULL, "unexpected input" },
	{ "${{x} = {x} ? {y}}", NULL, "expected at" },
	{ "${{x} === {x} ? {y}}", NULL, "expected at" },
	{ "${{x} == x ? {y}:{z}}", NULL, "{expression}" },
	{ "${{a} <level {9}?{lt}:{ge}}", NULL, "malformed compatibility level" },
	{ "${{3.1.2.4} <level {9}?{lt}:{ge}}", NULL, "malformed compatibility level" },
	{ "${no_such_function{x}}", NULL, "unknown function" },
};

static void
expressions(void **state)
{
	char *why = NULL;
	struct conf *c = conf_open_text("main.cf", view_of(settings), true, &why);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = BUF_INIT(CONF_VALUE_MAX);
		bool ok = conf_expand(c, view_of(rows[i].text), &out, &why);
		if (ok != (rows[i].expected != NULL))
			fail_msg("%s: %s", rows[i].text, ok ? buf_str(&out) : why);
		if (ok && strcmp(buf_str(&out), rows[i].expected) != 0)
			fail_msg("%s: got \"%s\"", rows[i].text, buf_str(&out));
		if (!ok && !strstr(why, rows[i].why))
			fail_msg("%s: %s", rows[i].text, why);
		mem_free(why);
		why = NULL;
		buf_done(&out);
	}
	conf_free(&c);
}

/* v0 = $v1, v1 = $v2, ... and $v0 asked for. */
static bool
expand_chain(unsigned length, char **why)
{
	struct buf text = BUF_INIT(100000), out = BUF_INIT(100000);

	for (unsigned i = 0; i < length; i++)
		buf_printf(&text, "v%u = $v%u\n", i, i + 1);
	buf_printf(&text, "v%u = end\n", length);
	struct conf *c = conf_open_text("main.cf", buf_view(&text), true, why);
	bool ok = conf_expand(c, VIEW("$v0"), &out, why);
	if (ok)
		assert_string_equal(buf_str(&out), "end");
	conf_free(&c);
	buf_done(&text);
	buf_done(&out);
	return ok;
}

static void
recursion(void **state)
{
	char *why;

	(void)state;
	assert_true(expand_chain(CONF_RECURSION_MAX - 1, &why));
	assert_false(expand_chain(CONF_RECURSION_MAX, &why));
	assert_non_null(strstr(why, "nesting"));
	mem_free(why);
}

static void
loops(void **state)
{
	char *why = NULL;
	struct conf *c = conf_open_text("main.cf", VIEW("a=$a\nb=$c\nc=$b\n"), true, &why);
	struct buf out = BUF_INIT(1000);

	(void)state;
	assert_false(conf_expand(c, VIEW("$a"), &out, &why));
	mem_free(why);
	assert_false(conf_expand(c, VIEW("$b"), &out, &why));
	mem_free(why);
	buf_done(&out);
	conf_free(&c);
}

/* Each value refers to the next one ten times: the work stops long before 10^15 steps. */
static void
explosion(void **state)
{
	struct buf text = BUF_INIT(100000), out = BUF_INIT(CONF_VALUE_MAX);
	char *why = NULL;

	(void)state;
	for (char v = 'a'; v < 'p'; v++) {
		buf_printf(&text, "%c =", v);
		for (int i = 0; i < 10; i++)
			buf_printf(&text, " $%c", v + 1);
		buf_append_char(&text, '\n');
	}
	buf_append_str(&text, "p = x\n");
	struct conf *c = conf_open_text("main.cf", buf_view(&text), true, &why);
	assert_false(conf_expand(c, VIEW("$a"), &out, &why));
	mem_free(why);
	buf_done(&out);
	out = (struct buf)BUF_INIT(100);
	assert_false(conf_expand(c, VIEW("$m"), &out, &why));
	assert_non_null(strstr(why, "too long"));
	mem_free(why);
	buf_done(&out);
	buf_done(&text);
	conf_free(&c);
}

static void
deep_brackets(void **state)
{
	struct buf text = BUF_INIT(1000000), out = BUF_INIT(1000);
	char *why = NULL;

	(void)state;
	for (int i = 0; i < 50000; i++)
		buf_append_str(&text, "${x:{");
	for (int i = 0; i < 50000; i++)
		buf_append_str(&text, "}}");
	struct conf *c = conf_open_text("main.cf", VIEW(""), true, &why);
	assert_false(conf_expand(c, buf_view(&text), &out, &why));
	assert_non_null(strstr(why, "too deep"));
	mem_free(why);
	conf_free(&c);
	buf_done(&text);
	buf_done(&out);
}

static const char *
lookup(const char *name, void *context)
{
	(void)context;
	return strcmp(name, "user") == 0 ? "jo$c" : strcmp(name, "b") == 0 ? "mine" : NULL;
}

static void
callers_names(void **state)
{
	char *why = NULL;
	struct conf *c = conf_open_text("main.cf", view_of(settings), true, &why);
	struct buf out = BUF_INIT(1000);

	(void)state;
	assert_true(
	    conf_expand_with(c, lookup, NULL, VIEW("$user $b $c ${nope?x}"), &out, &why));
	assert_string_equal(buf_str(&out), "jo1 mine 1 ");
	buf_done(&out);
	conf_free(&c);
}

static void
append_name(struct view name, void *context)
{
	struct buf *out = context;

	buf_append_view(out, name);
	buf_append_char(out, ',');
}

static void
names(void **state)
{
	struct buf out = BUF_INIT(1000);

	(void)state;
	expand_names(VIEW("$a $$no ${b?$c} $(d:${e}) ${{$f} == {g} ? {$h}} ${ i } "
			  "${domain_to_ascii{$j}} $"),
	    append_name, &out);
	assert_string_equal(buf_str(&out), "a,b,c,d,e,f,h,i,j,");
	buf_done(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expressions),
		cmocka_unit_test(recursion),
		cmocka_unit_test(loops),
		cmocka_unit_test(explosion),
		cmocka_unit_test(deep_brackets),
		cmocka_unit_test(callers_names),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
