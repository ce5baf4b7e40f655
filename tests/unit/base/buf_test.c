/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers: the maximum and what happens one byte before, at and behind it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"

static void
assert_buf(const struct buf *b, const char *expected)
{
	assert_string_equal(buf_str(b), expected);
	assert_int_equal(b->len, strlen(expected));
}

static void
empty(void **state)
{
	(void)state;
	struct buf b = BUF_INIT(100);

	assert_buf(&b, "");
	assert_non_null(buf_view(&b).p);
	assert_true(buf_append(&b, NULL, 0));
	assert_true(buf_append_view(&b, VIEW_NONE));
	buf_truncate(&b, 0);
	buf_consume(&b, 5);
	buf_commit(&b, 0);
	buf_clear(&b);
	assert_buf(&b, "");
	assert_null(b.data); /* nothing was worth an allocation */
	buf_done(&b);
}

static void
appending(void **state)
{
	(void)state;
	struct buf b = BUF_INIT(1000);

	assert_true(buf_append_str(&b, "ab"));
	assert_true(buf_append_char(&b, 'c'));
	assert_true(buf_append_view(&b, VIEW("de")));
	assert_true(buf_printf(&b, "-%s-%d", "fg", 42));
	assert_buf(&b, "abcde-fg-42");
	assert_true(buf_append(&b, "x\0y", 3));
	assert_int_equal(b.len, 14);
	assert_memory_equal(b.data, "abcde-fg-42x\0y", 15);
	assert_false(b.overflow);
	buf_done(&b);
	assert_buf(&b, "");
	assert_true(buf_append_str(&b, "again"));
	buf_done(&b);
}

/* Byte by byte over several growths, the NUL always behind. */
static void
growing(void **state)
{
	(void)state;
	struct buf b = BUF_INIT(10000);

	for (int i = 0; i < 10000; i++) {
		assert_true(buf_append_char(&b, (char)('a' + i % 26)));
		assert_int_equal(b.data[b.len], '\0');
		assert_true(b.len < b.cap);
	}
	for (int i = 0; i < 10000; i++)
		assert_int_equal(b.data[i], 'a' + i % 26);
	assert_int_equal(b.cap, 10001); /* never more than the maximum needs */
	assert_false(buf_append_char(&b, '!'));
	assert_true(b.overflow);
	assert_int_equal(b.len, 10000);
	buf_done(&b);
}

static void
maximum(void **state)
{
	(void)state;
	static const size_t maxima[] = { 0, 1, 2, 7, 63, 64, 65, 127, 128, 200 };
	char text[256];

	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < ARRAY_LEN(maxima); i++) {
		size_t max = maxima[i];
		struct buf b;

		buf_init(&b, max);
		assert_false(buf_append(&b, text, max + 1));
		assert_int_equal(b.len, 0);
		assert_true(b.overflow);
		assert_true(buf_append(&b, text, max));
		assert_int_equal(b.len, max);
		assert_true(b.overflow); /* sticky */
		buf_clear(&b);
		assert_false(b.overflow);
		assert_true(buf_append(&b, text, max));
		assert_false(b.overflow);
		assert_false(buf_append_char(&b, 'y'));
		assert_false(buf_printf(&b, "%s", "y"));
		assert_null(buf_reserve(&b, 1));
		assert_int_equal(b.len, max);
		assert_int_equal(strlen(buf_str(&b)), max);
		assert_true(b.overflow);
		buf_done(&b);
		assert_false(b.overflow);
	}
}

static void
huge_sizes_do_not_wrap(void **state)
{
	(void)state;
	struct buf b = BUF_INIT(SIZE_MAX);

	assert_true(buf_append_str(&b, "abc"));
	assert_null(buf_reserve(&b, SIZE_MAX));
	assert_true(b.overflow);
	assert_null(buf_reserve(&b, SIZE_MAX - 3));
	assert_null(buf_reserve(&b, SIZE_MAX - 4));
	assert_null(buf_reserve(&b, SIZE_MAX / 2));
	assert_false(buf_append(&b, "x", SIZE_MAX - 2));
	assert_buf(&b, "abc");
	buf_done(&b);
}

