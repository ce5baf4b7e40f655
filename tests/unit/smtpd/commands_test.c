/* SPDX-License-Identifier: Apache-2.0 */
/* The legality column: which verb may run in which state, and what is said when it may not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "smtpd/smtpd.h"
#include "tests/unit/conf_text.h"

static void
verbs_are_found_in_any_case(void **state)
{
	(void)state;
	assert_string_equal(command_find(VIEW("MAIL"))->verb, "MAIL");
	assert_string_equal(command_find(VIEW("mAiL"))->verb, "MAIL");
	assert_string_equal(command_find(VIEW("quit"))->verb, "QUIT");
	assert_string_equal(command_find(VIEW("MAI"))->verb, "UNKNOWN");
	assert_string_equal(command_find(VIEW("MAIL:"))->verb, "UNKNOWN");
	assert_string_equal(command_find(VIEW("UNKNOWN"))->verb, "UNKNOWN");
	assert_string_equal(command_find(VIEW(""))->verb, "UNKNOWN");
	assert_string_equal(command_find(VIEW("MAIL\0"))->verb, "UNKNOWN");
}

#define LEGAL NULL

/* RFC 5321 4.1.4 and RFC 3030 as a matrix; the texts are Postfix's. */
static void
legality(void **state)
{
	static const struct {
		const char *verb;
		const char *reply[STATE_COUNT]; /* start, greeted, mail, rcpt, bdat, failed */
	} rows[] = {
		{ "HELO", { LEGAL, LEGAL, LEGAL, LEGAL, LEGAL, LEGAL } },
		{ "EHLO", { LEGAL, LEGAL, LEGAL, LEGAL, LEGAL, LEGAL } },
		{ "RSET", { LEGAL, LEGAL, LEGAL, LEGAL, LEGAL, LEGAL } },
		{ "NOOP", { LEGAL, LEGAL, LEGAL, LEGAL, LEGAL, LEGAL } },
		{ "VRFY", { LEGAL, LEGAL, LEGAL, LEGAL, LEGAL, LEGAL } },
		{ "HELP", { LEGAL, LEGAL, LEGAL, LEGAL, LEGAL, LEGAL } },
		{ "QUIT", { LEGAL, LEGAL, LEGAL, LEGAL, LEGAL, LEGAL } },
		{ "MAIL",
		    { "503 5.5.1 Error: send HELO/EHLO first", LEGAL,
			"503 5.5.1 Error: nested MAIL command",
			"503 5.5.1 Error: nested MAIL command",
			"503 5.5.1 Error: MAIL after BDAT",
			"503 5.5.1 Error: MAIL after BDAT" } },
		{ "RCPT",
		    { "503 5.5.1 Error: need MAIL command",
			"503 5.5.1 Error: need MAIL command", LEGAL, LEGAL,
			"503 5.5.1 Error: RCPT after BDAT",
			"503 5.5.1 Error: RCPT after BDAT" } },
		{ "DATA",
		    { "503 5.5.1 Error: need RCPT command",
			"503 5.5.1 Error: need RCPT command",
			"554 5.5.1 Error: no valid recipients", LEGAL,
			"503 5.5.1 Error: DATA after BDAT",
			"503 5.5.1 Error: DATA after BDAT" } },
		{ "BDAT",
		    { "503 5.5.1 Error: need RCPT command",
			"503 5.5.1 Error: need RCPT command",
			"554 5.5.1 Error: no valid recipients", LEGAL, LEGAL, "" } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct command *c = command_find(view_of(rows[i].verb));

		for (int s = 0; s < STATE_COUNT; s++) {
			const char *reply_text = NULL;
			bool legal = command_is_legal(c, (enum smtp_state)s, &reply_text);

			if (legal != (rows[i].reply[s] == LEGAL))
				fail_msg("%s in state %d: legal %d", rows[i].verb, s, legal);
			if (!legal)
				assert_string_equal(reply_text, rows[i].reply[s]);
		}
	}
}

/* Without a transaction there is nothing that a handler of these could touch. */
static void
transaction_verbs_need_a_transaction(void **state)
{
	static const char *const verbs[] = { "RCPT", "DATA", "BDAT" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		const struct command *c = command_find(view_of(verbs[i]));

		assert_false(c->legal & (AT(STATE_START) | AT(STATE_GREETED)));
		assert_false(c->legal & AT(STATE_BDAT_FAILED));
	}
}

static void
rows_are_complete(void **state)
{
	(void)state;
	assert_in_range(command_count, 2, COMMAND_MAX);
	for (size_t i = 0; i + 1 < command_count; i++) {
		assert_non_null(commands[i].verb);
		assert_non_null(commands[i].handler);
	}
}

static void
ehlo_keywords_are_discarded(void **state)
{
	bool quietly = true;
	unsigned some;

	(void)state;
	assert_int_equal(ehlo_hidden_parse(VIEW(""), &quietly), 0);
	assert_false(quietly);
	some = ehlo_hidden_parse(VIEW("dsn, CHUNKING"), &quietly);
	assert_int_equal(__builtin_popcount(some), 2);
	assert_false(quietly);
	assert_int_equal(
	    ehlo_hidden_parse(VIEW("silent-discard chunking,DSN starttls"), &quietly), some);
	assert_true(quietly);
}

static void
hosts_file(void **state)
{
	static const uint8_t loopback[16] = { [10] = 0xFF, 0xFF, 127, 0, 0, 1 };
	static const uint8_t six[16] = { [0] = 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };
	struct hash *hosts = NULL;

	(void)state;
	peer_open_hosts(&hosts,
	    VIEW("# comment\n127.0.0.1\tlocalhost alias # x\n127.0.0.1 second\n"
		 "2001:db8::1 six.example\nnonsense name\n192.0.2.1\n192.0.2.2 bad/name\n"));
	assert_int_equal(hash_count(hosts), 2);
	assert_string_equal(
	    hash_find(hosts, (struct view){ (const char *)loopback, 16 }), "localhost");
	assert_string_equal(
	    hash_find(hosts, (struct view){ (const char *)six, 16 }), "six.example");
	hash_free(&hosts, mem_free);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verbs_are_found_in_any_case),
		cmocka_unit_test(legality),
		cmocka_unit_test(transaction_verbs_need_a_transaction),
		cmocka_unit_test(rows_are_complete),
		cmocka_unit_test(ehlo_keywords_are_discarded),
		cmocka_unit_test(hosts_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
