/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The envelope and the verdicts: recipients, copies, aliases, what is refused and that nothing
 * of it stays in the queue, each under its own main.cf.
 */
#include "base/clock.h"
#include "cleanup_fixture.h"
#include "mail/address.h"

static unsigned
files_left(void)
{
	unsigned n = 0;

	for (int place = 0; place < QUEUE_PLACES; place++) {
		struct queue_scan *s = queue_scan_new(cleanup.queue, (enum queue_place)place);
		char id[QUEUE_ID_SIZE];
		const char *why;
		microseconds due;

		while (queue_scan_next(s, id, &due, &why))
			n++;
		queue_scan_free(&s);
	}
	return n;
}

static void
assert_refused(const struct deal *d, enum submit_result result, const char *dsn)
{
	struct outcome o = deal_run(d);

	if (o.result != result || strcmp(o.dsn, dsn) != 0)
		fprintf(stderr, "%u %s %s\n", (unsigned)o.result, o.dsn, o.text);
	assert_int_equal(o.result, result);
	assert_string_equal(o.dsn, dsn);
	assert_true(o.text[0] != '\0');
	assert_int_equal(files_left(), 0);
	outcome_done(&o);
}

static void
assert_recipients(const struct deal *d, const char *expected)
{
	struct outcome o = deal_run(d);
	char *text;

	assert_true(o.stored);
	text = recipients_text(&o);
	assert_string_equal(text, expected);
	mem_free(text);
	outcome_done(&o);
}

#define TO(text)                                                                               \
	{                                                                                      \
		.address = { text, sizeof(text) - 1 }                                          \
	}
#define END                                                                                    \
	{                                                                                      \
		.address = { NULL, 0 }                                                         \
	}

static void
recipients_are_completed_and_told_apart(void **state)
{
	static const struct submit_recipient list[] = {
		TO("bob"),
		TO("bob@example.org"),
		TO("Bob@Example.ORG"), /* the same but for case: the second spelling goes */
		TO("eve@host"),
		{ .address = { "eve@host", 8 }, .original = { "eve@h", 5 } },
		{ .address = { "a@x.org", 7 }, .notify = 1, .dsn_orcpt = { "rfc822;z@z", 10 } },
		{ .address = { "a@x.org", 7 }, .notify = 2, .dsn_orcpt = { "rfc822;z@z", 10 } },
		{ .address = { "a@x.org", 7 }, .notify = 2, .dsn_orcpt = { "rfc822;Z@z", 10 } },
		TO("dot@x.org."),
		END,
	};
	struct deal d = { .recipients = list, .content = VIEW("A: 1\r\n\r\n") };

	(void)state;
	fixture_open("myorigin = example.org\nappend_dot_mydomain = yes\n");
	assert_recipients(&d,
	    "bob@example.org<bob 0 ; bob@example.org<bob@example.org 0 ; "
	    "eve@host.example.org<eve@host 0 ; eve@host.example.org<eve@h 0 ; "
	    "a@x.org<a@x.org 1 rfc822;z@z; a@x.org<a@x.org 2 rfc822;z@z; "
	    "dot@x.org<dot@x.org. 0 ");
	fixture_close();

	fixture_open("myorigin = example.org\nappend_dot_mydomain = yes\n"
		     "enable_original_recipient = no\n");
	assert_recipients(&d,
	    "bob@example.org<bob@example.org 0 ; eve@host.example.org<eve@host.example.org 0 ; "
	    "a@x.org<a@x.org 1 rfc822;z@z; a@x.org<a@x.org 2 rfc822;z@z; "
	    "dot@x.org<dot@x.org 0 ");
	fixture_close();

	fixture_open("duplicate_filter_limit = 1\nmyorigin = example.org\n");
	d.recipients = (const struct submit_recipient[]){ TO("a@x.org"), TO("a@x.org"),
		TO("b@x.org"), TO("b@x.org"), END };
	assert_recipients(&d, "a@x.org<a@x.org 0 ; b@x.org<b@x.org 0 ; b@x.org<b@x.org 0 ");
	fixture_close();
}

