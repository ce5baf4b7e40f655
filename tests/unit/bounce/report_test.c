/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reports by RFC 3464, RFC 6522 and RFC 6533: the fields and their order as Postfix writes
 * them, and that nothing from outside makes a line, a field or a part of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/escape.h"
#include "base/mem.h"
#include "bounce/report.h"

#define ID       "4jWRmP0wy4z1mNGtVpQQ3Ty"
#define BOUNDARY ID ".1700000000/mail.example.org"

struct collected {
	struct buf all;
	size_t pieces, largest;
	size_t fail_at; /* the piece that is not taken; 0: none */
};

static bool
collect(void *context, struct view piece)
{
	struct collected *c = context;

	assert_true(piece.n > 0);
	if (++c->pieces == c->fail_at)
		return false;
	assert_true(c->fail_at == 0 || c->pieces < c->fail_at);
	c->largest = piece.n > c->largest ? piece.n : c->largest;
	return buf_append_view(&c->all, piece);
}

static const struct report_words words = {
	.charset = { "us-ascii", 8 },
	.from = { "Post <post@example.org>", 23 },
	.subject = { "What became of it", 17 },
	.postmaster_subject = { "Look at this", 12 },
	.text = { "First line.\n\nLast line.\n", 24 },
};

static struct report
report_of(enum notice_kind kind, const struct notice_recipient *recipients, size_t count)
{
	return (struct report){
		.kind = report_kind_find(kind, false),
		.words = &words,
		.hostname = "mail.example.org",
		.mail_name = "Postfix",
		.id = VIEW(ID),
		.to = VIEW("sender@example.net"),
		.now = 1700000000LL * 1000000,
		.original = REPORT_WHOLE,
		.queue_id = VIEW("4jWRmP0BbLz1KqXxV8BfRy9"),
		.sender = VIEW("sender@example.net"),
		.arrival = 1700000000LL * 1000000,
		.recipients = recipients,
		.recipient_count = count,
	};
}

/* The whole report, the original being one line; freed by the caller. */
static char *
report_print(const struct report *r)
{
	struct collected c = { .all = BUF_INIT(100 * 1024 * 1024) };
	struct report_out out;

	report_out_init(&out, collect, &c);
	report_begin(&out, r);
	buf_append_str(&out.text, "Subject: original\r\n");
	report_end(&out, r);
	assert_false(out.failed);
	report_out_done(&out);
	return buf_steal(&c.all);
}

static size_t
count_of(const char *text, const char *what)
{
	size_t count = 0;

	for (const char *p = text; (p = strstr(p, what)) != NULL; p += strlen(what))
		count++;
	return count;
}

/* Lines end with CRLF, are no longer than RFC 5322 allows, and hold no other control. */
static void
assert_is_clean(const char *text, bool utf8)
{
	struct view rest = view_of(text);

	while (rest.n) {
		size_t eol = view_find(rest, '\n');
		struct view line = view_sub(rest, 0, eol);

		assert_true(eol < rest.n);
		assert_true(line.n > 0 && line.p[line.n - 1] == '\r');
		assert_true(line.n - 1 <= 998);
		for (size_t i = 0; i + 1 < line.n; i++) {
			unsigned char c = (unsigned char)line.p[i];

			assert_true(c >= ' ' || c == '\t');
			assert_true(utf8 || c < 127);
		}
		rest = view_sub(rest, eol + 1, rest.n);
	}
	assert_true(utf8_is_valid(view_of(text)));
}

static const struct notice_recipient unknown_user = {
	.address = { "nosuch@example.org", 18 },
	.original = { "nosuch@example.org", 18 },
	.dsn = { "5.1.1", 5 },
	.reason = { "unknown user: \"nosuch\"", 22 },
	.action = { "failed", 6 },
};

