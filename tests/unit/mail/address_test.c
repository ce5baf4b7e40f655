/* SPDX-License-Identifier: Apache-2.0 */
/* Internal and external form: round trips, comparison, extensions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/escape.h"
#include "base/mem.h"
#include "base/random.h"
#include "mail/address.h"

static void
quoting(void **state)
{
	static const struct {
		const char *internal, *external;
	} rows[] = {
		{ "", "" },
		{ "a@b", "a@b" },
		{ "a", "a" },
		{ "a.b+c@d", "a.b+c@d" },
		{ "a b@d", "\"a b\"@d" },
		{ "v@x@here", "\"v@x\"@here" },
		{ "a.@d", "\"a.\"@d" },
		{ ".a@d", "\".a\"@d" },
		{ "a..b@d", "\"a..b\"@d" },
		{ "a\"b\\c@d", "\"a\\\"b\\\\c\"@d" },
		{ "a,b@d", "\"a,b\"@d" },
		{ "a b", "\"a b\"" },
		{ "\xc3\xa9@d", "\xc3\xa9@d" },
		{ "a@[192.0.2.1]", "a@[192.0.2.1]" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = BUF_INIT(5000);

		address_quote(&out, view_of(rows[i].internal));
		assert_string_equal(buf_str(&out), rows[i].external);
		buf_clear(&out);
		assert_true(address_unquote(&out, view_of(rows[i].external)));
		assert_string_equal(buf_str(&out), rows[i].internal);
		buf_done(&out);
	}
}

/* Not from any parser: still harmless. */
static void
quoting_is_safe(void **state)
{
	struct buf out = BUF_INIT(5000);

	(void)state;
	address_quote(&out, VIEW("a\r\nRCPT\0\x7f@b\r\n c>"));
	assert_true(view_eq(buf_view(&out), VIEW("\"a??RCPT??\"@b???c?")));
	buf_done(&out);
}

static void
unquoting_refuses(void **state)
{
	static const char *const rows[] = { "<a@b>", "a b@c", "a@b c", "a@b@c", "a\"b@c", "@b",
		"a@", "a@b.", "\"a@b", "\"v@x\"", "a@b>", "a@b ", " a@b", "a\tb", "\"a\nb\"@c",
		"a\xff@b", "\"\"@b", "\"\"", "a@-b", "a,b@c", "a@b,c@d", "a(b)@c" };
	struct buf out = BUF_INIT(5000);

	(void)state;
	buf_append_str(&out, "before");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_false(address_unquote(&out, view_of(rows[i])));
		assert_string_equal(buf_str(&out), "before");
	}
	assert_false(address_unquote(&out, VIEW("a\0@b")));
	buf_done(&out);
}

/* Random local parts: what can be in an address comes back; all else is refused. */
static void
round_trip(void **state)
{
	static const char spice[] = "\"\\@.<> ,;:()%!+-[]\t\r\n";
	struct buf external = BUF_INIT(5000);
	struct buf internal = BUF_INIT(5000);

	(void)state;
	for (int round = 0; round < 200000; round++) {
		char bytes[40];
		size_t n = 1 + random_below(20);
		struct view address;
		bool clean;

		random_bytes(bytes, n);
		for (size_t i = 0; i < n; i++) {
			uint64_t kind = random_below(4);

			if (kind == 0)
				bytes[i] = spice[random_below(sizeof(spice) - 1)];
			else if (kind < 3)
				bytes[i] = (char)(' ' + (bytes[i] & 63));
		}
		clean = utf8_is_valid((struct view){ bytes, n });
		for (size_t i = 0; i < n; i++)
			clean = clean && (unsigned char)bytes[i] >= ' ' && bytes[i] != 0x7f;
		for (size_t i = 0; clean && i + 1 < n; i++)
			clean = !((unsigned char)bytes[i] == 0xc2 &&
			    (unsigned char)bytes[i + 1] < 0xa0);
		memcpy(bytes + n, "@b.example", 10);
		address = (struct view){ bytes, n + 10 };
		buf_clear(&external);
		buf_clear(&internal);
		address_quote(&external, address);
		if (clean) {
			assert_true(address_unquote(&internal, buf_view(&external)));
			assert_true(view_eq(buf_view(&internal), address));
		} else if (address_unquote(&internal, buf_view(&external))) {
			assert_false(view_eq(buf_view(&internal), address));
		}
	}
	buf_done(&external);
	buf_done(&internal);
}

static void
splitting(void **state)
{
	static const struct {
		const char *address, *local, *domain;
	} rows[] = {
		{ "a@b", "a", "b" },
		{ "a", "a", "" },
		{ "", "", "" },
		{ "v@x@b", "v@x", "b" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct view local, domain;

		address_split(view_of(rows[i].address), &local, &domain);
		assert_true(view_eq(local, view_of(rows[i].local)));
		assert_true(view_eq(domain, view_of(rows[i].domain)));
	}
	assert_true(address_eq_nocase(VIEW("User@Example.COM"), VIEW("user@example.com")));
	assert_false(address_eq_nocase(VIEW("user@example.com"), VIEW("user@example.org")));
}

static void
extensions(void **state)
{
	static const struct {
		const char *local, *delimiters, *user, *extension;
	} rows[] = {
		{ "user+ext", "+", "user", "ext" },
		{ "user+a+b", "+", "user", "a+b" },
		{ "user-a+b", "+-", "user", "a+b" },
		{ "user-a+b", "+", "user-a", "b" },
		{ "user+", "+", "user", "" },
		{ "user", "+", NULL, NULL },
		{ "+ext", "+", NULL, NULL },
		{ "", "+", NULL, NULL },
		{ "user+ext", "", NULL, NULL },
		{ "mailer-daemon", "-", NULL, NULL },
		{ "MAILER-DAEMON", "+-", NULL, NULL },
		{ "owner-list", "-", NULL, NULL },
		{ "Owner-List", "-", NULL, NULL },
		{ "list-request", "-", NULL, NULL },
		{ "-request", "-", NULL, NULL },
		{ "owner-list+x", "+", "owner-list", "x" },
		{ "list-x", "-", "list", "x" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct view user, extension;
		bool ok = address_split_extension(
		    view_of(rows[i].local), rows[i].delimiters, &user, &extension);

		assert_int_equal(ok, rows[i].user != NULL);
		if (!ok)
			continue;
		assert_true(view_eq(user, view_of(rows[i].user)));
		assert_true(view_eq(extension, view_of(rows[i].extension)));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quoting),
		cmocka_unit_test(quoting_is_safe),
		cmocka_unit_test(unquoting_refuses),
		cmocka_unit_test(round_trip),
		cmocka_unit_test(splitting),
		cmocka_unit_test(extensions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