static void
sender_is_completed(void **state)
{
	char far[ADDRESS_MAX + 3];
	struct deal d = { .content = VIEW("A: 1\r\n\r\n"), .begin.sender = VIEW("me") };
	struct outcome o;

	(void)state;
	fixture_open("myorigin = example.org\n");
	o = deal_run(&d);
	assert_true(view_eq(o.message.sender, VIEW("me@example.org")));
	outcome_done(&o);
	d.begin.sender = VIEW_NONE;
	o = deal_run(&d);
	assert_int_equal(o.message.sender.n, 0);
	outcome_done(&o);
	memset(far, 'a', sizeof(far));
	memcpy(far + sizeof(far) - 4, "@b.c", 4);
	d.begin.sender = (struct view){ far, sizeof(far) };
	assert_refused(&d, SUBMIT_REJECT, "5.1.7");
	fixture_close();
}

static void
envelope_facts_are_kept(void **state)
{
	static const struct {
		const char *name, *value;
	} kept[] = { { "client_name", "c.example" }, { "client_address", "192.0.2.7" },
		{ "helo_name", "h.example" }, { "protocol_name", "ESMTP" },
		{ "message_id", "<9@x>" } };
	struct deal d = { .content = VIEW("Message-ID: <9@x>\r\n\r\nb\xe9\r\n"),
		.begin = { .client_name = VIEW("c.example"),
		    .client_address = VIEW("192.0.2.7"),
		    .client_port = VIEW("4711"),
		    .helo_name = VIEW("h.example"),
		    .protocol_name = VIEW("ESMTP"),
		    .envelope_id = VIEW("QQ314"),
		    .dsn_ret = VIEW("HDRS"),
		    .smtputf8 = true,
		    .is_8bit = true } };
	struct outcome o;

	(void)state;
	fixture_open("");
	o = deal_run(&d);
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		assert_true(view_eq(queue_message_attribute(&o.message, view_of(kept[i].name)),
		    view_of(kept[i].value)));
	assert_true(o.message.flags & QUEUE_FLAG_SMTPUTF8);
	assert_true(o.message.flags & QUEUE_FLAG_8BIT);
	assert_false(o.message.flags & (QUEUE_FLAG_LOCAL | QUEUE_FLAG_BOUNCE));
	outcome_done(&o);
	d.begin.source = SUBMIT_NOTICE;
	d.hold = true;
	o = deal_run(&d); /* which looks into hold */
	assert_true(o.message.flags & QUEUE_FLAG_BOUNCE);
	outcome_done(&o);
	fixture_close();
}

static void
queue_id_is_checked(void **state)
{
	static const char *const bad[] = { "x", "../../etc/passwd", "4bXzTq1234z000000000000",
		"", "4bXzTq1234z00000000000000000000000000000000000000000000000000000000" };
	struct deal d = { .content = VIEW("A: 1\r\n\r\n") };
	char id[QUEUE_ID_SIZE];

	(void)state;
	fixture_open("");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (!*bad[i])
			continue;
		d.begin.queue_id = view_of(bad[i]);
		assert_refused(&d, SUBMIT_RETRY, "4.3.0");
	}
	/* A day and more from now. */
	queue_id_new(clock_wall() + (microseconds)2 * 86400 * 1000000, id);
	d.begin.queue_id = view_of(id);
	assert_refused(&d, SUBMIT_RETRY, "4.3.0");
	fixture_close();
}

static void
recipients_come_from_the_header(void **state)
{
	struct deal d = { .recipients = (const struct submit_recipient[]){ END },
		.begin = { .source = SUBMIT_LOCAL, .extract_recipients = true } };

	(void)state;
	fixture_open("myorigin = example.org\n");
	d.content = VIEW("To: A <a@x.org>,\r\n\tb@x.org\r\nCc: c@x.org (d@x.org)\r\n"
			 "Bcc: team: e@x.org, f;\r\nReply-To: no@x.org\r\n\r\nTo: no@x.org");
	assert_recipients(&d,
	    "a@x.org<a@x.org 0 ; b@x.org<b@x.org 0 ; c@x.org<c@x.org 0 ; "
	    "e@x.org<e@x.org 0 ; f@example.org<f 0 ");
	d.content = VIEW("From x@y Mon\r\nTo: a@x.org\r\n\r\n");
	assert_recipients(&d, "a@x.org<a@x.org 0 ");
	d.content = VIEW("To: no@x.org\r\nBcc: no@x.org\r\nResent-To: r@x.org\r\n"
			 "Resent-Bcc: s@x.org\r\nCc: no@x.org\r\n\r\n");
	assert_recipients(&d, "r@x.org<r@x.org 0 ; s@x.org<s@x.org 0 ");

	d.content = VIEW("Subject: x\r\n\r\n");
	assert_refused(&d, SUBMIT_REJECT, "5.1.0");
	d.content = VIEW("To: undisclosed-recipients:;\r\n\r\n");
	assert_refused(&d, SUBMIT_REJECT, "5.1.0");
	/* Refused while the header is being read, with more behind it. */
	d.content = VIEW("To: <a@>b, c@x.org\r\nCc: d@x.org\r\n\r\nbody\r\n");
	assert_refused(&d, SUBMIT_REJECT, "5.1.3");
	fixture_close();

	/* A copy alone does not make a message. */
	fixture_open("always_bcc = archive@x.org\n");
	d.content = VIEW("Subject: x\r\n\r\n");
	assert_refused(&d, SUBMIT_REJECT, "5.1.0");
	fixture_close();
}