static void
whole_report(void **state)
{
	static const char expected[] =
	    "From: Post <post@example.org>\r\n"
	    "Subject: What became of it\r\n"
	    "To: sender@example.net\r\n"
	    "Auto-Submitted: auto-replied\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; report-type=delivery-status;\r\n"
	    "\tboundary=\"" BOUNDARY "\"\r\n"
	    "\r\n"
	    "This is a MIME-encapsulated message.\r\n"
	    "\r\n"
	    "--" BOUNDARY "\r\n"
	    "Content-Description: Notification\r\n"
	    "Content-Type: text/plain; charset=us-ascii\r\n"
	    "\r\n"
	    "First line.\r\n"
	    "\r\n"
	    "Last line.\r\n"
	    "\r\n";
	static const char tail[] = "<nosuch@example.org>: unknown user: \"nosuch\"\r\n"
				   "\r\n"
				   "\r\n"
				   "--" BOUNDARY "\r\n"
				   "Content-Description: Delivery report\r\n"
				   "Content-Type: message/delivery-status\r\n"
				   "\r\n"
				   "Reporting-MTA: dns; mail.example.org\r\n"
				   "Original-Envelope-Id: env 1\r\n"
				   "X-Postfix-Queue-ID: 4jWRmP0BbLz1KqXxV8BfRy9\r\n"
				   "X-Postfix-Sender: rfc822; sender@example.net\r\n"
				   "Arrival-Date: Tue, 14 Nov 2023 22:13:20 +0000 (UTC)\r\n"
				   "\r\n"
				   "Final-Recipient: rfc822; nosuch@example.org\r\n"
				   "Original-Recipient: rfc822;nosuch@example.org\r\n"
				   "Action: failed\r\n"
				   "Status: 5.1.1\r\n"
				   "Diagnostic-Code: X-Postfix; unknown user: \"nosuch\"\r\n"
				   "\r\n"
				   "--" BOUNDARY "\r\n"
				   "Content-Description: Undelivered Message\r\n"
				   "Content-Type: message/rfc822\r\n"
				   "\r\n"
				   "Return-Path: <sender@example.net>\r\n"
				   "Subject: original\r\n"
				   "\r\n"
				   "--" BOUNDARY "--\r\n";
	struct report r = report_of(NOTICE_FAILURE, &unknown_user, 1);
	char *text;

	(void)state;
	r.envelope_id = VIEW("env 1");
	text = report_print(&r);
	assert_true(view_has_prefix(view_of(text), view_of(expected)));
	assert_true(view_has_suffix(view_of(text), view_of(tail)));
	assert_is_clean(text, false);
	mem_free(text);
}

