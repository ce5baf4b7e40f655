/* SPDX-License-Identifier: Apache-2.0 */
/* Received: fields and message ids: Postfix's layout, and nothing injected. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "mail/header.h"
#include "mail/trace.h"

#define WHEN ((microseconds)1795202647 * 1000000) /* Fri, 20 Nov 2026 19:24:07 UTC */

static struct received_facts
facts(void)
{
	return (struct received_facts){
		.helo_name = VIEW("helo.example"),
		.client_name = VIEW("client.example"),
		.client_address = VIEW("192.0.2.1"),
		.hostname = VIEW("mx.example.com"),
		.mail_name = VIEW("Postfix"),
		.protocol = VIEW("ESMTP"),
		.queue_id = VIEW("4XyZ1234567890z1abc"),
		.recipient = VIEW("user@example.com"),
		.recipient_count = 1,
		.uid = 1000,
		.when = WHEN,
	};
}

static void
check(const struct received_facts *f, const char *expected)
{
	struct buf out = BUF_INIT(10000);

	received_print(&out, f);
	assert_string_equal(buf_str(&out), expected);
	buf_done(&out);
}

static void
layouts(void **state)
{
	struct received_facts f = facts();

	(void)state;
	check(&f,
	    "Received: from helo.example (client.example [192.0.2.1])\r\n"
	    "\tby mx.example.com (Postfix) with ESMTP id 4XyZ1234567890z1abc\r\n"
	    "\tfor <user@example.com>; Fri, 20 Nov 2026 19:24:07 +0000 (UTC)\r\n");
	f.recipient_count = 2;
	f.helo_name = VIEW_NONE;
	f.client_name = VIEW("unknown");
	f.client_address = VIEW("IPv6:2001:db8::1");
	check(&f,
	    "Received: from unknown (unknown [IPv6:2001:db8::1])\r\n"
	    "\tby mx.example.com (Postfix) with ESMTP id 4XyZ1234567890z1abc;\r\n"
	    "\tFri, 20 Nov 2026 19:24:07 +0000 (UTC)\r\n");
	f.tls_note = VIEW("using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)");
	f.sasl_username = VIEW("joe");
	f.client_address = VIEW("192.0.2.1");
	check(&f,
	    "Received: from unknown (unknown [192.0.2.1])\r\n"
	    "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))\r\n"
	    "\t(Authenticated sender: joe)\r\n"
	    "\tby mx.example.com (Postfix) with ESMTP id 4XyZ1234567890z1abc;\r\n"
	    "\tFri, 20 Nov 2026 19:24:07 +0000 (UTC)\r\n");
	f.is_local = true;
	check(&f,
	    "Received: by mx.example.com (Postfix, from userid 1000)\r\n"
	    "\tid 4XyZ1234567890z1abc; Fri, 20 Nov 2026 19:24:07 +0000 (UTC)\r\n");
}

static void
recipients(void **state)
{
	char local[2000];
	struct received_facts f = facts();

	(void)state;
	f.recipient = VIEW("a b@example.com");
	check(&f,
	    "Received: from helo.example (client.example [192.0.2.1])\r\n"
	    "\tby mx.example.com (Postfix) with ESMTP id 4XyZ1234567890z1abc\r\n"
	    "\tfor <\"a b\"@example.com>; Fri, 20 Nov 2026 19:24:07 +0000 (UTC)\r\n");
	memset(local, '"', sizeof(local));
	f.recipient = (struct view){ local, sizeof(local) };
	check(&f,
	    "Received: from helo.example (client.example [192.0.2.1])\r\n"
	    "\tby mx.example.com (Postfix) with ESMTP id 4XyZ1234567890z1abc;\r\n"
	    "\tFri, 20 Nov 2026 19:24:07 +0000 (UTC)\r\n");
}

/* Each value hostile in turn: still one field, each line as it should start, none too long. */
static void
injection(void **state)
{
	static const struct view hostile[] = {
		VIEW("x\r\nEvil: y"),
		VIEW("x\r\n\r\nbody"),
		VIEW("x)\0(y [1.2.3.4])"),
		VIEW("x; Mon, 1 Jan 2000"),
		VIEW("\xff\xfe\xc3\xa9\x1b[2J"),
		VIEW("a>b<c\"d\\"),
	};
	static char long_value[5000];

	(void)state;
	memset(long_value, 'x', sizeof(long_value));
	for (size_t i = 0; i <= ARRAY_LEN(hostile); i++) {
		struct view v = { long_value, sizeof(long_value) };
		struct received_facts f = facts();
		struct buf out = BUF_INIT(10000);
		struct header_field field;
		struct view block;

		if (i < ARRAY_LEN(hostile))
			v = hostile[i];
		f.helo_name = f.client_name = f.client_address = f.tls_note = f.sasl_username =
		    v;
		f.recipient = v;
		received_print(&out, &f);
		block = buf_view(&out);
		assert_true(header_next(&block, &field));
		assert_int_equal(block.n, 0);
		assert_int_equal(view_find(buf_view(&out), '\0'), out.len);
		for (block = buf_view(&out); block.n;) {
			size_t n = view_find(block, '\n');

			assert_true(n <= 999);
			assert_true(block.p[0] == '\t' || block.p == out.data);
			assert_true(n > 0 && block.p[n - 1] == '\r');
			assert_int_equal(view_find(view_sub(block, 0, n - 1), '\r'), n - 1);
			block = view_sub(block, n + 1, block.n);
		}
		if (i == 2)
			assert_non_null(strstr(buf_str(&out), "from x???y?[1.2.3.4]? (x???y"));
		buf_done(&out);
	}
}

static void
message_ids(void **state)
{
	struct buf out = BUF_INIT(1000);

	(void)state;
	message_id_print(&out, WHEN, VIEW("4XyZ"), VIEW("mx.example.com"));
	assert_string_equal(buf_str(&out), "<20261120192407.4XyZ@mx.example.com>");
	buf_done(&out);
}

static void
counting(void **state)
{
	(void)state;
	assert_int_equal(header_count(VIEW("Received: a\r\n\tb\r\nReceived : c\r\nTo: x\r\n"
					   "RECEIVED:d\r\n\r\nReceived: body\r\n"),
			     VIEW("Received")),
	    3);
	assert_int_equal(header_count(VIEW(""), VIEW("Received")), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layouts),
		cmocka_unit_test(recipients),
		cmocka_unit_test(injection),
		cmocka_unit_test(message_ids),
		cmocka_unit_test(counting),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
