/* SPDX-License-Identifier: Apache-2.0 */
/* Replies of good, sloppy and hostile servers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "smtp/server_reply.h"

/* Feeds lines separated by LF; the result of the last one that was taken. */
static enum server_reply_result
feed(struct server_reply *r, const char *text)
{
	struct view rest = view_of(text);
	enum server_reply_result result = SERVER_REPLY_MORE;

	server_reply_init(r);
	while (result == SERVER_REPLY_MORE) {
		size_t lf = view_find(rest, '\n');

		result = server_reply_feed(r, view_sub(rest, 0, lf));
		if (lf == rest.n)
			break;
		rest = view_sub(rest, lf + 1, rest.n);
	}
	return result;
}

static void
replies(void **state)
{
	static const struct {
		const char *lines;
		enum server_reply_result result;
		int code;
		const char *dsn;
		const char *shown;
	} rows[] = {
		{ "250 2.1.5 Ok", SERVER_REPLY_DONE, 250, "2.1.5", "250 2.1.5 Ok" },
		{ "250 Ok", SERVER_REPLY_DONE, 250, "2.0.0", "250 Ok" },
		{ "250", SERVER_REPLY_DONE, 250, "2.0.0", "250" },
		{ "250 ", SERVER_REPLY_DONE, 250, "2.0.0", "250" },
		{ "354 go", SERVER_REPLY_DONE, 354, "3.0.0", "354 go" },
		{ "550-5.1.1 first\n550 5.1.2 last", SERVER_REPLY_DONE, 550, "5.1.2",
		    "550-5.1.1 first 550 5.1.2 last" },
		{ "550-first\n550-\n550 last", SERVER_REPLY_DONE, 550, "5.0.0",
		    "550-first 550- 550 last" },
		/* A status of another class is not believed. */
		{ "550 2.1.5 no", SERVER_REPLY_DONE, 550, "5.0.0", "550 2.1.5 no" },
		{ "450 5.7.1 later", SERVER_REPLY_DONE, 450, "4.0.0", "450 5.7.1 later" },
		{ "550 5.7", SERVER_REPLY_DONE, 550, "5.0.0", "550 5.7" },
		{ "550 5.7.2", SERVER_REPLY_DONE, 550, "5.7.2", "550 5.7.2" },
		{ "550 5.7.2222 x", SERVER_REPLY_DONE, 550, "5.0.0", "550 5.7.2222 x" },
		{ "550 a\rb\033[2J", SERVER_REPLY_DONE, 550, "5.0.0", "550 a\\015b\\033[2J" },
		{ "250-more", SERVER_REPLY_MORE, 250, NULL, NULL },
		{ "", SERVER_REPLY_MALFORMED, 0, NULL, NULL },
		{ "2", SERVER_REPLY_MALFORMED, 0, NULL, NULL },
		{ "25", SERVER_REPLY_MALFORMED, 0, NULL, NULL },
		{ "25x ok", SERVER_REPLY_MALFORMED, 0, NULL, NULL },
		{ "2 0", SERVER_REPLY_MALFORMED, 0, NULL, NULL },
		{ "250ok", SERVER_REPLY_MALFORMED, 0, NULL, NULL },
		{ "250\tok", SERVER_REPLY_MALFORMED, 0, NULL, NULL },
		{ " 250 ok", SERVER_REPLY_MALFORMED, 0, NULL, NULL },
		{ "+250 ok", SERVER_REPLY_MALFORMED, 0, NULL, NULL },
		{ "2500 ok", SERVER_REPLY_MALFORMED, 0, NULL, NULL },
		{ "000 ok", SERVER_REPLY_MALFORMED, 0, NULL, NULL },
		{ "100 ok", SERVER_REPLY_MALFORMED, 0, NULL, NULL },
		{ "199 ok", SERVER_REPLY_MALFORMED, 0, NULL, NULL },
		{ "600 ok", SERVER_REPLY_MALFORMED, 0, NULL, NULL },
		{ "999 ok", SERVER_REPLY_MALFORMED, 0, NULL, NULL },
		{ "ok", SERVER_REPLY_MALFORMED, 0, NULL, NULL },
		{ "250-one\n550 two", SERVER_REPLY_MALFORMED, 250, NULL, NULL },
		{ "250-one\ntwo", SERVER_REPLY_MALFORMED, 250, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct server_reply r;
		struct buf shown = BUF_INIT(4096);
		char dsn[DSN_SIZE];

		assert_int_equal(feed(&r, rows[i].lines), rows[i].result);
		assert_int_equal(r.code, rows[i].code);
		if (rows[i].result == SERVER_REPLY_DONE) {
			server_reply_dsn(&r, dsn);
			assert_string_equal(dsn, rows[i].dsn);
			server_reply_print(&r, &shown);
			assert_string_equal(buf_str(&shown), rows[i].shown);
		}
		buf_done(&shown);
		server_reply_done(&r);
	}
}

static void
a_nul_ends_nothing(void **state)
{
	struct server_reply r;
	struct buf shown = BUF_INIT(100);

	(void)state;
	server_reply_init(&r);
	assert_int_equal(server_reply_feed(&r, VIEW("550 a\0b")), SERVER_REPLY_DONE);
	server_reply_print(&r, &shown);
	assert_string_equal(buf_str(&shown), "550 a\\000b");
	server_reply_clear(&r);
	assert_int_equal(server_reply_feed(&r, VIEW("55\0 a")), SERVER_REPLY_MALFORMED);
	buf_done(&shown);
	server_reply_done(&r);
}

static void
limits(void **state)
{
	static char line[SERVER_REPLY_LINE_MAX + 1];
	struct server_reply r;
	struct buf shown = BUF_INIT(100000);
	enum server_reply_result last = SERVER_REPLY_MORE;
	unsigned count = 0;

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "250-", 4);
	server_reply_init(&r);
	assert_int_equal(
	    server_reply_feed(&r, (struct view){ line, sizeof(line) }), SERVER_REPLY_MALFORMED);
	for (; last == SERVER_REPLY_MORE; count++)
		last = server_reply_feed(&r, (struct view){ line, sizeof(line) - 1 });
	assert_int_equal(last, SERVER_REPLY_MALFORMED);
	assert_int_equal(count, SERVER_REPLY_LINES_MAX + 1);
	assert_true(r.lines_text.len <= SERVER_REPLY_TEXT_MAX);
	server_reply_print(&r, &shown);
	assert_true(shown.len <= SERVER_REPLY_SHOWN_MAX);
	buf_done(&shown);
	server_reply_done(&r);
}

static void
lines(void **state)
{
	struct server_reply r;
	struct view rest, text;

	(void)state;
	assert_int_equal(feed(&r, "250-host\n250-SIZE 10\n250"), SERVER_REPLY_DONE);
	rest = buf_view(&r.lines_text);
	assert_true(server_reply_next(&rest, &text));
	assert_true(view_eq(text, VIEW("host")));
	assert_true(server_reply_next(&rest, &text));
	assert_true(view_eq(text, VIEW("SIZE 10")));
	assert_true(server_reply_next(&rest, &text));
	assert_int_equal(text.n, 0);
	assert_false(server_reply_next(&rest, &text));
	server_reply_done(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies),
		cmocka_unit_test(a_nul_ends_nothing),
		cmocka_unit_test(limits),
		cmocka_unit_test(lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
