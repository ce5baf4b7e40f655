/* SPDX-License-Identifier: Apache-2.0 */
/* What a local client may say of a message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "mail/address.h"
#include "pickup/pickup.h"

struct pickup pickup;

#define BYTES(literal)                                                                         \
	{                                                                                      \
		literal, sizeof(literal) - 1                                                   \
	}

static const struct address_row {
	struct view address;
	bool sound;
} addresses[] = {
	{ BYTES("a@example.com"), true },
	{ BYTES("root"), true },
	{ BYTES("a b@example.com"), true }, /* "a b"@example.com */
	{ BYTES("a@b@example.com"), true }, /* "a@b"@example.com */
	{ BYTES("-oQ/x@example.com"), true },
	{ BYTES("\xc3\xa9@example.com"), true },
	{ BYTES("a@[192.0.2.1]"), true },
	{ BYTES("a\nb@example.com"), false },
	{ BYTES("a@example.com\n"), false },
	{ BYTES("a\rb"), false },
	{ BYTES("a\0b@example.com"), false },
	{ BYTES("a@exa mple.com"), false },
	{ BYTES("a@example..com"), false },
	{ BYTES("a@"), false },
	{ BYTES("@example.com"), false },
	{ BYTES("\xff@example.com"), false },
	{ BYTES("a@example.com>"), false },
	{ BYTES("<a@example.com>"), false },
};

static void
test_addresses(void **state)
{
	const char *why = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		struct submit_recipient given = { .address = addresses[i].address }, out;
		struct submit_begin begin = { .sender = addresses[i].address }, checked;
		struct submission s = { .uid = 7 };

		if (recipient_check(&given, &out, &why) != addresses[i].sound)
			fail_msg("recipient %s", addresses[i].address.p);
		if (begin_check(&s, &begin, &checked, &why) != addresses[i].sound)
			fail_msg("sender %s", addresses[i].address.p);
		arena_reset(&s.arena);
	}
}

static void
test_longest_address(void **state)
{
	struct submit_recipient given = { 0 }, out;
	char text[ADDRESS_MAX + 2];
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = 'a';
	given.address = (struct view){ text, ADDRESS_MAX };
	assert_true(recipient_check(&given, &out, &why));
	given.address.n++;
	assert_false(recipient_check(&given, &out, &why));
	given.address.n = 0;
	assert_false(recipient_check(&given, &out, &why));
}

/* Whatever a client claims to know about itself is ours to say. */
static void
test_facts_are_ours(void **state)
{
	struct submit_begin given = {
		.source = SUBMIT_SMTP,
		.queue_id = VIEW("theirs"),
		.sender = VIEW("a@example.com"),
		.client_name = VIEW("trusted"),
		.client_address = VIEW("192.0.2.1"),
		.client_port = VIEW("25"),
		.helo_name = VIEW("helo"),
		.protocol_name = VIEW("ESMTPS"),
		.server_name = VIEW("server"),
		.full_name = VIEW(" Evil\r\nBcc: x\x7f"),
		.uid = 0,
		.extract_recipients = true,
		.keep_missing_headers = true,
		.envelope_id = VIEW("id"),
		.dsn_ret = VIEW("HDRS"),
		.smtputf8 = true,
		.is_8bit = true,
	};
	struct submission s = { .uid = 1234, .id = "ours" };
	struct submit_begin out;
	const char *why;

	(void)state;
	assert_true(begin_check(&s, &given, &out, &why));
	assert_int_equal(out.source, SUBMIT_LOCAL);
	assert_int_equal(out.uid, 1234);
	assert_true(view_eq(out.queue_id, VIEW("ours")));
	assert_int_equal(out.client_name.n + out.client_address.n + out.client_port.n +
		out.helo_name.n + out.protocol_name.n + out.server_name.n,
	    0);
	assert_true(view_eq(out.full_name, VIEW("Evil  Bcc: x")));
	assert_true(
	    out.extract_recipients && out.keep_missing_headers && out.smtputf8 && out.is_8bit);
	assert_true(view_eq(out.envelope_id, VIEW("id")));
	assert_true(view_eq(out.dsn_ret, VIEW("HDRS")));
	arena_reset(&s.arena);
}

static void
test_notify(void **state)
{
	(void)state;
	for (uint64_t notify = 0; notify < 64; notify++) {
		struct submit_recipient given = { .address = VIEW("a"), .notify = notify };
		struct submit_recipient out;
		const char *why;
		/* NEVER alone, or any of SUCCESS, FAILURE, DELAY (RFC 3461 4.1) */
		bool sound = notify == 1 || (notify < 16 && notify % 2 == 0);

		assert_int_equal(recipient_check(&given, &out, &why), sound);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_longest_address),
		cmocka_unit_test(test_facts_are_ours),
		cmocka_unit_test(test_notify),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
