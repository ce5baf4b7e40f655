/* SPDX-License-Identifier: Apache-2.0 */
/* Paths of MAIL and RCPT: RFC 5321 examples, what clients send, the relay matrix, hostile
 * sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "mail/address.h"

struct row {
	const char *input;
	unsigned flags;
	const char *address; /* NULL: refused */
	const char *rest;    /* left on the cursor */
};

static void
check(struct view input, unsigned flags, const char *address, size_t n, const char *rest)
{
	struct arena arena = ARENA_INIT;
	struct cursor c = cursor_of(input);
	struct path path = { .text = VIEW("untouched") };
	const char *why = NULL;
	bool ok = path_parse(&c, flags, &arena, &path, &why);

	if (ok != (address != NULL))
		print_error("%.*s: %s\n", VIEW_ARG(input), ok ? "accepted" : why);
	assert_int_equal(ok, address != NULL);
	if (ok) {
		assert_int_equal(path.address.n, n);
		assert_memory_equal(path.address.p, address, n);
		assert_string_equal(arena_dup(&arena, cursor_rest(&c)), rest ? rest : "");
	} else {
		assert_non_null(why);
		assert_true(view_eq(path.text, VIEW("untouched")));
	}
	arena_reset(&arena);
}

static void
check_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check(view_of(rows[i].input), rows[i].flags, rows[i].address,
		    rows[i].address ? strlen(rows[i].address) : 0, rows[i].rest);
}

static void
rfc_examples(void **state)
{
	static const struct row rows[] = {
		{ "<Smith@bar.com>", PATH_STRICT, "Smith@bar.com", "" },
		{ "<>", PATH_STRICT, "", "" },
		{ "<Postmaster>", PATH_STRICT, "Postmaster", "" },
		{ "<Jones@foo.com> BODY=8BITMIME", PATH_STRICT, "Jones@foo.com",
		    " BODY=8BITMIME" },
		{ "<@hosta.int,@jkl.org:userc@d.bar.org>", PATH_STRICT, "userc@d.bar.org", "" },
		{ "<\"Joe.\\\\Blow\"@example.com>", PATH_STRICT, "Joe.\\Blow@example.com", "" },
		{ "<\"Joe Blow\"@example.com> X", PATH_STRICT, "Joe Blow@example.com", " X" },
		{ "<\"a\\\"b\"@example.com>", PATH_STRICT, "a\"b@example.com", "" },
		{ "<a@[192.0.2.1]>", PATH_STRICT, "a@[192.0.2.1]", "" },
		{ "<a@[IPv6:2001:db8::1]>", PATH_STRICT, "a@[IPv6:2001:db8::1]", "" },
		{ "<!#$%&'*+-/=?^_`{|}~@example.com>", PATH_STRICT,
		    "!#$%&'*+-/=?^_`{|}~@example.com", "" },
	};

	(void)state;
	check_rows(rows, ARRAY_LEN(rows));
}

static void
leniency(void **state)
{
	static const struct row rows[] = {
		{ "a@example.com", 0, "a@example.com", "" },
		{ "a@example.com SIZE=1", 0, "a@example.com", " SIZE=1" },
		{ "a@example.com", PATH_STRICT, NULL, "" },
		{ "< a@example.com >", 0, "a@example.com", "" },
		{ "< a@example.com >", PATH_STRICT, NULL, "" },
		{ "<user.@example.com>", PATH_STRICT, "user.@example.com", "" },
		{ "<a..b@example.com>", PATH_STRICT, "a..b@example.com", "" },
		{ "<.a@example.com>", PATH_STRICT, ".a@example.com", "" },
		{ "<a.\"b c\".d@example.com>", PATH_STRICT, "a.b c.d@example.com", "" },
		{ "\"b c\"@example.com x", 0, "b c@example.com", " x" },
		{ "", 0, NULL, "" },
		{ " ", 0, NULL, "" },
		{ "Joe <a@example.com>", 0, "Joe", " <a@example.com>" }, /* no parameter: 501 */
		{ "<Joe <a@example.com>>", 0, NULL, "" },
	};

	(void)state;
	check_rows(rows, ARRAY_LEN(rows));
}