static void
kinds(void **state)
{
	static const struct {
		enum notice_kind kind;
		bool is_copy;
		enum bounce_template_kind template;
		const char *log_name;
		bool to_sender, may_be_whole;
	} rows[] = {
		{ NOTICE_FAILURE, false, BOUNCE_TEMPLATE_FAILURE,
		    "sender non-delivery notification", true, true },
		{ NOTICE_DELAY, false, BOUNCE_TEMPLATE_DELAY, "sender delay notification", true,
		    false },
		{ NOTICE_SUCCESS, false, BOUNCE_TEMPLATE_SUCCESS,
		    "sender delivery status notification", true, false },
		{ NOTICE_TRACE, false, BOUNCE_TEMPLATE_VERIFY,
		    "sender delivery status notification", true, false },
		{ NOTICE_DOUBLE, false, BOUNCE_TEMPLATE_FAILURE,
		    "postmaster non-delivery notification", false, true },
		{ NOTICE_FAILURE, true, BOUNCE_TEMPLATE_FAILURE,
		    "postmaster non-delivery notification", false, false },
		{ NOTICE_DELAY, true, BOUNCE_TEMPLATE_DELAY, "postmaster delay notification",
		    false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct report_kind *k = report_kind_find(rows[i].kind, rows[i].is_copy);

		assert_non_null(k);
		assert_int_equal(k->template, rows[i].template);
		/* The postmaster does not get the words for the sender. */
		assert_int_equal(k->text != NULL, !rows[i].to_sender);
		assert_string_equal(k->log_name, rows[i].log_name);
		assert_int_equal(k->to_sender, rows[i].to_sender);
		assert_int_equal(k->may_be_whole, rows[i].may_be_whole);
	}
	assert_null(report_kind_find(0, false));
	assert_null(report_kind_find(6, false));
	assert_null(report_kind_find(NOTICE_DOUBLE, true));
	assert_null(report_kind_find((uint64_t)NOTICE_FAILURE + (1ULL << 32), false));
}

/* A template in another character set, and a $name that became a long line. */
static void
template_texts(void **state)
{
	char *line = mem_alloc(5001);
	struct report_words w = words;
	struct report r = report_of(NOTICE_FAILURE, &unknown_user, 1);
	char *text;

	(void)state;
	w.charset = VIEW("iso-8859-1");
	w.text = VIEW("gr\xfcn");
	w.is_8bit = true;
	r.words = &w;
	text = report_print(&r);
	assert_true(report_has_8bit(&r));
	assert_int_equal(count_of(text, "\r\nContent-Transfer-Encoding: 8bit\r\n"), 2);
	assert_non_null(strstr(text,
	    "\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\ngr\xfcn\r\n\r\n<nosuch@"));
	mem_free(text);

	r.kind = report_kind_find(NOTICE_FAILURE, true);
	text = report_print(&r);
	assert_false(report_has_8bit(&r));
	assert_non_null(strstr(text, "\r\nSubject: Look at this\r\n"));
	assert_null(strstr(text, "gr\xfcn"));
	assert_is_clean(text, false);
	mem_free(text);

	for (size_t i = 0; i < 5000; i++)
		line[i] = "\xc3\xbc"[i % 2];
	line[5000] = '\0';
	w.charset = VIEW("utf-8");
	w.text = view_of(line);
	r.kind = report_kind_find(NOTICE_FAILURE, false);
	r.utf8 = true;
	text = report_print(&r);
	assert_is_clean(text, true);
	assert_int_equal(count_of(text, "\xc3\xbc"), 2500);
	mem_free(text);
	mem_free(line);
}

static void
delay_says_until_when(void **state)
{
	struct notice_recipient n = unknown_user;
	struct report r = report_of(NOTICE_DELAY, &n, 1);
	char *text;

	(void)state;
	n.action = VIEW("delayed");
	n.dsn = VIEW("4.4.1");
	n.when = 1700003600ULL * 1000000;
	r.retry_until = r.arrival + 432000LL * 1000000;
	r.original = REPORT_HEADER;
	text = report_print(&r);
	assert_non_null(strstr(text,
	    "Action: delayed\r\nStatus: 4.4.1\r\n"
	    "Diagnostic-Code: X-Postfix; unknown user: \"nosuch\"\r\n"
	    "Last-Attempt-Date: Tue, 14 Nov 2023 23:13:20 +0000 (UTC)\r\n"
	    "Will-Retry-Until: Sun, 19 Nov 2023 22:13:20 +0000 (UTC)\r\n"));
	assert_non_null(strstr(text,
	    "Content-Description: Delayed Message Headers\r\n"
	    "Content-Type: text/rfc822-headers\r\n"));
	mem_free(text);
}

/* Who said it and what, taken out of the one line that agents log. */
static void
remote_replies(void **state)
{
	static const char quoted[] = "host mx.example.com[192.0.2.7] said: 550 5.1.1 <a@b> no "
				     "(in reply to that) (in reply to RCPT TO command)";
	static const struct {
		const char *remote_host;
		const char *reason;
		const char *fields;
	} rows[] = {
		{ "host mx.example.com[192.0.2.7]", quoted,
		    "\r\nRemote-MTA: dns; mx.example.com\r\n"
		    "Diagnostic-Code: smtp; 550 5.1.1 <a@b> no (in reply to that)\r\n" },
		{ "mx.example.com[192.0.2.7]:25",
		    "host mx.example.com[192.0.2.7]:25 said: 450 busy",
		    "\r\nRemote-MTA: dns; mx.example.com\r\n"
		    "Diagnostic-Code: smtp; 450 busy\r\n" },
		{ "host unknown[192.0.2.7]", "x said: 450 busy",
		    "\r\nRemote-MTA: dns; [192.0.2.7]\r\nDiagnostic-Code: smtp; 450 busy\r\n" },
		{ "host mx.example.com[192.0.2.7]", "lost connection with mx.example.com",
		    "\r\nRemote-MTA: dns; mx.example.com\r\n"
		    "Diagnostic-Code: X-Postfix; lost connection with mx.example.com\r\n" },
		{ "mx.example.com[192.0.2.7]:25", "250 2.0.0 Ok: queued as 4",
		    "\r\nRemote-MTA: dns; mx.example.com\r\n"
		    "Diagnostic-Code: smtp; 250 2.0.0 Ok: queued as 4\r\n" },
		{ "host mx.example.com", "x said: no code",
		    "\r\nRemote-MTA: dns; mx.example.com\r\n"
		    "Diagnostic-Code: X-Postfix; x said: no code\r\n" },
		{ "", "the program said: 550 no",
		    "\r\nStatus: 5.1.1\r\n"
		    "Diagnostic-Code: X-Postfix; the program said: 550 no\r\n" },
		{ "host ", "x said: ",
		    "\r\nStatus: 5.1.1\r\nDiagnostic-Code: X-Postfix; x said:\r\n" },
		{ "", "", "\r\nStatus: 5.1.1\r\n\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct notice_recipient n = unknown_user;
		struct report r = report_of(NOTICE_FAILURE, &n, 1);
		struct buf out = BUF_INIT(10000);

		n.remote_host = view_of(rows[i].remote_host);
		n.reason = view_of(rows[i].reason);
		report_recipient_fields(&out, &r, &n);
		buf_append_str(&out, "\r\n");
		/* Folding aside. */
		for (char *p; (p = strstr(out.data, "\r\n ")) != NULL;) {
			memmove(p, p + 2, strlen(p + 2) + 1);
			out.len -= 2;
		}
		if (!strstr(buf_str(&out), rows[i].fields))
			fail_msg("row %zu: %s", i, buf_str(&out));
		buf_done(&out);
	}
}

static void
original_recipients(void **state)
{
	static const struct {
		const char *orcpt;
		const char *original;
		bool utf8;
		const char *field;
	} rows[] = {
		{ "rfc822;one@example.org", "two@example.org", false,
		    "Original-Recipient: rfc822;one@example.org\r\n" },
		{ "", "two@example.org", false,
		    "Original-Recipient: rfc822;two@example.org\r\n" },
		{ "", "a  b@example.org", false,
		    "Original-Recipient: rfc822;\"a  b\"@example.org\r\n" },
		{ "x400;/c=fi/", "two@example.org", false,
		    "Original-Recipient: x400;/c=fi/\r\n" },
		{ "utf-8;\xc3\xa9@example.org", "", true,
		    "Original-Recipient: utf-8;\xc3\xa9@example.org\r\n" },
		{ "utf-8;\xc3\xa9@example.org", "", false,
		    "Original-Recipient: utf-8;\\x{E9}@example.org\r\n" },
		{ "rfc822;a\r\nAction: delivered", "", false,
		    "Original-Recipient: rfc822;a??Action: delivered\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct notice_recipient n = unknown_user;
		struct report r = report_of(NOTICE_FAILURE, &n, 1);
		struct buf out = BUF_INIT(10000);

		n.dsn_orcpt = view_of(rows[i].orcpt);
		n.original = view_of(rows[i].original);
		r.utf8 = rows[i].utf8;
		r.shows_final = true;
		report_recipient_fields(&out, &r, &n);
		if (!strstr(buf_str(&out), rows[i].field))
			fail_msg("row %zu: %s", i, buf_str(&out));
		buf_done(&out);
	}
	{
		struct notice_recipient n = unknown_user;
		struct report r = report_of(NOTICE_FAILURE, &n, 1);
		struct buf out = BUF_INIT(10000);

		n.original = VIEW_NONE;
		report_recipient_fields(&out, &r, &n);
		assert_null(strstr(buf_str(&out), "Original-Recipient"));
		buf_done(&out);
	}
}

/* Where an alias leads is not told to senders elsewhere, and is to the postmaster. */
static void
forwarding_is_private(void **state)
{
	struct notice_recipient n = unknown_user;
	struct report r = report_of(NOTICE_FAILURE, &n, 1);
	char *text;

	(void)state;
	n.address = VIEW("secret@home.example");
	n.original = VIEW("public@example.org");
	n.reason = VIEW("host mx said: 550 <Secret@Home.Example>: no; secret@home.example (in "
			"reply to RCPT TO command)");
	text = report_print(&r);
	assert_null(strcasestr(text, "secret"));
	assert_non_null(strstr(text, "\r\nFinal-Recipient: rfc822; public@example.org\r\n"));
	assert_non_null(strstr(text, "550 <public@example.org>: no;"));
	mem_free(text);

	r.shows_final = true;
	text = report_print(&r);
	assert_non_null(strstr(text, "\r\nFinal-Recipient: rfc822; secret@home.example\r\n"));
	assert_non_null(strstr(text, "\r\nOriginal-Recipient: rfc822;public@example.org\r\n"));
	assert_non_null(
	    strstr(text, "\r\n<secret@home.example> (expanded from <public@example.org>):"));
	mem_free(text);
}

static void
nothing_from_outside_breaks_out(void **state)
{
	static const char *const texts[] = {
		"550 no\r\n\r\n--" BOUNDARY "\r\nContent-Type: text/html\r\n\r\nx",
		"550 no\nAction: delivered\nStatus: 2.0.0",
		"\r\n.\r\n",
		"\x1b[2J\x01\x7f tab\there",
		"\xff\xfe \xc3\xa9 \xe2\x80\xae",
		"   ",
		"a\rb",
	};
	char *word = mem_alloc(REPORT_REASON + 1);

	(void)state;
	memset(word, 'w', REPORT_REASON);
	word[REPORT_REASON] = '\0';
	for (size_t i = 0; i <= 2 * ARRAY_LEN(texts) + 1; i++) {
		struct view evil = view_of(i / 2 < ARRAY_LEN(texts) ? texts[i / 2] : word);
		struct notice_recipient n = {
			.address = i / 2 < ARRAY_LEN(texts) ? evil : VIEW("a@b"),
			.original = i / 2 < ARRAY_LEN(texts) ? evil : VIEW("a@b"),
			.dsn_orcpt = view_sub(evil, 0, 300),
			.dsn = evil,
			.reason = evil,
			.remote_host = evil,
			.action = VIEW("failed"),
		};
		struct report r = report_of(NOTICE_FAILURE, &n, 1);
		char *text;

		r.utf8 = i % 2;
		r.envelope_id = view_sub(evil, 0, 100);
		r.sender = r.to = i / 2 < ARRAY_LEN(texts) ? evil : VIEW("a@b");
		text = report_print(&r);
		assert_is_clean(text, r.utf8);
		assert_int_equal(count_of(text, "\r\n--" BOUNDARY), 4);
		assert_int_equal(count_of(text, "\r\nAction:"), 1);
		assert_int_equal(count_of(text, "\r\nStatus: 5.0.0\r\n"), 1);
		assert_int_equal(count_of(text, "\r\nContent-Type:"), 4);
		mem_free(text);
	}
	mem_free(word);
}

static void
types(void **state)
{
	static const struct {
		bool utf8, is_8bit;
		enum report_original original;
		const char *text, *status, *last;
		size_t encodings;
	} rows[] = {
		{ false, false, REPORT_WHOLE, "text/plain; charset=us-ascii",
		    "message/delivery-status", "message/rfc822", 0 },
		{ false, false, REPORT_HEADER, "text/plain; charset=us-ascii",
		    "message/delivery-status", "text/rfc822-headers", 0 },
		{ false, true, REPORT_WHOLE, "text/plain; charset=us-ascii",
		    "message/delivery-status", "message/rfc822", 2 },
		{ true, false, REPORT_WHOLE, "text/plain; charset=utf-8",
		    "message/global-delivery-status", "message/global", 4 },
		{ true, true, REPORT_HEADER, "text/plain; charset=utf-8",
		    "message/global-delivery-status", "message/global-headers", 4 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct report r = report_of(NOTICE_FAILURE, &unknown_user, 1);
		const char *types_expected[] = { rows[i].text, rows[i].status, rows[i].last };
		char *text;

		r.utf8 = rows[i].utf8;
		r.is_8bit = rows[i].is_8bit;
		r.original = rows[i].original;
		text = report_print(&r);
		for (size_t t = 0; t < 3; t++) {
			char *line = mem_printf("\r\nContent-Type: %s\r\n", types_expected[t]);

			assert_int_equal(count_of(text, line), 1);
			mem_free(line);
		}
		assert_int_equal(count_of(text, "\r\nContent-Transfer-Encoding: 8bit\r\n"),
		    rows[i].encodings);
		mem_free(text);
	}
}

static void
threads(void **state)
{
	struct report r = report_of(NOTICE_FAILURE, &unknown_user, 1);
	char *text;

	(void)state;
	r.thread = VIEW("<1@x> <2@x>");
	text = report_print(&r);
	assert_null(strstr(text, "References:"));
	mem_free(text);
	r.thread_id = VIEW("<3@x>");
	text = report_print(&r);
	assert_non_null(
	    strstr(text, "\r\nIn-Reply-To: <3@x>\r\nReferences: <1@x> <2@x> <3@x>\r\n"));
	mem_free(text);
}

static void
many_recipients(void **state)
{
	enum { COUNT = 5000 };
	struct notice_recipient *list = mem_zero(COUNT, sizeof(*list));
	struct collected c = { .all = BUF_INIT(100 * 1024 * 1024) };
	struct report r = report_of(NOTICE_FAILURE, list, COUNT);
	struct report_out out;

	(void)state;
	for (size_t i = 0; i < COUNT; i++)
		list[i] = unknown_user;
	report_out_init(&out, collect, &c);
	report_begin(&out, &r);
	report_end(&out, &r);
	assert_false(out.failed);
	assert_int_equal(count_of(buf_str(&c.all), "\r\nFinal-Recipient: "), COUNT);
	assert_true(c.largest < 2 * REPORT_PIECE);
	report_out_done(&out);
	buf_done(&c.all);

	c = (struct collected){ .all = BUF_INIT(100 * 1024 * 1024), .fail_at = 3 };
	report_out_init(&out, collect, &c);
	report_begin(&out, &r);
	report_end(&out, &r);
	assert_true(out.failed);
	assert_int_equal(c.pieces, 3);
	report_out_done(&out);
	buf_done(&c.all);
	mem_free(list);
}

static void
long_names(void **state)
{
	struct report r = report_of(NOTICE_FAILURE, &unknown_user, 1);
	char host[256], *text, *start, *end;

	(void)state;
	memset(host, 'h', sizeof(host) - 1);
	host[255] = '\0';
	r.hostname = host;
	r.mail_name = "My Mail; v=1";
	text = report_print(&r);
	start = strstr(text, "boundary=\"") + 10;
	end = strchr(start, '"');
	assert_true(end - start <= 70); /* RFC 2046 5.1.1 */
	assert_non_null(strstr(text, "\r\nX-My-Mail--v-1-Queue-ID: "));
	mem_free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_report),
		cmocka_unit_test(kinds),
		cmocka_unit_test(template_texts),
		cmocka_unit_test(delay_says_until_when),
		cmocka_unit_test(remote_replies),
		cmocka_unit_test(original_recipients),
		cmocka_unit_test(forwarding_is_private),
		cmocka_unit_test(nothing_from_outside_breaks_out),
		cmocka_unit_test(types),
		cmocka_unit_test(threads),
		cmocka_unit_test(many_recipients),
		cmocka_unit_test(long_names),
	};

	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
