/* SPDX-License-Identifier: Apache-2.0 */
/* Messages and frames as bytes: what goes out comes back, and nothing else is accepted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "ipc/ipc_private.h"

struct sample {
	struct view text;
	uint64_t number;
	int64_t offset;
	bool flag;
	int file;
	struct view more;
	uint64_t count;
	int64_t change;
	bool maybe;
	int second;
};

static const struct ipc_field sample_rows[] = {
	IPC_REQUIRED(IPC_VIEW, sample, text),
	IPC_REQUIRED(IPC_U64, sample, number),
	IPC_REQUIRED(IPC_I64, sample, offset),
	IPC_REQUIRED(IPC_BOOL, sample, flag),
	IPC_REQUIRED(IPC_FD, sample, file),
	IPC_OPTIONAL(IPC_VIEW, sample, more),
	IPC_OPTIONAL(IPC_U64, sample, count),
	IPC_OPTIONAL(IPC_I64, sample, change),
	IPC_OPTIONAL(IPC_BOOL, sample, maybe),
	IPC_OPTIONAL(IPC_FD, sample, second),
};
static IPC_MESSAGE(sample_message, "test/1.sample", sample, sample_rows);

static const struct sample samples[] = {
	{ .text = VIEW("x"), .number = 1, .offset = -1, .flag = true, .file = 3, .second = -1 },
	{ .text = VIEW(""), .file = 0, .second = -1 },
	{ .text = VIEW("a\0b\r\n=\xff"),
	    .number = UINT64_MAX,
	    .offset = INT64_MIN,
	    .flag = true,
	    .file = 7,
	    .more = VIEW("m"),
	    .count = 10,
	    .change = INT64_MAX,
	    .maybe = true,
	    .second = 8 },
};

static void
assert_same(const struct sample *a, const struct sample *b)
{
	assert_true(view_eq(a->text, b->text));
	assert_true(a->number == b->number);
	assert_true(a->offset == b->offset);
	assert_int_equal(a->flag, b->flag);
	assert_int_equal(a->file, b->file);
	assert_true(view_eq(a->more, b->more));
	assert_true(a->count == b->count);
	assert_true(a->change == b->change);
	assert_int_equal(a->maybe, b->maybe);
	assert_int_equal(a->second, b->second);
}

/* The descriptors of a sample in the order of its rows. */
static size_t
fds_of(const struct sample *s, int fds[2])
{
	fds[0] = s->file;
	fds[1] = s->second;
	return s->second >= 0 ? 2 : 1;
}

static void
every_type_comes_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		struct buf b = BUF_INIT(IPC_MESSAGE_MAX);
		const char *why = NULL;
		struct sample got;
		int fds[2];
		size_t fd_count = fds_of(&samples[i], fds);

		assert_true(ipc_encode(&sample_message, &samples[i], &b));
		assert_true(view_eq(ipc_message_name(buf_view(&b)), VIEW("test/1.sample")));
		if (!ipc_decode(&sample_message, buf_view(&b), fds, fd_count, &got, &why))
			fail_msg("sample %zu: %s", i, why);
		assert_same(&samples[i], &got);
		for (size_t n = 0; n < fd_count; n++)
			assert_int_equal(fds[n], -1); /* handed over */
		buf_done(&b);
	}
}

static void
the_wire_form_is_as_documented(void **state)
{
	static const struct ipc_field rows[] = { IPC_REQUIRED(IPC_U64, sample, number) };
	static const struct ipc_message m = { "t/1.n", sizeof(struct sample), rows, 1 };
	struct buf b = BUF_INIT(1000);
	struct sample s = { .number = 42 };

	(void)state;
	assert_true(ipc_encode(&m, &s, &b));
	assert_true(view_eq(buf_view(&b), VIEW("\0\5t/1.n\0\0\0\0\0\6number\0\0\0\00242")));
	buf_done(&b);
}

static void
no_truncation_is_accepted(void **state)
{
	struct buf b = BUF_INIT(IPC_MESSAGE_MAX);
	const char *why;
	struct sample got;

	(void)state;
	assert_true(ipc_encode(&sample_message, &samples[2], &b));
	for (size_t n = 0; n < b.len; n++) {
		/* An exact heap copy, so that a read beyond is found. */
		char *copy = mem_dup(b.data, n);
		int fds[2] = { 7, 8 };
		bool fine;

		why = NULL;
		fine =
		    ipc_decode(&sample_message, (struct view){ copy, n }, fds, 2, &got, &why);
		/* Cut between two optional pairs it is a shorter message, and else nothing. */
		if (fine) {
			assert_true(view_eq(got.text, samples[2].text));
			assert_true(got.second == -1);
		} else {
			assert_non_null(why);
			assert_int_equal(fds[0], 7);
			assert_int_equal(fds[1], 8);
			assert_int_equal(got.file, -1);
		}
		mem_free(copy);
	}
	buf_done(&b);
}

struct pair {
	const char *name;
	struct view value;
};

