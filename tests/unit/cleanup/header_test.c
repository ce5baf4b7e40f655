/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What cleanup makes of the header: where it ends however the content arrives, what is added,
 * dropped, cut and counted. Expected values are from RFC 5322 and from Postfix's behaviour.
 */
#include "cleanup_fixture.h"

static struct outcome
run(const char *content)
{
	struct deal d = { .content = view_of(content), .begin.keep_missing_headers = true };

	return deal_run(&d);
}

/* Where header and body part, whatever pieces the content comes in. */
static void
header_and_body_are_told_apart(void **state)
{
	static const struct {
		const char *content;
		const char *header; /* behind our Received: */
		const char *body;
	} cases[] = {
		{ "A: 1\r\n\r\nbody\r\n", "A: 1\r\n", "body\r\n" },
		{ "", "", "" },
		{ "\r\n", "", "" },
		{ "\r\nbody", "", "body" },
		{ "\r\n\r\nbody", "", "\r\nbody" },
		{ "body only\r\n", "", "body only\r\n" },
		{ "body only", "", "body only" },
		{ "A: 1\r\n", "A: 1\r\n", "" },
		{ "A: 1", "A: 1\r\n", "" },
		{ "A: 1\r", "A: 1\r\n", "" },
		{ "A: 1\r\n\r", "A: 1\r\n", "" },
		{ "A: 1\r\n 2\r\n\t3\r\n\r\nx\r\n", "A: 1\r\n 2\r\n\t3\r\n", "x\r\n" },
		{ "A: 1\r\n 2", "A: 1\r\n 2\r\n", "" },
		{ " A: 1\r\nB: 2\r\n\r\nx", "", " A: 1\r\nB: 2\r\n\r\nx" },
		{ "A: 1\r\nno field\r\nB: 2\r\n\r\nx", "A: 1\r\n",
		    "no field\r\nB: 2\r\n\r\nx" },
		{ "A: 1\r\nno field", "A: 1\r\n", "no field" },
		{ "A: 1\r\n: 2\r\n", "A: 1\r\n", ": 2\r\n" },
		{ "A : 1\r\n\r\n", "A : 1\r\n", "" },
		{ "A: 1\r\n \r\nB: 2\r\n\r\nx", "A: 1\r\n \r\nB: 2\r\n", "x" },
		{ "From a@example.com Mon\r\nA: 1\r\n\r\nx",
		    "X-Mailbox-Line: From a@example.com Mon\r\nA: 1\r\n", "x" },
		{ ">>From a@example.com Mon\r\nA: 1\r\n\r\nx",
		    "X-Mailbox-Line: >>From a@example.com Mon\r\nA: 1\r\n", "x" },
		{ "From a\r\n b\r\nA: 1\r\n\r\nx", "X-Mailbox-Line: From a\r\n b\r\nA: 1\r\n",
		    "x" },
		{ "From a", "X-Mailbox-Line: From a\r\n", "" },
		{ "From a\r\n", "X-Mailbox-Line: From a\r\n", "" },
		{ "From a\r\n\r\nx", "X-Mailbox-Line: From a\r\n", "x" },
		{ "From : a@example.com\r\n\r\nx", "From : a@example.com\r\n", "x" },
		{ "A: 1\r\nFrom a\r\n", "A: 1\r\n", "From a\r\n" },
		{ "A: 1\r\n\r\n.\r\n..\r\n", "A: 1\r\n", ".\r\n..\r\n" },
		{ "\xc3\xa9: 1\r\n\r\nx", "", "\xc3\xa9: 1\r\n\r\nx" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct deal d = { .content = view_of(cases[i].content),
			.begin.keep_missing_headers = true };

		for (size_t split = 0; split <= d.content.n + 1; split++) {
			struct outcome o;
			const char *rest;

			d.split = split == d.content.n + 1 ? NO_SPLIT : split;
			o = deal_run(&d);
			assert_true(o.stored);
			assert_true(strncmp(o.header, "Received: from ", 15) == 0);
			rest = strstr(strstr(o.header, "\r\n\tfor <"), "\r\n");
			rest = strstr(rest + 2, "\r\n") + 2;
			assert_string_equal(rest, cases[i].header);
			assert_string_equal(o.body, cases[i].body);
			outcome_done(&o);
		}
	}
}

/* A first line with no end in sight is no field once it is longer than a line may be. */
static void
long_first_line_is_body(void **state)
{
	const size_t n = 3 * 1024 * 1024;
	char *text = mem_alloc(n + 1);
	struct deal d = { .content = { text, n }, .begin.keep_missing_headers = true };

	(void)state;
	memset(text, 'a', n);
	text[n] = '\0';
	d.split = 100;
	struct outcome o = deal_run(&d);

	assert_true(o.stored);
	assert_int_equal(strlen(o.body), n);
	outcome_done(&o);
	mem_free(text);
}

static void
received_names_what_is_known(void **state)
{
	static const struct submit_recipient two[] = { { .address = { "a@example.org", 13 } },
		{ .address = { "b@example.org", 13 } }, { .address = VIEW_NONE } };
	struct deal d = { .content = VIEW("A: 1\r\n\r\n"),
		.begin = { .client_name = VIEW("client.example.com"),
		    .client_address = VIEW("2001:db8::1"),
		    .helo_name = VIEW("helo.example.com"),
		    .protocol_name = VIEW("ESMTP"),
		    .uid = 77,
		    .keep_missing_headers = true } };
	struct outcome o = deal_run(&d);

	(void)state;
	assert_true(strncmp(o.header,
			"Received: from helo.example.com (client.example.com "
			"[IPv6:2001:db8::1])\r\n\tby mail.example.org (Postfix) with ESMTP id ",
			strlen("Received: from helo.example.com (client.example.com "
			       "[IPv6:2001:db8::1])\r\n\tby mail.example.org (Postfix) with "
			       "ESMTP id ")) == 0);
	assert_non_null(strstr(o.header, "\r\n\tfor <to@example.org>; "));
	outcome_done(&o);

	d.recipients = two; /* a name there would tell each of the other */
	o = deal_run(&d);
	assert_null(strstr(o.header, "for <"));
	outcome_done(&o);

	d.begin.source = SUBMIT_LOCAL;
	o = deal_run(&d);
	assert_non_null(strstr(
	    o.header, "Received: by mail.example.org (Postfix, from userid 77)\r\n\tid "));
	outcome_done(&o);

	d.begin.source = SUBMIT_NOTICE;
	o = deal_run(&d);
	assert_non_null(strstr(o.header, "Received: by mail.example.org (Postfix)\r\n\tid "));
	outcome_done(&o);
}

/* No text of a client makes a line of its own in our fields. */
static void
foreign_text_stays_in_its_field(void **state)
{
	struct deal d = { .content = VIEW("A: 1\r\n\r\n"),
		.begin = { .source = SUBMIT_SMTP,
		    .client_name = VIEW("x\r\nEvil: 1"),
		    .client_address = VIEW("192.0.2.1\r\nEvil: 2"),
		    .helo_name = VIEW("h\r\n\r\nEvil: 3"),
		    .protocol_name = VIEW("E\nEvil: 4") } };
	struct deal local = { .content = VIEW("A: 1\r\n\r\n"),
		.begin = { .source = SUBMIT_LOCAL,
		    .sender = VIEW("me@example.org"),
		    .full_name = VIEW("x>\r\nEvil: 5\r\n\r\nbody") } };
	struct outcome o = deal_run(&d);

	(void)state;
	assert_true(field_matches(&o, "Evil", NULL));
	outcome_done(&o);
	o = deal_run(&local);
	assert_true(field_matches(&o, "Evil", NULL));
	assert_string_equal(o.body, "");
	outcome_done(&o);
}

static void
missing_fields_are_added_for_our_own(void **state)
{
	struct deal d = { .content = VIEW("Subject: x\r\n\r\nbody"),
		.begin = { .sender = VIEW("a b@example.org") } };
	struct outcome o = deal_run(&d);
	char *id = field_value(&o, "Message-Id", 0), *expected;

	(void)state;
	expected = mem_printf(".%s@mail.example.org>", o.message.id);
	assert_true(id[0] == '<' && view_has_suffix(view_of(id), view_of(expected)));
	assert_true(strspn(id + 1, "0123456789") == 14);
	assert_true(field_matches(&o, "From", "\"a b\"@example.org"));
	assert_true(field_matches(&o, "To", NULL)); /* undisclosed_recipients_header is empty */
	mem_free(expected);
	expected = field_value(&o, "Date", 0);
	assert_non_null(strchr(expected, ':'));
	mem_free(expected);
	assert_true(
	    view_eq(queue_message_attribute(&o.message, VIEW("message_id")), view_of(id)));
	mem_free(id);
	outcome_done(&o);

	d.begin.keep_missing_headers = true;
	o = deal_run(&d);
	assert_true(field_matches(&o, "Message-Id", NULL));
	assert_true(field_matches(&o, "Date", NULL));
	assert_true(field_matches(&o, "From", NULL));
	outcome_done(&o);

	d.begin.keep_missing_headers = false;
	d.content = VIEW("MESSAGE-ID: <1@x>\r\nfrom: z@x\r\ndate: now\r\n\r\n");
	o = deal_run(&d);
	assert_null(field_value(&o, "Message-Id", 1));
	assert_null(field_value(&o, "From", 1));
	assert_null(field_value(&o, "Date", 1));
	outcome_done(&o);
}

/* Any Resent- field makes it a resent message: then its Resent- fields are completed. */
static void
resent_message_gets_resent_fields(void **state)
{
	static const char *const markers[] = { "Resent-To: a@b", "Resent-Cc: a@b",
		"Resent-Bcc: a@b", "Resent-Sender: a@b", "Resent-Reply-To: a@b",
		"Resent-From: a@b", "Resent-Date: x", "Resent-Message-Id: <r@b>" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(markers); i++) {
		char *text = mem_printf("Date: d\r\nFrom: f@x\r\n%s\r\n\r\n", markers[i]);
		struct deal d = { .content = view_of(text),
			.begin.sender = VIEW("me@example.org") };
		struct outcome o = deal_run(&d);

		for (unsigned n = 0; n < 3; n++) {
			const char *name = (const char *[]){ "Resent-Date", "Resent-From",
				"Resent-Message-Id" }[n];
			char *one = field_value(&o, name, 0), *two = field_value(&o, name, 1);

			assert_non_null(one);
			assert_null(two);
			mem_free(one);
		}
		assert_true(field_matches(&o, "Date", "d"));
		assert_true(field_matches(&o, "From", "f@x"));
		assert_true(field_matches(&o, "Message-Id", NULL));
		outcome_done(&o);
		mem_free(text);
	}
}

static void
fields_are_dropped(void **state)
{
	struct outcome o = run("Return-Path: <x@y>\r\nbcc: secret@x,\r\n\tmore@x\r\n"
			       "Resent-Bcc: s2@x\r\nCONTENT-LENGTH: 5\r\nKeep: 1\r\n\r\nx");

	(void)state;
	assert_true(field_matches(&o, "Return-Path", NULL));
	assert_true(field_matches(&o, "Bcc", NULL));
	assert_true(field_matches(&o, "Resent-Bcc", NULL));
	assert_true(field_matches(&o, "Content-Length", NULL));
	assert_true(field_matches(&o, "Keep", "1"));
	assert_null(strstr(o.header, "more@x"));
	outcome_done(&o);
}

static char *
repeated(const char *text, size_t count, const char *end)
{
	struct buf out = BUF_INIT(1 << 26);

	while (count--)
		buf_append_str(&out, text);
	buf_append_str(&out, end);
	return buf_steal(&out);
}

/* The 50th Received: is ours: 49 others are one too many (Postfix counts its own). */
static void
hops_are_counted(void **state)
{
	char *passes = repeated("received: by x\r\n", 48, "\r\n");
	char *loops = repeated("Received: by x\r\n", 49, "\r\n");
	struct outcome o = run(passes);

	(void)state;
	assert_int_equal(o.result, SUBMIT_OK);
	outcome_done(&o);
	o = run(loops);
	assert_int_equal(o.result, SUBMIT_LOOP);
	assert_string_equal(o.dsn, "5.4.0");
	assert_string_equal(o.text, "Error: too many hops");
	outcome_done(&o);
	mem_free(passes);
	mem_free(loops);
}

static void
long_fields_are_cut(void **state)
{
	char *lines = repeated("\tabcdefgh\r\n", 20000, "B: 2\r\n\r\nbody");
	char *text = mem_printf("A: 1\r\n%s", lines);
	struct outcome o = run(text);
	const char *a = strstr(o.header, "\r\nA: 1\r\n") + 2, *b = strstr(o.header, "B: 2\r\n");

	(void)state;
	/* 102400 bytes are kept, down to the end of a line. */
	assert_in_range(b - a, 102400 - 11, 102400);
	assert_true(memcmp(b - 2, "\r\n", 2) == 0 && b[-3] == 'h');
	assert_string_equal(o.body, "body");
	outcome_done(&o);
	mem_free(lines);
	mem_free(text);

	/* One line without an end: exactly the limit, and no CR of its own before the CRLF. */
	lines = repeated("x", 102400 - 4, "\r\nB: 2\r\n\r\nbody");
	text = mem_printf("A: %s", lines);
	o = run(text);
	a = strstr(o.header, "\r\nA: ") + 2;
	assert_int_equal(strstr(o.header, "\r\nB: 2") - a, 102400 - 1);
	assert_null(strstr(o.header, "\r\r"));
	outcome_done(&o);
	mem_free(lines);
	mem_free(text);
}

static void
header_has_a_maximum(void **state)
{
	char *most = repeated("A: 2345678\r\n", CLEANUP_HEADER_MAX / 12 - 10, "\r\nbody");
	char *over = repeated("A: 2345678\r\n", CLEANUP_HEADER_MAX / 12 + 10000, "\r\nbody");
	struct outcome o = run(most);

	(void)state;
	assert_int_equal(o.result, SUBMIT_OK);
	assert_string_equal(o.body, "body");
	outcome_done(&o);
	o = run(over);
	assert_int_equal(o.result, SUBMIT_TOO_BIG);
	assert_string_equal(o.dsn, "5.3.4");
	outcome_done(&o);
	mem_free(most);
	mem_free(over);
}

static int
setup(void **state)
{
	(void)state;
	log_set_tag("cleanup_test");
	fixture_open("");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	fixture_close();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_and_body_are_told_apart),
		cmocka_unit_test(long_first_line_is_body),
		cmocka_unit_test(received_names_what_is_known),
		cmocka_unit_test(foreign_text_stays_in_its_field),
		cmocka_unit_test(missing_fields_are_added_for_our_own),
		cmocka_unit_test(resent_message_gets_resent_fields),
		cmocka_unit_test(fields_are_dropped),
		cmocka_unit_test(hops_are_counted),
		cmocka_unit_test(long_fields_are_cut),
		cmocka_unit_test(header_has_a_maximum),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