static void
too_many_recipients(void **state)
{
	struct submit_begin begin = { .source = SUBMIT_SMTP };
	struct submit_status status;
	struct message m;
	char address[1001];

	(void)state;
	fixture_open("");
	message_begin(&m, &begin);
	for (unsigned i = 0; i < 20000; i++) {
		struct submit_recipient r = { .address = { address, 900 } };

		memset(address, 'a', sizeof(address));
		snprintf(address, sizeof(address), "%u", i);
		address[strlen(address)] = 'a';
		memcpy(address + 890, "@example.x", 10);
		message_recipient(&m, &r);
	}
	assert_true(m.recipients_size <= CLEANUP_RECIPIENTS_MAX + 4000);
	message_content(&m, VIEW("A: 1\r\n\r\n"));
	message_end(&m, &status);
	assert_int_equal(status.result, SUBMIT_REJECT);
	assert_true(view_eq(status.dsn, VIEW("5.5.3")));
	message_done(&m);
	assert_int_equal(files_left(), 0);
	fixture_close();
}

static void
copies_of_new_mail(void **state)
{
	static const struct {
		enum submit_source source;
		bool copied;
	} cases[] = { { SUBMIT_SMTP, true }, { SUBMIT_LOCAL, true }, { SUBMIT_NOTICE, false },
		{ SUBMIT_FORWARD, false } };

	(void)state;
	fixture_open("always_bcc = \"archive box\"@x.org\n");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct deal d = { .content = VIEW("A: 1\r\n\r\n"),
			.begin.source = cases[i].source };
		struct outcome o = deal_run(&d);
		char *text = recipients_text(&o);

		assert_string_equal(text,
		    cases[i].copied ? "to@example.org<to@example.org 0 ; "
				      "archive box@x.org<archive box@x.org 1 "
				    : "to@example.org<to@example.org 0 ");
		/* The blind copy must not show in our own field. */
		if (cases[i].source == SUBMIT_SMTP)
			assert_non_null(strstr(o.header, "for <to@example.org>"));
		assert_null(strstr(o.header, "archive"));
		mem_free(text);
		outcome_done(&o);
	}
	fixture_close();
}

