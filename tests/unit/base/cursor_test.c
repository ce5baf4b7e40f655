/* SPDX-License-Identifier: Apache-2.0 */
/* Cursors: each take at the end of the input, and nothing works after a failure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cursor.h"
#include "base/mem.h"

/* Nothing can be taken and nothing is left. */
static void
assert_dead(struct cursor *c)
{
	assert_true(c->failed);
	assert_true(cursor_at_end(c));
	assert_int_equal(cursor_left(c), 0);
	assert_int_equal(cursor_rest(c).n, 0);
	assert_int_equal(cursor_peek(c), -1);
	assert_int_equal(cursor_take(c), 0);
	assert_int_equal(cursor_take_n(c, 0).n, 0);
	assert_int_equal(cursor_take_n(c, 1).n, 0);
	assert_int_equal(cursor_take_while(c, char_is_alpha).n, 0);
	assert_false(cursor_skip(c, 'a'));
	cursor_skip_blanks(c);
	assert_int_equal(cursor_u8(c), 0);
	assert_int_equal(cursor_u16(c), 0);
	assert_int_equal(cursor_u32(c), 0);
	assert_int_equal(cursor_u64(c), 0);
	assert_true(c->failed);
}

static void
empty_input(void **state)
{
	(void)state;
	struct cursor c = cursor_of(VIEW_NONE);

	assert_true(cursor_at_end(&c));
	assert_false(c.failed);
	assert_int_equal(cursor_peek(&c), -1);
	assert_false(cursor_skip(&c, '\0'));
	assert_int_equal(cursor_take_while(&c, char_is_alpha).n, 0);
	assert_int_equal(cursor_take_n(&c, 0).n, 0);
	cursor_skip_blanks(&c);
	assert_false(c.failed);
	assert_int_equal(cursor_take(&c), 0);
	assert_dead(&c);
}

static void
taking(void **state)
{
	(void)state;
	struct cursor c = cursor_of(VIEW("\xff"
					 "a \t\r<word>rest"));

	assert_int_equal(cursor_left(&c), 15);
	assert_int_equal(cursor_peek(&c), 0xff);
	assert_int_equal(cursor_left(&c), 15);
	assert_int_equal((unsigned char)cursor_take(&c), 0xff);
	assert_false(cursor_skip(&c, 'b'));
	assert_true(cursor_skip(&c, 'a'));
	cursor_skip_blanks(&c); /* not the CR */
	assert_int_equal(cursor_peek(&c), '\r');
	cursor_expect(&c, '\r');
	cursor_expect(&c, '<');
	assert_true(view_eq(cursor_take_while(&c, char_is_alpha), VIEW("word")));
	cursor_expect(&c, '>');
	assert_false(c.failed);
	assert_true(view_eq(cursor_rest(&c), VIEW("rest")));
	assert_true(view_eq(cursor_take_n(&c, 4), VIEW("rest")));
	assert_true(cursor_at_end(&c));
	assert_false(c.failed);
}

static void
failure_sticks(void **state)
{
	(void)state;
	struct cursor c = cursor_of(VIEW("a a1"));

	cursor_expect(&c, 'b');
	assert_dead(&c);
	c = cursor_of(VIEW("aaa"));
	assert_int_equal(cursor_take_n(&c, 4).n, 0);
	assert_dead(&c);
	c = cursor_of(VIEW("aaa"));
	assert_int_equal(cursor_take_n(&c, SIZE_MAX).n, 0);
	assert_dead(&c);
	c = cursor_of(VIEW(" aaa"));
	cursor_fail(&c);
	assert_dead(&c);
}

static void
integers(void **state)
{
	(void)state;
	static const char bytes[] =
	    "\xff\x01\x02\x80\xff\x03\x04\xfe\xdc\xba\x98\x76\x54\x32\x10";
	struct cursor c = cursor_of((struct view){ bytes, 15 });

	assert_int_equal(cursor_u8(&c), 0xff);
	assert_int_equal(cursor_u16(&c), 0x0102);
	assert_int_equal(cursor_u32(&c), 0x80ff0304);
	assert_true(cursor_u64(&c) == 0xfedcba9876543210);
	assert_true(cursor_at_end(&c));
	assert_false(c.failed);
}

/* One byte short of each size; the heap object ends where the view does. */
static void
integers_cut_short(void **state)
{
	(void)state;
	static const size_t sizes[] = { 1, 2, 4, 8 };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		size_t n = sizes[i] - 1;
		char *bytes = mem_alloc(n);
		struct cursor c = cursor_of((struct view){ bytes, n });

		memset(bytes, 0x55, n);
		switch (sizes[i]) {
		case 1:
			assert_int_equal(cursor_u8(&c), 0);
			break;
		case 2:
			assert_int_equal(cursor_u16(&c), 0);
			break;
		case 4:
			assert_int_equal(cursor_u32(&c), 0);
			break;
		default:
			assert_true(cursor_u64(&c) == 0);
		}
		assert_dead(&c);
		mem_free(bytes);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_input),
		cmocka_unit_test(taking),
		cmocka_unit_test(failure_sticks),
		cmocka_unit_test(integers),
		cmocka_unit_test(integers_cut_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
