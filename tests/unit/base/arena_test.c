/* SPDX-License-Identifier: Apache-2.0 */
/* Arenas, in both builds: alignment, zeroing, large pieces, reset. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdalign.h>

#include "base/arena.h"
#include "base/mem.h"

static void
unused_holds_nothing(void **state)
{
	(void)state;
	struct arena a = ARENA_INIT;

	assert_null(a.blocks);
	arena_reset(&a);
	assert_null(a.blocks);
	arena_alloc(&a, 1);
	assert_non_null(a.blocks);
	assert_int_equal(a.used, 1);
	arena_reset(&a);
	assert_null(a.blocks);
	assert_int_equal(a.used, 0);
}

/* Pieces of all sizes are zeroed, aligned, and do not share a byte with another. */
static void
pieces_are_apart(void **state)
{
	(void)state;
	enum { COUNT = 600 };
	struct arena a = ARENA_INIT;
	static unsigned char *pieces[COUNT];
	static size_t sizes[COUNT];
	size_t sum = 0;

	for (int round = 0; round < 3; round++) {
		sum = 0;
		for (size_t i = 0; i < COUNT; i++) {
			sizes[i] = i % 37 == 36 ? i * 300 : (i * 7) % 90;
			pieces[i] = arena_alloc(&a, sizes[i]);
			sum += sizes[i];
			assert_non_null(pieces[i]);
			assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
			for (size_t j = 0; j < sizes[i]; j++)
				assert_true(pieces[i][j] == 0);
			memset(pieces[i], (int)(i % 255) + 1, sizes[i]);
		}
		for (size_t i = 0; i < COUNT; i++) {
			for (size_t j = 0; j < sizes[i]; j++)
				assert_true(pieces[i][j] == i % 255 + 1);
		}
		assert_int_equal(a.used, sum);
		arena_reset(&a);
	}
}

/* Enough small pieces for blocks of every size. */
static void
many_small_pieces(void **state)
{
	(void)state;
	struct arena a = ARENA_INIT;
	uint32_t *first = arena_alloc(&a, sizeof(*first));
	uint32_t **last = &first;

	*first = 0;
	for (uint32_t i = 1; i < 20000; i++) {
		uint32_t **piece = arena_alloc(&a, 40);

		assert_true(**last == i - 1);
		*piece = arena_alloc(&a, sizeof(**piece));
		**piece = i;
		last = piece;
	}
	assert_int_equal(*first, 0);
	arena_reset(&a);
}

static void
empty_pieces_differ(void **state)
{
	(void)state;
	struct arena a = ARENA_INIT;
	char *x = arena_alloc(&a, 0);
	char *y = arena_alloc(&a, 0);

	assert_non_null(x);
	assert_ptr_not_equal(x, y);
	arena_reset(&a);
}

static void
copies(void **state)
{
	(void)state;
	struct arena a = ARENA_INIT;
	char *s = arena_dup(&a, VIEW("ab\0c"));
	struct view v = arena_view(&a, VIEW("view"));
	char *none = arena_dup(&a, VIEW_NONE);

	assert_memory_equal(s, "ab\0c", 5);
	assert_true(view_eq(v, VIEW("view")));
	assert_int_equal(v.p[4], '\0');
	assert_string_equal(none, "");
	arena_reset(&a);
}

static void
printing(void **state)
{
	(void)state;
	static const int widths[] = { 1, 254, 255, 256, 257, 5000 };
	struct arena a = ARENA_INIT;

	assert_string_equal(arena_printf(&a, "%s/%d", "a", 5), "a/5");
	assert_string_equal(arena_printf(&a, "%s", ""), "");
	for (size_t i = 0; i < ARRAY_LEN(widths); i++) {
		char *text = arena_printf(&a, "%0*d", widths[i], 7);

		assert_int_equal(strlen(text), widths[i]);
		assert_int_equal(text[widths[i] - 1], '7');
	}
	arena_reset(&a);
}

struct pair {
	int a;
	void *b;
};

static void
typed(void **state)
{
	(void)state;
	struct arena a = ARENA_INIT;
	struct pair *pair = ARENA_NEW(&a, struct pair);

	assert_int_equal(pair->a, 0);
	assert_null(pair->b);
	assert_int_equal(a.used, sizeof(struct pair));
	arena_reset(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unused_holds_nothing),
		cmocka_unit_test(pieces_are_apart),
		cmocka_unit_test(many_small_pieces),
		cmocka_unit_test(empty_pieces_differ),
		cmocka_unit_test(copies),
		cmocka_unit_test(printing),
		cmocka_unit_test(typed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
