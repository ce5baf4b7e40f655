/* SPDX-License-Identifier: Apache-2.0 */
/* VERP: the sender of each recipient, and which delimiters are taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "mail/verp.h"

static void
senders(void **state)
{
	static const struct {
		const char *sender, *delimiters, *recipient, *result;
	} rows[] = {
		{ "owner-list@lists.example", "+=", "user@example.org",
		    "owner-list+user=example.org@lists.example" },
		{ "owner", "-=", "user@example.org", "owner-user=example.org" },
		{ "o@l.example", "+=", "user", "o+user@l.example" },
		{ "o@l.example", "+=", "a@b@example.org", "o+a@b=example.org@l.example" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = BUF_INIT(1000);

		verp_sender(&out, view_of(rows[i].sender), view_of(rows[i].delimiters),
		    view_of(rows[i].recipient));
		assert_string_equal(buf_str(&out), rows[i].result);
		buf_done(&out);
	}
}

static void
delimiters(void **state)
{
	(void)state;
	assert_true(verp_delimiters_are_valid(VIEW("+="), "-=+"));
	assert_true(verp_delimiters_are_valid(VIEW("=="), "-=+"));
	assert_false(verp_delimiters_are_valid(VIEW("+"), "-=+"));
	assert_false(verp_delimiters_are_valid(VIEW("+=+"), "-=+"));
	assert_false(verp_delimiters_are_valid(VIEW(""), "-=+"));
	assert_false(verp_delimiters_are_valid(VIEW("+!"), "-=+"));
	assert_false(verp_delimiters_are_valid(VIEW("+\0"), "-=+"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(senders),
		cmocka_unit_test(delimiters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