static void
malformed(void **state)
{
	static const struct row rows[] = {
		{ "<", 0, NULL, "" },
		{ ">", 0, NULL, "" },
		{ "<a@b", 0, NULL, "" },
		{ "a@b>", 0, NULL, "" },
		{ "<a@b>x", 0, NULL, "" },
		{ "<a@b>>", 0, NULL, "" },
		{ "<<a@b>>", 0, NULL, "" },
		{ "<a b@c>", 0, NULL, "" },
		{ "<a@b c>", 0, NULL, "" },
		{ "<\"a@b>", 0, NULL, "" },
		{ "<\"a\"b@c>", 0, NULL, "" },
		{ "<a\"b\"@c>", 0, NULL, "" },
		{ "<\"a\"\"b\"@c>", 0, NULL, "" },
		{ "<\"a\\", 0, NULL, "" },
		{ "<\"\"@b>", 0, NULL, "" },
		{ "<\"\">", 0, NULL, "" },
		{ "<a@>", 0, NULL, "" },
		{ "<@b>", 0, NULL, "" },
		{ "<@>", 0, NULL, "" },
		{ "<@a:>", 0, NULL, "" },
		{ "<@a:@b:c@d>", 0, NULL, "" },
		{ "<@a,b:c@d>", 0, NULL, "" },
		{ "<@a,:c@d>", 0, NULL, "" },
		{ "<@a;c@d>", 0, NULL, "" },
		{ "<@[1.2.3.4:c@d>", 0, NULL, "" },
		{ "@a:c@d", 0, NULL, "" },
		{ "<a@b\tx>", 0, NULL, "" },
		{ "<a@-b>", 0, NULL, "" },
		{ "<a\x7f@b>", 0, NULL, "" },
		{ "<\"a\tb\"@c>", 0, NULL, "" },
		{ "<\"a\rb\"@c>", 0, NULL, "" },
		{ "<\"a\\\nb\"@c>", 0, NULL, "" },
		{ "<a\rb@c>", 0, NULL, "" },
		{ "<a@b\r>", 0, NULL, "" },
		{ "<a@b>\r", 0, NULL, "" },
	};

	(void)state;
	check_rows(rows, ARRAY_LEN(rows));
	check(VIEW("<a\0b@c>"), 0, NULL, 0, "");
	check(VIEW("<a@c\0>"), 0, NULL, 0, "");
	check(VIEW("<a@c>\0"), 0, NULL, 0, "");
	check(VIEW("<\"a\0b\"@c>"), 0, NULL, 0, "");
}

/* Rows L08 to L32 of the classic relay notations: L is here.example, X is x.example. */
static void
relay_notations(void **state)
{
	static const struct row rows[] = {
		{ "<v%x.example@here.example>", 0, "v%x.example@here.example", "" },
		{ "<v%x.example@[192.0.2.1]>", 0, "v%x.example@[192.0.2.1]", "" },
		{ "<\"v@x.example\">", 0, NULL, "" },
		{ "<\"v%x.example\">", 0, "v%x.example", "" },
		{ "<v@x.example@here.example>", 0, NULL, "" },
		{ "<v@x.example@[192.0.2.1]>", 0, NULL, "" },
		{ "v@x.example@here.example", 0, NULL, "" },
		{ "<\"v@x.example\"@here.example>", 0, "v@x.example@here.example", "" },
		{ "<\"v%x.example\"@here.example>", 0, "v%x.example@here.example", "" },
		{ "<v\\@x.example@here.example>", 0, NULL, "" },
		{ "<\"v\\@x.example\"@here.example>", 0, "v@x.example@here.example", "" },
		{ "<@here.example:v@x.example>", 0, "v@x.example", "" },
		{ "<@[192.0.2.1]:v@x.example>", 0, "v@x.example", "" },
		{ "<@[IPv6:2001:db8::1],@here.example:v@x.example>", 0, "v@x.example", "" },
		{ "<x.example!v>", 0, "x.example!v", "" },
		{ "<x.example!v@here.example>", 0, "x.example!v@here.example", "" },
		{ "<v%x.example>", 0, "v%x.example", "" },
		{ "<v@[IPv6:::ffff:127.0.0.1]>", 0, "v@[IPv6:::ffff:127.0.0.1]", "" },
		{ "<v@[127.1]>", 0, NULL, "" },
		{ "<v@[0x7f.1]>", 0, NULL, "" },
		{ "<v@2130706433>", 0, "v@2130706433", "" },
		{ "<v@x.example:25>", 0, NULL, "" },
		{ "<v@x.example.>", 0, NULL, "" },
		{ "<v@here.example.@x.example>", 0, NULL, "" },
		{ "<v@.here.example>", 0, NULL, "" },
		{ "<v@here.example..>", 0, NULL, "" },
		{ "<@here.example>", 0, NULL, "" },
		{ "<=?x?q?v=40x.example=3e?=@here.example>", 0,
		    "=?x?q?v=40x.example=3e?=@here.example", "" },
		{ "<v@here.example\nRCPT TO:<v@x.example>", 0, NULL, "" },
		{ "<v@x%00@here.example>", 0, NULL, "" },
		{ "<v@here.example(v@x.example)>", 0, NULL, "" },
		{ "<v@here.example,v@x.example>", 0, NULL, "" },
		{ "<v@x.example><u@here.example>", 0, NULL, "" },
		{ "<\"|cmd\"@here.example>", 0, "|cmd@here.example", "" },
		{ "</tmp/f@here.example>", 0, "/tmp/f@here.example", "" },
		{ "<:include:/etc/passwd@here.example>", 0, NULL, "" },
		{ "<~root@here.example>", 0, "~root@here.example", "" },
		{ "<\"-oQ/tmp\"@here.example>", 0, "-oQ/tmp@here.example", "" },
		{ "<v@here.example\xe3\x80\x82x.example>", PATH_UTF8, NULL, "" },
		{ "<v@\xef\xbc\xacx.example>", PATH_UTF8, NULL, "" },
		{ "<.!>", 0, ".!", "" },
		{ "<.!@here.example>", 0, ".!@here.example", "" },
	};

	(void)state;
	check_rows(rows, ARRAY_LEN(rows));
	check(VIEW("<v@x.example\0@here.example>"), 0, NULL, 0, "");
}