static void
append(struct buf *b, const char *name, struct view value)
{
	buf_append_u16(b, (uint16_t)strlen(name));
	buf_append_str(b, name);
	buf_append_u32(b, (uint32_t)value.n);
	buf_append_view(b, value);
}

/* A valid sample whose member `name`, if not NULL, has another value or (p NULL) is left out.
 */
static void
make(struct buf *b, const char *name, struct view value)
{
	static const struct pair pairs[] = { { "test/1.sample", VIEW("") },
		{ "text", VIEW("t") }, { "number", VIEW("1") }, { "offset", VIEW("-1") },
		{ "flag", VIEW("1") }, { "file", VIEW("") } };

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		bool other = name != NULL && strcmp(name, pairs[i].name) == 0;

		if (!other)
			append(b, pairs[i].name, pairs[i].value);
		else if (value.p != NULL)
			append(b, name, value);
	}
}

static void
wrong_values_are_refused(void **state)
{
	static const struct {
		const char *name;
		struct view value; /* VIEW_NONE: absent */
		const char *why;   /* NULL: fine */
	} cases[] = {
		{ NULL, VIEW_NONE, NULL },
		{ "number", VIEW("18446744073709551615"), NULL },
		{ "number", VIEW("18446744073709551616"), "value is not a number" },
		{ "number", VIEW(""), "value is not a number" },
		{ "number", VIEW("-1"), "value is not a number" },
		{ "number", VIEW("+1"), "value is not a number" },
		{ "number", VIEW(" 1"), "value is not a number" },
		{ "number", VIEW("01"), "value is not a number" },
		{ "number", VIEW("1\0"), "value is not a number" },
		{ "offset", VIEW("-9223372036854775808"), NULL },
		{ "offset", VIEW("-9223372036854775809"), "value is not a number" },
		{ "offset", VIEW("9223372036854775807"), NULL },
		{ "offset", VIEW("9223372036854775808"), "value is not a number" },
		{ "offset", VIEW("-"), "value is not a number" },
		{ "offset", VIEW("-0"), "value is not a number" },
		{ "offset", VIEW("--1"), "value is not a number" },
		{ "flag", VIEW("0"), NULL },
		{ "flag", VIEW("2"), "value is not a boolean" },
		{ "flag", VIEW(""), "value is not a boolean" },
		{ "flag", VIEW("true"), "value is not a boolean" },
		{ "file", VIEW("3"), "value of a descriptor is not empty" },
		{ "text", VIEW_NONE, "required field is missing" },
		{ "number", VIEW_NONE, "required field is missing" },
		{ "file", VIEW_NONE, "required field is missing" },
		{ "test/1.sample", VIEW("x"), "another message was expected" },
		{ "test/1.sample", VIEW_NONE, "another message was expected" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b = BUF_INIT(1000);
		const char *why = NULL;
		int fds[1] = { 5 };
		struct sample got;

		make(&b, cases[i].name, cases[i].value);
		if (ipc_decode(&sample_message, buf_view(&b), fds, 1, &got, &why) !=
		    (cases[i].why == NULL))
			fail_msg("case %zu: %s", i, why != NULL ? why : "accepted");
		if (cases[i].why != NULL)
			assert_string_equal(why, cases[i].why);
		assert_int_equal(fds[0], cases[i].why == NULL ? -1 : 5);
		buf_done(&b);
	}
}

static void
every_field_twice_is_refused(void **state)
{
	static const struct view values[] = { VIEW("t"), VIEW("1"), VIEW("1"), VIEW("1"),
		VIEW("") };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		struct buf b = BUF_INIT(1000);
		const char *why = NULL;
		int fds[2] = { 5, 6 };
		struct sample got;

		make(&b, NULL, VIEW_NONE);
		append(&b, sample_rows[i].name, values[i]);
		assert_false(ipc_decode(&sample_message, buf_view(&b), fds, 2, &got, &why));
		assert_string_equal(why, "field is there twice");
		buf_done(&b);
	}
}

static void
order_is_free_and_unknown_fields_are_skipped(void **state)
{
	struct buf b = BUF_INIT(1000);
	const char *why = NULL;
	int fds[2] = { 5, 6 };
	struct sample got;

	(void)state;
	append(&b, "test/1.sample", VIEW(""));
	append(&b, "second", VIEW(""));
	append(&b, "new", VIEW("anything"));
	append(&b, "file", VIEW(""));
	append(&b, "flag", VIEW("0"));
	append(&b, "offset", VIEW("0"));
	append(&b, "", VIEW("no name"));
	append(&b, "number", VIEW("9"));
	append(&b, "text", VIEW("late"));
	append(&b, "new", VIEW("again"));
	assert_true(ipc_decode(&sample_message, buf_view(&b), fds, 2, &got, &why));
	assert_true(view_eq(got.text, VIEW("late")));
	assert_true(got.number == 9);
	assert_int_equal(got.second, 5); /* the order on the wire counts */
	assert_int_equal(got.file, 6);
	buf_done(&b);
}