static void
from_carries_the_full_name(void **state)
{
	static const struct {
		const char *format, *name, *from;
	} cases[] = {
		{ "standard", "Bob Smith", "Bob Smith <bob@example.org>" },
		{ "standard", "", "bob@example.org" },
		{ "standard", " ", "bob@example.org" },
		{ "standard", "Smith, Bob", "\"Smith, Bob\" <bob@example.org>" },
		{ "standard", "B. \"x\" \\", "\"B. \\\"x\\\" \\\\\" <bob@example.org>" },
		{ "standard", "J\xc3\xb6rg X", "=?utf-8?Q?J=C3=B6rg_X?= <bob@example.org>" },
		{ "obsolete", "Bob Smith", "bob@example.org (Bob Smith)" },
		{ "obsolete", "B) <evil@x> (\\", "bob@example.org (B\\) <evil@x> \\(\\\\)" },
		{ "obsolete", "", "bob@example.org" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct deal d = { .content = VIEW("A: 1\r\n\r\n"),
			.begin = { .source = SUBMIT_LOCAL,
			    .sender = VIEW("bob@example.org"),
			    .full_name = view_of(cases[i].name) } };
		char *text = mem_printf("header_from_format = %s\n", cases[i].format);
		struct outcome o;

		fixture_open(text);
		o = deal_run(&d);
		assert_true(field_matches(&o, "From", cases[i].from));
		outcome_done(&o);
		fixture_close();
		mem_free(text);
	}
}

/* RFC 2047 2: an encoded word has 75 characters at most, and never half a character. */
static void
long_names_become_several_words(void **state)
{
	struct buf name = BUF_INIT(1000), out = BUF_INIT(4000);
	struct view rest, word;
	size_t characters = 0;

	(void)state;
	for (int i = 0; i < 60; i++)
		buf_append_str(&name, "\xe2\x82\xac");
	full_name_print(&out, buf_view(&name), "utf-8", false);
	rest = buf_view(&out);
	while (view_next_word(&rest, " ", &word)) {
		assert_true(word.n <= 75);
		assert_true(view_has_prefix(word, VIEW("=?utf-8?Q?")));
		assert_true(view_has_suffix(word, VIEW("?=")));
		assert_int_equal((word.n - 12) % 9, 0);
		characters += (word.n - 12) / 9;
	}
	assert_int_equal(characters, 60);
	buf_done(&name);
	buf_done(&out);
}

static void
undisclosed_recipients_are_said(void **state)
{
	static const struct {
		const char *content;
		bool keep, added;
	} cases[] = {
		{ "A: 1\r\n\r\n", false, true },
		{ "Bcc: x@y\r\n\r\n", false, true }, /* dropped, so nobody sees a destination */
		{ "To: x@y\r\n\r\n", false, false },
		{ "Cc: x@y\r\n\r\n", false, false },
		{ "Resent-To: x@y\r\n\r\n", false, false },
		{ "A: 1\r\n\r\n", true, false },
	};

	(void)state;
	fixture_open("undisclosed_recipients_header = To: undisclosed-recipients:;\n");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct deal d = { .content = view_of(cases[i].content),
			.begin.keep_missing_headers = cases[i].keep };
		struct outcome o = deal_run(&d);
		char *value = field_value(&o, "To", 0);

		assert_int_equal(
		    value && strcmp(value, "undisclosed-recipients:;") == 0, cases[i].added);
		mem_free(value);
		outcome_done(&o);
	}
	fixture_close();

	fixture_open("undisclosed_recipients_header = no header\n"
		     "always_add_missing_headers = yes\n");
	struct deal d = { .content = VIEW("A: 1\r\n\r\n"), .begin.keep_missing_headers = true };
	struct outcome o = deal_run(&d);
	char *date = field_value(&o, "Date", 0);

	assert_null(strstr(o.header, "no header"));
	assert_non_null(date);
	mem_free(date);
	outcome_done(&o);
	fixture_close();
}

static void
size_is_limited(void **state)
{
	struct deal d = { .content =
			      VIEW("A: 1\r\n\r\n0123456789012345678901234567890123456") };
	struct outcome o;
	const char *const unlimited[] = { "message_size_limit = 45\n",
		"message_size_limit = 0\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(unlimited); i++) {
		fixture_open(unlimited[i]);
		o = deal_run(&d);
		assert_int_equal(o.result, SUBMIT_OK);
		outcome_done(&o);
		fixture_close();
	}
	fixture_open("message_size_limit = 44\n");
	assert_refused(&d, SUBMIT_TOO_BIG, "5.3.4");
	d.split = 20;
	assert_refused(&d, SUBMIT_TOO_BIG, "5.3.4");
	d.begin.source = SUBMIT_NOTICE; /* a notice must get through */
	o = deal_run(&d);
	assert_int_equal(o.result, SUBMIT_OK);
	outcome_done(&o);
	fixture_close();
}

/* A body beyond the writer's memory has a file, which a refusal removes. */
static void
refused_bodies_leave_nothing(void **state)
{
	static char block[IPC_DATA_MAX];
	struct submit_begin begin = { .source = SUBMIT_SMTP };
	struct submit_recipient to = TO("to@example.org");
	struct submit_status status;
	struct message m;

	(void)state;
	memset(block, 'x', sizeof(block));
	fixture_open("message_size_limit = 300000\n");
	for (int kind = 0; kind < 2; kind++) {
		message_begin(&m, &begin);
		message_recipient(&m, &to);
		message_content(&m, VIEW("A: 1\r\n\r\n"));
		for (int i = 0; i < 4; i++)
			message_content(&m, (struct view){ block, sizeof(block) });
		assert_int_equal(files_left(), 1);
		if (kind == 0) {
			message_content(&m, (struct view){ block, sizeof(block) });
			assert_int_equal(files_left(), 0); /* at once, not at its end */
			message_content(&m, (struct view){ block, sizeof(block) });
			message_end(&m, &status);
			assert_int_equal(status.result, SUBMIT_TOO_BIG);
		} /* else: the client died */
		message_done(&m);
		assert_int_equal(files_left(), 0);
	}
	fixture_close();
}