/* Replies and logs quote these. */
static void
reasons(void **state)
{
	static const struct {
		const char *input, *why;
	} rows[] = {
		{ "<v@x.example@here.example>", "address has more than one @" },
		{ "<\"v@x.example\">", "quoted @ without a domain" },
		{ "<a@b..c>", "malformed domain" },
		{ "<\xc3\xa9@b>", "non-ASCII address without SMTPUTF8" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct cursor c = cursor_of(view_of(rows[i].input));
		struct arena arena = ARENA_INIT;
		const char *why = "";
		struct path path;

		assert_false(path_parse(&c, 0, &arena, &path, &why));
		assert_string_equal(why, rows[i].why);
	}
}

static void
internationalised(void **state)
{
	static const struct row rows[] = {
		{ "<\xc3\xa9@example.com>", 0, NULL, "" },
		{ "<\xc3\xa9@example.com>", PATH_UTF8, "\xc3\xa9@example.com", "" },
		{ "<a@b\xc3\xbc"
		  "cher.example>",
		    PATH_UTF8,
		    "a@b\xc3\xbc"
		    "cher.example",
		    "" },
		{ "<\"\xc3\xa9 b\"@example.com>", PATH_UTF8, "\xc3\xa9 b@example.com", "" },
		{ "<\xc0\x80@example.com>", PATH_UTF8, NULL, "" },     /* overlong */
		{ "<\xed\xa0\x80@example.com>", PATH_UTF8, NULL, "" }, /* surrogate */
		{ "<\xf8\x88\x80\x80\x80@example.com>", PATH_UTF8, NULL, "" },
		{ "<\xc3@example.com>", PATH_UTF8, NULL, "" },
		{ "<a\xc2\x85@example.com>", PATH_UTF8, NULL, "" }, /* C1 */
		{ "<a@ex\xe2\x80\x8b"
		  "ample.com>",
		    PATH_UTF8, NULL, "" }, /* U+200B */
		{ "<a@ex\xe2\x80\xae"
		  "ample.com>",
		    PATH_UTF8, NULL, "" }, /* U+202E */
	};

	(void)state;
	check_rows(rows, ARRAY_LEN(rows));
}

static void
utf8_flag_and_text(void **state)
{
	struct arena arena = ARENA_INIT;
	struct cursor c = cursor_of(VIEW("<@r:\"a b\"@\xc3\xa9.example> X"));
	struct path path;
	const char *why;

	(void)state;
	assert_true(path_parse(&c, PATH_UTF8, &arena, &path, &why));
	assert_true(path.is_utf8);
	assert_true(view_eq(path.text, VIEW("\"a b\"@\xc3\xa9.example")));
	arena_reset(&arena);
}

/* n times what, between brackets, with a mailbox behind it. */
static struct view
repeated(const char *what, size_t n, const char *tail)
{
	size_t one = strlen(what);
	char *p = mem_alloc(one * n + strlen(tail) + 2);

	p[0] = '<';
	for (size_t i = 0; i < n; i++)
		memcpy(p + 1 + i * one, what, one);
	memcpy(p + 1 + n * one, tail, strlen(tail) + 1);
	return view_of(p);
}

static void
limits(void **state)
{
	static const struct {
		const char *what;
		size_t n;
		const char *tail;
		bool ok;
	} rows[] = {
		{ "a", 64, "@example.com>", true },
		{ "a", 65, "@example.com>", true }, /* as Postfix does */
		{ "a", ADDRESS_MAX - 2, "@b>", true },
		{ "a", ADDRESS_MAX - 1, "@b>", false },
		{ "a", 1000000, "@b>", false },
		{ "!", 10000, "@b>", false },
		{ "@", 10000, ">", false },
		{ "<", 10000, ">", false },
		{ "\"", 999, ">", false },
		{ "(", 1000000, "@b>", false },
		{ "@h,", 98, "@l:a@b>", true },
		{ "@h,", ADDRESS_ROUTE_MAX - 1, "@l:a@b>", true },
		{ "@h,", ADDRESS_ROUTE_MAX, "@l:a@b>", false },
		{ "@host.example,", 5000, "@l:a@b>", false },
		{ "\\", 100000, ">", false },
	};
	nanoseconds start = clock_now();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct view v = repeated(rows[i].what, rows[i].n, rows[i].tail);
		struct arena arena = ARENA_INIT;
		struct cursor c = cursor_of(v);
		struct path path;
		const char *why;

		assert_int_equal(path_parse(&c, 0, &arena, &path, &why), rows[i].ok);
		arena_reset(&arena);
		mem_free((char *)v.p);
	}
	assert_true(clock_now() - start < 2 * SECOND);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc_examples),
		cmocka_unit_test(leniency),
		cmocka_unit_test(malformed),
		cmocka_unit_test(relay_notations),
		cmocka_unit_test(reasons),
		cmocka_unit_test(internationalised),
		cmocka_unit_test(utf8_flag_and_text),
		cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