static void
printing(void **state)
{
	(void)state;
	struct buf b = BUF_INIT(150);
	char long_text[101];

	memset(long_text, 'y', 100);
	long_text[100] = '\0';
	assert_true(buf_printf(&b, "%s", "")); /* empty output into no memory */
	assert_buf(&b, "");
	assert_true(buf_printf(&b, "<%s>", long_text)); /* larger than the first allocation */
	assert_int_equal(b.len, 102);
	assert_false(buf_printf(&b, "%s", long_text)); /* does not fit: nothing added */
	assert_int_equal(b.len, 102);
	assert_int_equal(b.data[102], '\0');
	assert_true(b.overflow);
	assert_true(buf_printf(&b, "%048d", 7)); /* fills it to the last byte */
	assert_int_equal(b.len, 150);
	assert_int_equal(b.data[149], '7');
	buf_done(&b);
}

static void
reserving(void **state)
{
	(void)state;
	struct buf b = BUF_INIT(100);
	char *room = buf_reserve(&b, 100);

	assert_non_null(room);
	assert_int_equal(b.len, 0);
	memset(room, 'r', 100);
	buf_commit(&b, 40);
	assert_int_equal(b.len, 40);
	assert_int_equal(b.data[40], '\0');
	assert_non_null(buf_reserve(&b, 60));
	assert_null(buf_reserve(&b, 61));
	buf_done(&b);
	assert_non_null(buf_reserve(&b, 0));
	buf_done(&b);
}

static void
cutting(void **state)
{
	(void)state;
	struct buf b = BUF_INIT(100);

	buf_append_str(&b, "0123456789");
	buf_truncate(&b, 20);
	assert_buf(&b, "0123456789");
	buf_truncate(&b, 8);
	assert_buf(&b, "01234567");
	buf_consume(&b, 0);
	assert_buf(&b, "01234567");
	buf_consume(&b, 3);
	assert_buf(&b, "34567");
	buf_consume(&b, SIZE_MAX);
	assert_buf(&b, "");
	buf_append_str(&b, "abc");
	buf_consume(&b, 3);
	assert_buf(&b, "");
	buf_done(&b);
}

static void
shrinking(void **state)
{
	(void)state;
	struct buf b = BUF_INIT(100);

	buf_append_str(&b, "abc");
	buf_shrink(&b);
	assert_buf(&b, "abc");
	buf_clear(&b);
	assert_non_null(b.data);
	buf_shrink(&b);
	assert_null(b.data);
	assert_int_equal(b.cap, 0);
	assert_int_equal(b.max, 100);
	assert_true(buf_append_str(&b, "de"));
	assert_buf(&b, "de");
	buf_done(&b);
}

static void
integers(void **state)
{
	(void)state;
	struct buf b = BUF_INIT(14);

	assert_true(buf_append_u16(&b, 0x0102));
	assert_true(buf_append_u32(&b, 0x80ff0304));
	assert_true(buf_append_u64(&b, 0xfedcba9876543210));
	assert_int_equal(b.len, 14);
	assert_memory_equal(
	    b.data, "\x01\x02\x80\xff\x03\x04\xfe\xdc\xba\x98\x76\x54\x32\x10", 14);
	buf_truncate(&b, 7);
	assert_false(buf_append_u64(&b, 1)); /* all or nothing */
	assert_int_equal(b.len, 7);
	buf_done(&b);
}

static void
stealing(void **state)
{
	(void)state;
	struct buf b = BUF_INIT(5);
	char *text = buf_steal(&b);

	assert_string_equal(text, "");
	mem_free(text);
	buf_append_str(&b, "abc");
	text = buf_steal(&b);
	assert_string_equal(text, "abc");
	assert_buf(&b, "");
	assert_int_equal(b.max, 5);
	assert_true(buf_append_str(&b, "12345"));
	assert_string_equal(text, "abc");
	mem_free(text);
	buf_done(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty),
		cmocka_unit_test(appending),
		cmocka_unit_test(growing),
		cmocka_unit_test(maximum),
		cmocka_unit_test(huge_sizes_do_not_wrap),
		cmocka_unit_test(printing),
		cmocka_unit_test(reserving),
		cmocka_unit_test(cutting),
		cmocka_unit_test(shrinking),
		cmocka_unit_test(integers),
		cmocka_unit_test(stealing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
