/* SPDX-License-Identifier: Apache-2.0 */
/* Address lists: the examples of RFC 5322 appendix A, what mailers write, hostile fields. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "mail/address.h"
#include "mail/header.h"

/* All items of a value in one line: addresses in brackets, groups as "name:" and ";". */
static void
walk_print(struct view value, struct buf *out, size_t *skipped)
{
	struct header_address_walk w;
	struct header_address a;

	header_address_walk_init(&w, value);
	while (header_address_next(&w, &a)) {
		if (a.is_group_start || a.is_group_end) {
			assert_int_equal(a.address.n, 0);
			buf_append_view(out, a.text);
			continue;
		}
		assert_true(a.text.p >= value.p && a.text.p + a.text.n <= value.p + value.n);
		assert_true(a.spec.n == 0 ||
		    (a.spec.p >= a.text.p && a.spec.p + a.spec.n <= a.text.p + a.text.n));
		buf_printf(out, "<%.*s>", VIEW_ARG(a.address));
	}
	*skipped = w.skipped;
	header_address_walk_done(&w);
}

static void
lists(void **state)
{
	static const struct {
		const char *value, *items;
		size_t skipped;
	} rows[] = {
		/* A.1 */
		{ "John Doe <jdoe@machine.example>", "<jdoe@machine.example>", 0 },
		{ "\"Joe Q. Public\" <john.q.public@example.com>",
		    "<john.q.public@example.com>", 0 },
		{ "Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>",
		    "<mary@x.test><jdoe@example.org><one@y.test>", 0 },
		{ "<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>",
		    "<boss@nil.test><sysservices@example.net>", 0 },
		{ "A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;",
		    "A Group:<c@a.test><joe@where.test><jdoe@one.test>;", 0 },
		{ "Undisclosed recipients:;", "Undisclosed recipients:;", 0 },
		/* A.5 */
		{ "Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
		    "<pete@silly.test>", 0 },
		{ "A Group(Some people)\r\n     :Chris Jones <c@(Chris's host.)public.example>,"
		  "\r\n joe@example.org,\r\n John <jdoe@one.test> (my dear friend); (the end "
		  "of "
		  "the group)",
		    "A Group(Some people)\r\n     "
		    ":<c@public.example><joe@example.org><jdoe@one.test>;",
		    0 },
		{ "(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;",
		    "(Empty list)(start)Hidden recipients  :;", 0 },
		/* A.6.1 */
		{ "Joe Q. Public <john.q.public@example.com>", "<john.q.public@example.com>",
		    0 },
		{ "Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example",
		    "<mary@example.net><jdoe@test.example>", 0 },
		{ "<@a.test,@b.test:mary@example.net>", "<mary@example.net>", 0 },
		{ "<@[IPv6:2001:db8::1],@b.test:mary@example.net>", "<mary@example.net>", 0 },
		/* A.6.3 */
		{ "John Doe <jdoe@machine(comment).  example>", "<jdoe@machine.example>", 0 },
		/* others */
		{ "", "", 0 },
		{ " , ,, ", "", 0 },
		{ "<>", "<>", 0 },
		{ "MAILER-DAEMON <>", "<>", 0 },
		{ "root", "<root>", 0 },
		{ "root, a@b", "<root><a@b>", 0 },
		{ "a@b; c@d", "<a@b><c@d>", 0 },
		{ "\"a b\"@c", "<a b@c>", 0 },
		{ "\"a\r\n b\"@c", "<a b@c>", 0 },
		{ "a.\"b c\" . d@e", "<a.b c.d@e>", 0 },
		{ "\"v@x\"@here", "<v@x@here>", 0 },
		{ "a@[192.0.2.1]", "<a@[192.0.2.1]>", 0 },
		{ "a@[IPv6:2001:db8::1]", "<a@[IPv6:2001:db8::1]>", 0 },
		{ "=?utf-8?q?J=C3=A9?= <a@b>", "<a@b>", 0 },
		{ "J\xc3\xa9 <a@b>", "<a@b>", 0 },
		{ "\xc3\xa9@b", "<\xc3\xa9@b>", 0 },
		{ "\"a\" \"b\" c.d <e@f>", "<e@f>", 0 },
		{ "a@b <c@d>", "<c@d>", 0 },
		{ "<a@b> trailing words", "<a@b>", 0 },
		{ "a@b (comment, with) , c@d", "<a@b><c@d>", 0 },
		{ "a@b(unclosed, c@d", "", 1 },
		{ "list: a@b, c@d", "list:<a@b><c@d>", 0 },
		{ "x: a@b;, y: c@d;", "x:<a@b>;y:<c@d>;", 0 },
		{ "mailto:a@b", "mailto:<a@b>", 0 },
		/* no addresses */
		{ "two words", "", 1 },
		{ "two words, a@b", "<a@b>", 1 },
		{ "a b@c, d@e", "<d@e>", 1 },
		{ "a@b c, d@e", "<d@e>", 1 },
		{ "v@x@here, a@b", "<a@b>", 1 },
		{ "<v@x@here>, a@b", "<a@b>", 1 },
		{ "\"v@x\", a@b", "<a@b>", 1 },
		{ "\"\"@b, \"\", a@b", "<a@b>", 2 },
		{ "<a@b, c@d", "<c@d>", 1 },
		{ "a@b>, c@d", "<c@d>", 1 },
		{ "<a@b><c@d>, e@f", "<e@f>", 1 },
		{ "<<a@b>>, e@f", "<e@f>", 1 },
		{ "<@x>, e@f", "<e@f>", 1 },
		{ "<@x:>, e@f", "<e@f>", 1 },
		{ "<@x:@y:a@b>, e@f", "<e@f>", 1 },
		{ "a\\@b@c, e@f", "<e@f>", 1 },
		{ "a@b., @c, a@, e@f", "<e@f>", 3 },
		{ "a@-b, a@b..c, e@f", "<e@f>", 2 },
		{ "a\x01@b, e@f", "<e@f>", 1 },
		{ "\"a\x01\"@b, e@f", "<e@f>", 1 },
		{ "\xff@b, e@f", "<e@f>", 1 },
		{ "[1.2.3.4], a@b", "<a@b>", 1 },
		{ "a@[1.2.3.4, c@d", "", 1 },
		{ "\"open, a@b", "", 1 },
		{ "x@y: a@b, c@d", "<c@d>", 1 },
		{ "g: h: a@b, c@d;", "g:<c@d>;", 1 },
		{ ")", "", 1 },
		{ "\\", "", 1 },
		{ "\"\\", "", 1 },
		{ "(\\", "", 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = BUF_INIT(10000);
		size_t skipped;

		walk_print(view_of(rows[i].value), &out, &skipped);
		if (strcmp(buf_str(&out), rows[i].items) != 0 || skipped != rows[i].skipped)
			fail_msg("%s: %s skipped %zu", rows[i].value, buf_str(&out), skipped);
		buf_done(&out);
	}
}

static void
nul_bytes(void **state)
{
	struct buf out = BUF_INIT(1000);
	size_t skipped;

	(void)state;
	walk_print(VIEW("a\0@b, \"\0\"@b, c@d\0, e@f"), &out, &skipped);
	assert_string_equal(buf_str(&out), "<e@f>");
	assert_int_equal(skipped, 3);
	buf_done(&out);
}

static void
replaceable_part(void **state)
{
	static const struct {
		const char *value, *spec;
	} rows[] = {
		{ "a@b", "a@b" },
		{ " (x) a (y) @ b (z)", "a (y) @ b" },
		{ "Joe <a@b> (z)", "a@b" },
		{ "Joe < a@b >", "a@b" },
		{ "<@r:a@b>", "@r:a@b" },
		{ "\"x\"@b", "\"x\"@b" },
		{ "a@[1.2.3.4]", "a@[1.2.3.4]" },
		{ ".a@b", ".a@b" },
		{ "<>", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct header_address_walk w;
		struct header_address a;

		header_address_walk_init(&w, view_of(rows[i].value));
		assert_true(header_address_next(&w, &a));
		assert_true(view_eq(a.spec, view_of(rows[i].spec)));
		assert_true(view_eq(a.text, view_trim(view_of(rows[i].value))));
		header_address_walk_done(&w);
	}
}

static void
hostile_sizes(void **state)
{
	static const struct {
		const char *what;
		size_t n;
		const char *tail;
		size_t items, skipped;
	} rows[] = {
		{ "(", 1000000, ", a@b", 0, 1 },
		{ "(", HEADER_COMMENT_DEPTH, "", 0, 1 },
		{ "()", 1000000, "a@b", 1, 0 },
		{ "a@b,", 1000000, "", 1000000, 0 },
		{ "\"", 999, ", a@b", 0, 1 },
		{ "\"\"", 500, ", a@b", 1, 1 },
		{ "<", 10000, ", a@b", 1, 1 },
		{ "<,", 10000, " a@b", 1, 10000 },
		{ "@", 1000000, ", a@b", 1, 1 },
		{ ":", 1000000, ", a@b", 1, 1 },
		{ "g:", 1000000, ", a@b", 2, 1 },
		{ "g:;", 100000, "a@b", 200001, 0 },
		{ ";", 1000000, "a@b", 1, 0 },
		{ "[", 1000000, ", a@b", 0, 1 },
		{ "\\", 1000000, ", a@b", 1, 1 },
		{ "a", ADDRESS_MAX, "@b, a@b", 1, 1 },
		{ "phrase ", 100000, "<a@b>", 1, 0 },
		{ "=?utf-8?q?x?= ", 100000, "<a@b>", 1, 0 },
		{ "<@a", 1, ",@host.example:a@b>", 1, 0 },
	};
	nanoseconds start = clock_now();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf value = BUF_INIT(20 << 20);
		struct header_address_walk w;
		struct header_address a;
		size_t items = 0;

		for (size_t j = 0; j < rows[i].n; j++)
			buf_append_str(&value, rows[i].what);
		buf_append_str(&value, rows[i].tail);
		header_address_walk_init(&w, buf_view(&value));
		while (header_address_next(&w, &a))
			items++;
		if (items != rows[i].items || w.skipped != rows[i].skipped)
			fail_msg("%s x %zu: %zu items, %zu skipped", rows[i].what, rows[i].n,
			    items, w.skipped);
		assert_false(w.truncated);
		header_address_walk_done(&w);
		buf_done(&value);
	}
	assert_true(clock_now() - start < 100 * SECOND); /* 20 under Valgrind; square: hours */
}

static void
count_is_bounded(void **state)
{
	struct buf value = BUF_INIT(20 << 20);
	struct header_address_walk w;
	struct header_address a;
	size_t items = 0;

	(void)state;
	for (size_t i = 0; i < HEADER_ADDRESSES_MAX + 1; i++)
		buf_append_str(&value, "a,");
	header_address_walk_init(&w, buf_view(&value));
	while (header_address_next(&w, &a))
		items++;
	assert_int_equal(items, HEADER_ADDRESSES_MAX);
	assert_true(w.truncated);
	header_address_walk_done(&w);
	buf_done(&value);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists),
		cmocka_unit_test(nul_bytes),
		cmocka_unit_test(replaceable_part),
		cmocka_unit_test(hostile_sizes),
		cmocka_unit_test(count_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