static void
mime_rules_are_enforced(void **state)
{
	static const char nested[] = "Content-Type: multipart/mixed; boundary=a\r\n\r\n"
				     "--a\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
				     "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"
				     "--c\r\n\r\nx\r\n";
	static const char header_8bit[] = "Subject: \xe9\r\n\r\nbody";
	static const char body_8bit[] = "Subject: x\r\n\r\nb\xe9\r\n";
	static const char body_said[] = "Content-Transfer-Encoding: 8bit\r\n\r\nb\xe9\r\n";
	static const char domain[] = "Content-Type: message/rfc822\r\n"
				     "Content-Transfer-Encoding: base64\r\n\r\nQQ==\r\n";
	static const struct {
		const char *conf, *content, *text; /* NULL: taken */
	} cases[] = {
		{ "", header_8bit, NULL },
		{ "", body_8bit, NULL },
		{ "strict_7bit_headers = yes\n", header_8bit,
		    "improper use of 8-bit data in message header" },
		{ "strict_7bit_headers = yes\n", body_8bit, NULL },
		{ "strict_7bit_headers = yes\n", "Subject: \xe9\r\nno field",
		    "improper use of 8-bit data in message header" },
		{ "strict_7bit_headers = yes\n", "Subject: \xe9",
		    "improper use of 8-bit data in message header" },
		{ "strict_7bit_headers = yes\n", "From x\r\nSubject: \xe9\r\n\r\n",
		    "improper use of 8-bit data in message header" },
		{ "strict_8bitmime = yes\n", header_8bit,
		    "improper use of 8-bit data in message header" },
		{ "strict_8bitmime = yes\n", body_8bit,
		    "improper use of 8-bit data in message body" },
		{ "strict_8bitmime_body = yes\n", body_8bit,
		    "improper use of 8-bit data in message body" },
		{ "strict_8bitmime_body = yes\n", "A: 1\r\n\r\n\xe9",
		    "improper use of 8-bit data in message body" },
		{ "strict_8bitmime_body = yes\n", body_said, NULL },
		{ "strict_8bitmime_body = yes\n", header_8bit, NULL },
		{ "strict_8bitmime = yes\ndisable_mime_input_processing = yes\n", body_8bit,
		    NULL },
		{ "strict_mime_encoding_domain = yes\n", domain,
		    "invalid message/* or multipart/* encoding domain" },
		{ "strict_8bitmime_body = yes\nmime_nesting_limit = 2\n", nested,
		    "MIME nesting exceeds safety limit" },
		{ "strict_8bitmime_body = yes\nmime_nesting_limit = 3\n", nested, NULL },
		{ "mime_nesting_limit = 2\n", nested, NULL },
		/* Only so much of a boundary counts: these two are the same then. */
		{ "strict_8bitmime_body = yes\nmime_boundary_length_limit = 2\n",
		    "Content-Type: multipart/mixed; boundary=aaX\r\n\r\n--aaX\r\n"
		    "Content-Transfer-Encoding: 8bit\r\n\r\n\xe9\r\n--aaY\r\n\r\n\xe9\r\n",
		    "improper use of 8-bit data in message body" },
		{ "non_empty_end_of_header_action = reject\n", "A: 1\r\nno field\r\n",
		    "message header was not terminated by empty line" },
		{ "non_empty_end_of_header_action = reject\n", "A: 1\r\n\r\nno field\r\n",
		    NULL },
		{ "non_empty_end_of_header_action = reject\n", "A: 1\r\n", NULL },
		{ "non_empty_end_of_header_action = reject\n", "no field\r\n", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct deal d = { .content = view_of(cases[i].content) };

		fixture_open(cases[i].conf);
		for (int split = 0; split < 2; split++) {
			struct outcome o;

			d.split = split ? NO_SPLIT : 0;
			o = deal_run(&d);
			if (o.stored != !cases[i].text)
				fprintf(stderr, "case %zu, split %d: %s\n", i, split, o.text);
			assert_int_equal(o.stored, !cases[i].text);
			if (cases[i].text) {
				assert_int_equal(o.result, SUBMIT_REJECT);
				assert_string_equal(o.dsn, "5.6.0");
				assert_string_equal(o.text, cases[i].text);
			}
			outcome_done(&o);
		}
		fixture_close();
	}
}

static void
unterminated_header_is_marked(void **state)
{
	struct deal d = { .content = VIEW("A: 1\r\nno field\r\n") };
	struct outcome o;

	(void)state;
	fixture_open("non_empty_end_of_header_action = add_header\n");
	o = deal_run(&d);
	assert_true(
	    field_matches(&o, "MIME-Error", "message header was not terminated by empty line"));
	assert_string_equal(o.body, "no field\r\n");
	outcome_done(&o);
	d.content = VIEW("A: 1\r\n\r\nno field\r\n");
	o = deal_run(&d);
	assert_true(field_matches(&o, "MIME-Error", NULL));
	outcome_done(&o);
	fixture_close();
}

static void
aliases_are_expanded(void **state)
{
	static const struct submit_recipient list[] = {
		{ .address = { "team@v.org", 10 },
		    .notify = 4,
		    .dsn_orcpt = { "rfc822;t@t", 10 } },
		{ .address = { "plain@v.org", 11 } },
		END,
	};
	struct deal d = { .recipients = list, .content = VIEW("A: 1\r\n\r\n") };

	(void)state;
	fixture_open("virtual_alias_maps = inline:{ {team@v.org = one@x.org, two@v.org, "
		     "one@x.org} {two@v.org = three@x.org} {arch@x.org = shelf@x.org} }\n"
		     "always_bcc = arch@x.org\n");
	assert_recipients(&d,
	    "one@x.org<team@v.org 4 rfc822;t@t; three@x.org<team@v.org 4 rfc822;t@t; "
	    "plain@v.org<plain@v.org 0 ; shelf@x.org<arch@x.org 1 ");
	fixture_close();

	fixture_open("virtual_alias_maps = fail:broken\n");
	assert_refused(&d, SUBMIT_RETRY, "4.3.0");
	fixture_close();
	fixture_open(
	    "virtual_alias_maps = inline:{ {team@v.org = a@x.org, b@x.org, c@x.org} }\n"
	    "virtual_alias_expansion_limit = 2\n");
	assert_refused(&d, SUBMIT_RETRY, "4.3.0");
	fixture_close();
}

/* Room of one and a half messages, and queue_minfree, for strangers. */
static void
free_space_is_checked(void **state)
{
	struct deal d = { .content = VIEW("A: 1\r\n\r\n") };
	struct outcome o;
	const char *const full[] = { "queue_minfree = 4611686018427387904\n",
		"message_size_limit = 4611686018427387904\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(full); i++) {
		fixture_open(full[i]);
		d.begin.source = SUBMIT_SMTP;
		assert_refused(&d, SUBMIT_FULL, "4.3.1");
		d.begin.source = SUBMIT_NOTICE;
		o = deal_run(&d);
		assert_int_equal(o.result, SUBMIT_OK);
		outcome_done(&o);
		fixture_close();
	}
}

/* A line of the header that comes in a million frames is looked at once, not a million times.
 */
static void
tiny_frames_cost_linear_time(void **state)
{
	struct submit_begin begin = { .source = SUBMIT_SMTP };
	struct submit_recipient to = TO("to@example.org");
	struct submit_status status;
	struct message m;
	nanoseconds started = clock_now();

	(void)state;
	fixture_open("");
	message_begin(&m, &begin);
	message_recipient(&m, &to);
	message_content(&m, VIEW("A: "));
	for (int i = 0; i < 2000000; i++)
		message_content(&m, VIEW("x"));
	message_content(&m, VIEW("\r\n\r\nbody"));
	message_end(&m, &status);
	assert_int_equal(status.result, SUBMIT_OK);
	message_done(&m);
	assert_true(clock_now() - started < 20 * SECOND);
	fixture_close();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recipients_are_completed_and_told_apart),
		cmocka_unit_test(sender_is_completed),
		cmocka_unit_test(envelope_facts_are_kept),
		cmocka_unit_test(queue_id_is_checked),
		cmocka_unit_test(recipients_come_from_the_header),
		cmocka_unit_test(too_many_recipients),
		cmocka_unit_test(copies_of_new_mail),
		cmocka_unit_test(from_carries_the_full_name),
		cmocka_unit_test(long_names_become_several_words),
		cmocka_unit_test(undisclosed_recipients_are_said),
		cmocka_unit_test(size_is_limited),
		cmocka_unit_test(refused_bodies_leave_nothing),
		cmocka_unit_test(mime_rules_are_enforced),
		cmocka_unit_test(unterminated_header_is_marked),
		cmocka_unit_test(aliases_are_expanded),
		cmocka_unit_test(free_space_is_checked),
		cmocka_unit_test(tiny_frames_cost_linear_time),
	};

	log_set_tag("cleanup_test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
