/* SPDX-License-Identifier: Apache-2.0 */
/* Which class of notify_classes a reply belongs to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "smtpd/smtpd.h"

static void
replies(void **state)
{
	static const struct {
		const char *line, *where;
		unsigned trouble;
	} rows[] = {
		{ "220 mail.example.org ESMTP", "CONNECT", 0 },
		{ "250 2.0.0 Ok: queued as 4", "END-OF-MESSAGE", 0 },
		{ "354 End data with <CR><LF>.<CR><LF>", "DATA", 0 },
		{ "500 5.5.2 Error: command not recognized", "UNKNOWN", TROUBLE_PROTOCOL },
		{ "501 Syntax: EHLO hostname", "EHLO", TROUBLE_PROTOCOL },
		{ "501 5.1.7 Bad sender address syntax", "MAIL", TROUBLE_PROTOCOL },
		{ "554 5.5.0 Error: SMTP protocol synchronization", "EHLO", TROUBLE_PROTOCOL },
		{ "550 5.1.1 <x@y>: Recipient address rejected", "RCPT", TROUBLE_BOUNCE },
		{ "554 5.7.1 <x@y>: Relay access denied", "RCPT", TROUBLE_POLICY },
		{ "450 4.7.1 Error: too much mail from 192.0.2.1", "MAIL", TROUBLE_POLICY },
		{ "552 5.3.4 Message size exceeds fixed limit", "MAIL", TROUBLE_POLICY },
		{ "550 5.7.1 Error: content rejected", "END-OF-MESSAGE", TROUBLE_DATA },
		{ "550 5.6.0 bad MIME", "END-OF-MESSAGE", TROUBLE_DATA },
		{ "452 4.3.1 Insufficient system storage", "END-OF-MESSAGE", TROUBLE_RESOURCE },
		{ "451 4.3.0 Error: queue file write error", "END-OF-MESSAGE",
		    TROUBLE_SOFTWARE },
		{ "451 4.3.5 Server configuration error", "RCPT", TROUBLE_SOFTWARE },
		{ "421 4.4.2 mail.example.org Error: timeout exceeded", "RCPT", 0 },
		{ "", "CONNECT", 0 },
		{ "5", "CONNECT", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		unsigned trouble = trouble_of_reply(view_of(rows[i].line), rows[i].where);

		if (trouble != rows[i].trouble)
			fail_msg("%s: %u", rows[i].line, trouble);
	}
}

static void
class_names(void **state)
{
	(void)state;
	assert_int_equal(trouble_classes(VIEW("")), 0);
	assert_int_equal(trouble_classes(VIEW("2bounce, delay")), 0);
	assert_int_equal(
	    trouble_classes(VIEW("resource, software")), TROUBLE_RESOURCE | TROUBLE_SOFTWARE);
	assert_int_equal(trouble_classes(VIEW("Bounce data\tpolicy,protocol")),
	    TROUBLE_BOUNCE | TROUBLE_DATA | TROUBLE_POLICY | TROUBLE_PROTOCOL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies),
		cmocka_unit_test(class_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