static void
a_descriptor_that_did_not_come_is_refused(void **state)
{
	struct buf b = BUF_INIT(1000);
	const char *why = NULL;
	struct sample got;

	(void)state;
	make(&b, NULL, VIEW_NONE);
	assert_false(ipc_decode(&sample_message, buf_view(&b), NULL, 0, &got, &why));
	assert_string_equal(why, "descriptor did not come along");
	buf_done(&b);
}

static void
limits_hold_on_both_sides(void **state)
{
	char *big = mem_zero(IPC_VALUE_MAX + 1, 1);
	struct sample s = { .text = { big, IPC_VALUE_MAX }, .file = 1, .second = -1 };
	struct buf b = BUF_INIT(4 * IPC_MESSAGE_MAX);
	const char *why = NULL;
	int fds[1] = { 5 };
	struct sample got;

	(void)state;
	buf_append_str(&b, "before");
	assert_true(ipc_encode(&sample_message, &s, &b));
	assert_true(
	    ipc_decode(&sample_message, view_sub(buf_view(&b), 6, b.len), fds, 1, &got, &why));
	assert_int_equal(got.text.n, IPC_VALUE_MAX);
	buf_truncate(&b, 6);
	s.text.n++;
	assert_false(ipc_encode(&sample_message, &s, &b));
	assert_int_equal(b.len, 6);
	s.text.n--;
	s.more = s.text; /* together over the limit of a message */
	assert_false(ipc_encode(&sample_message, &s, &b));
	assert_string_equal(buf_str(&b), "before");
	s.more = VIEW_NONE;
	s.file = -1; /* required */
	assert_false(ipc_encode(&sample_message, &s, &b));

	buf_clear(&b);
	make(&b, "text", (struct view){ big, IPC_VALUE_MAX + 1 });
	fds[0] = 5;
	assert_false(ipc_decode(&sample_message, buf_view(&b), fds, 1, &got, &why));
	assert_string_equal(why, "value is too long");
	buf_done(&b);
	mem_free(big);
}

static void
frames_are_taken_whole(void **state)
{
	static const struct {
		struct view in;
		enum ipc_taken taken;
		size_t total;
	} cases[] = {
		{ VIEW(""), IPC_TAKE_MORE, 0 },
		{ VIEW("\0\0\0\2"), IPC_TAKE_MORE, 0 },
		{ VIEW("\0\0\0\2d"), IPC_TAKE_MORE, 6 },
		{ VIEW("\0\0\0\2dx"), IPC_TAKEN, 6 },
		{ VIEW("\0\0\0\2dxy"), IPC_TAKEN, 6 },
		{ VIEW("\0\0\0\1d"), IPC_TAKE_REFUSED, 0 }, /* no data */
		{ VIEW("\0\0\0\0d"), IPC_TAKE_REFUSED, 0 },
		{ VIEW("\0\1\0\1d"), IPC_TAKE_MORE, 65541 },
		{ VIEW("\0\1\0\2d"), IPC_TAKE_REFUSED, 0 },
		{ VIEW("\0\4\0\1m"), IPC_TAKE_MORE, 262149 },
		{ VIEW("\0\4\0\2m"), IPC_TAKE_REFUSED, 0 },
		{ VIEW("\xff\xff\xff\xffm"), IPC_TAKE_REFUSED, 0 },
		{ VIEW("\0\0\0\2x"), IPC_TAKE_REFUSED, 0 },
		{ VIEW("\0\0\0\10m\0\1a\0\0\0\0"), IPC_TAKEN, 12 },
		{ VIEW("\0\0\0\11m\0\1a\0\0\0\1b"), IPC_TAKE_REFUSED, 13 },
		{ VIEW("\0\0\0\7m\0\0\0\0\0\0"), IPC_TAKE_REFUSED, 11 }, /* empty name */
		{ VIEW("\0\0\0\3m\0\1"), IPC_TAKE_REFUSED, 7 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *why = NULL;
		struct ipc_frame frame;
		size_t total = 99;

		if (ipc_frame_take(cases[i].in, &frame, &total, &why) != cases[i].taken)
			fail_msg("case %zu: %s", i, why != NULL ? why : "not refused");
		assert_int_equal(total, cases[i].total);
		if (cases[i].taken == IPC_TAKE_REFUSED)
			assert_non_null(why);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_comes_back),
		cmocka_unit_test(the_wire_form_is_as_documented),
		cmocka_unit_test(no_truncation_is_accepted),
		cmocka_unit_test(wrong_values_are_refused),
		cmocka_unit_test(every_field_twice_is_refused),
		cmocka_unit_test(order_is_free_and_unknown_fields_are_skipped),
		cmocka_unit_test(a_descriptor_that_did_not_come_is_refused),
		cmocka_unit_test(limits_hold_on_both_sides),
		cmocka_unit_test(frames_are_taken_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
