/* SPDX-License-Identifier: Apache-2.0 */
/* Envelope records: exact bytes, round trips, and refusal of everything that is not one. */
#include "queue_fixture.h"

#include "queue/record.h"

static void
test_bytes(void **state)
{
	static const unsigned char expected[] = {
		'S',
		0,
		0,
		0,
		3,
		'a',
		'@',
		'b',
		'A',
		0,
		0,
		0,
		11,
		0,
		0,
		0,
		1,
		'n',
		0,
		0,
		0,
		2,
		'v',
		'=',
		'R',
		0,
		0,
		0,
		19,
		0,
		0,
		0,
		6,
		0,
		0,
		0,
		1,
		'x',
		0,
		0,
		0,
		2,
		'y',
		'z',
		0,
		0,
		0,
		0,
	};
	struct queue_recipient r = { VIEW("x"), VIEW("yz"), VIEW_NONE,
		QUEUE_NOTIFY_SUCCESS | QUEUE_NOTIFY_FAILURE };
	struct buf b = BUF_INIT(1000);

	(void)state;
	record_append_sender(&b, VIEW("a@b"));
	record_append_attribute(&b, VIEW("n"), VIEW("v="));
	record_append_recipient(&b, &r);
	assert_int_equal(b.len, sizeof(expected));
	assert_memory_equal(b.data, expected, sizeof(expected));
	buf_done(&b);
}

/* Whatever the bytes of a text are, they come back and nothing else does. */
static void
test_round_trip(void **state)
{
	static const struct view texts[] = {
		{ "", 0 },
		{ "user@example.com", 16 },
		{ "a\0b", 3 },
		{ "R\0\0\0\0", 5 },
		{ "x\r\nRCPT TO:<y>\n", 15 },
		{ "\377\376\200", 3 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct queue_recipient r = { texts[i], texts[(i + 1) % ARRAY_LEN(texts)],
			texts[(i + 2) % ARRAY_LEN(texts)], (unsigned)i };
		struct buf b = BUF_INIT(1000);
		struct queue_recipient back;
		struct view sender, name, value;
		struct cursor c;
		struct record record;

		record_append_recipient(&b, &r);
		record_append_attribute(&b, texts[i], texts[5 - i]);
		record_append_sender(&b, texts[i]);
		assert_true(record_check_envelope(buf_view(&b), 1, &sender));
		assert_true(view_eq(sender, texts[i]));
		c = cursor_of(buf_view(&b));
		assert_true(record_next(&c, &record));
		assert_true(record_parse_recipient(record.payload, &back));
		assert_true(view_eq(back.address, r.address));
		assert_true(view_eq(back.original, r.original));
		assert_true(view_eq(back.dsn_orcpt, r.dsn_orcpt));
		assert_int_equal(back.notify, r.notify);
		assert_true(record_next(&c, &record));
		assert_true(record_parse_attribute(record.payload, &name, &value));
		assert_true(view_eq(name, texts[i]) && view_eq(value, texts[5 - i]));
		assert_true(record_next(&c, &record));
		assert_false(record_next(&c, &record));
		assert_false(c.failed);
		buf_done(&b);
	}
}

#define SENDER    "S\0\0\0\1x"
#define RECIPIENT "R\0\0\0\020\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define BYTES(s)                                                                               \
	{                                                                                      \
		"" s, sizeof(s) - 1                                                            \
	}

static void
test_refused(void **state)
{
	static const struct {
		struct view bytes;
		uint32_t recipients;
		bool good;
	} cases[] = {
		{ BYTES(SENDER), 0, true },
		{ BYTES(SENDER RECIPIENT), 1, true },
		{ BYTES(RECIPIENT SENDER RECIPIENT), 2, true },
		{ BYTES(""), 0, false }, /* no sender */
		{ BYTES(RECIPIENT), 1, false },
		{ BYTES(SENDER SENDER), 0, false },
		{ BYTES(SENDER RECIPIENT), 2, false }, /* wrong count */
		{ BYTES(SENDER RECIPIENT), 0, false },
		{ BYTES(SENDER "Q\0\0\0\0"), 0, false }, /* unknown type */
		{ BYTES(SENDER "S"), 0, false },         /* cut */
		{ BYTES(SENDER "S\0\0\0"), 0, false },
		{ BYTES("S\0\0\0\2x"), 0, false },
		{ BYTES("S\377\377\377\377x"), 0, false },
		{ BYTES(SENDER "A\0\0\0\0"), 0, false }, /* payload too short */
		{ BYTES(SENDER "A\0\0\0\011\0\0\0\0\0\0\0\0x"), 0, false }, /* too long */
		{ BYTES(SENDER "A\0\0\0\010\0\0\0\5\0\0\0\0"), 0, false },
		{ BYTES(SENDER "R\0\0\0\4\0\0\0\0"), 1, false },
		{ BYTES(SENDER "R\0\0\0\020\0\0\0\0\377\377\377\374\0\0\0\0\0\0\0\0"), 1,
		    false },
	};
	struct view sender;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(
		    record_check_envelope(cases[i].bytes, cases[i].recipients, &sender),
		    cases[i].good);
}

static void
test_overflow_is_remembered(void **state)
{
	struct buf b = BUF_INIT(10);

	(void)state;
	record_append_sender(&b, VIEW("far too long for it"));
	assert_true(b.overflow);
	buf_done(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_overflow_is_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
