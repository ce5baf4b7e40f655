/* SPDX-License-Identifier: Apache-2.0 */
/* The hash map against a plain array, removal while iterating, and SipHash against its paper.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/hash.h"
#include "base/mem.h"

static struct view
key_of(char text[16], size_t i)
{
	int n = snprintf(text, 16, "key%zu", i);

	return (struct view){ text, (size_t)n };
}

/* Appendix A of the paper, and the first rows of the authors' list: key and data 00 01 02... */
static void
siphash_vectors(void **state)
{
	(void)state;
	static const struct {
		size_t n;
		uint64_t hash;
	} rows[] = {
		{ 0, 0x726fdb47dd0e0e31 },
		{ 1, 0x74f839c593dc67fd },
		{ 2, 0x0d6c8009d9a94f5a },
		{ 3, 0x85676696d7fb7e2d },
		{ 4, 0xcf2794e0277187b7 },
		{ 5, 0x18765564cd99a68d },
		{ 6, 0xcbc9466e58fee3ce },
		{ 7, 0xab0200f58b01d137 },
		{ 8, 0x93f5f5799a932462 },
		{ 15, 0xa129ca6149be45e5 },
	};
	uint8_t bytes[16];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_true(siphash(bytes, bytes, rows[i].n) == rows[i].hash);
	assert_true(siphash(bytes, NULL, 0) == rows[0].hash);
}

static void
empty_map(void **state)
{
	(void)state;
	struct hash *h = hash_new();
	struct hash_iter it = { 0 };

	assert_int_equal(hash_count(h), 0);
	assert_null(hash_find(h, VIEW("a")));
	assert_null(hash_remove(h, VIEW("a")));
	assert_false(hash_next(h, &it));
	hash_free(&h, NULL);
	assert_null(h);
	hash_free(&h, NULL);
}

static void
put_find_remove(void **state)
{
	(void)state;
	struct hash *h = hash_new();
	char key[] = "a\0b";
	int x;
	int y;

	assert_null(hash_put(h, (struct view){ key, 3 }, &x));
	assert_null(hash_put(h, VIEW_NONE, &y)); /* the empty key is a key */
	key[0] = 'z';                            /* keys are copied */
	assert_ptr_equal(hash_find(h, VIEW("a\0b")), &x);
	assert_ptr_equal(hash_find(h, VIEW("")), &y);
	assert_null(hash_find(h, VIEW("a\0c")));
	assert_null(hash_find(h, VIEW("a")));
	assert_null(hash_find(h, VIEW("A\0b")));
	assert_ptr_equal(hash_put(h, VIEW("a\0b"), &y), &x);
	assert_int_equal(hash_count(h), 2);
	assert_ptr_equal(hash_remove(h, VIEW("a\0b")), &y);
	assert_null(hash_remove(h, VIEW("a\0b")));
	assert_null(hash_find(h, VIEW("a\0b")));
	assert_int_equal(hash_count(h), 1);
	hash_free(&h, NULL);
}

/* A long series of puts and removals; an array says what must be there. */
static void
agrees_with_a_model(void **state)
{
	(void)state;
	enum { KEYS = 3000 };
	static int model[KEYS];
	static int values[KEYS];
	struct hash *h = hash_new();
	uint32_t seed = 1;
	size_t count = 0;
	char text[16];

	for (int step = 0; step < 200000; step++) {
		/* mostly puts, then mostly removals, and again */
		bool growing = step / 20000 % 2 == 0;

		seed = seed * 1664525 + 1013904223;

		size_t i = (seed >> 8) % KEYS;
		struct view key = key_of(text, i);
		void *there = model[i] ? &values[i] : NULL;

		assert_ptr_equal(hash_find(h, key), there);
		if ((seed >> 28) < 12 ? growing : !growing) {
			assert_ptr_equal(hash_put(h, key, &values[i]), there);
			count += !model[i];
			model[i] = 1;
		} else {
			assert_ptr_equal(hash_remove(h, key), there);
			count -= (size_t)model[i];
			model[i] = 0;
		}
		assert_int_equal(hash_count(h), count);
	}
	for (size_t i = 0; i < KEYS; i++)
		assert_ptr_equal(hash_find(h, key_of(text, i)), model[i] ? &values[i] : NULL);
	hash_free(&h, NULL);
}

static void
iteration_sees_each_once(void **state)
{
	(void)state;
	enum { KEYS = 1000 };
	struct hash *h = hash_new();
	struct hash_iter it = { 0 };
	static int seen[KEYS];
	char text[16];

	for (size_t i = 0; i < KEYS; i++)
		hash_put(h, key_of(text, i), &seen[i]);
	while (hash_next(h, &it)) {
		int *value = it.value;

		(*value)++;
		assert_true(view_eq(it.key, key_of(text, (size_t)(value - seen))));
	}
	for (size_t i = 0; i < KEYS; i++)
		assert_int_equal(seen[i], 1);
	hash_free(&h, NULL);
}

/* The current entry or any other may go while iterating; the rest is still seen once. */
static void
removal_while_iterating(void **state)
{
	(void)state;
	enum { KEYS = 1000 };
	struct hash *h = hash_new();
	struct hash_iter it = { 0 };
	static int seen[KEYS];
	static int gone[KEYS];
	char text[16];

	for (size_t i = 0; i < KEYS; i++)
		hash_put(h, key_of(text, i), &seen[i]);
	while (hash_next(h, &it)) {
		size_t i = (size_t)((int *)it.value - seen);

		assert_int_equal(gone[i], 0);
		seen[i]++;
		if (i % 3 == 0) {
			assert_non_null(hash_remove(h, it.key));
			gone[i] = 1;
		} else if (i % 3 == 1 && !gone[i - 1]) {
			assert_non_null(hash_remove(h, key_of(text, i - 1)));
			gone[i - 1] = 1;
		}
	}
	for (size_t i = 0; i < KEYS; i++) {
		assert_true(seen[i] == 1 || (seen[i] == 0 && gone[i]));
		assert_int_equal(hash_find(h, key_of(text, i)) == NULL, gone[i]);
	}
	it = (struct hash_iter){ 0 };
	while (hash_next(h, &it))
		hash_remove(h, it.key);
	assert_int_equal(hash_count(h), 0);
	hash_free(&h, NULL);
}

static int freed;

static void
count_free(void *value)
{
	freed++;
	mem_free(value);
}

static void
freeing_values(void **state)
{
	(void)state;
	struct hash *h = hash_new();
	char text[16];

	freed = 0;
	for (size_t i = 0; i < 100; i++)
		hash_put(h, key_of(text, i), mem_alloc(1));
	for (size_t i = 0; i < 10; i++)
		mem_free(hash_remove(h, key_of(text, i)));
	hash_free(&h, count_free);
	assert_int_equal(freed, 90);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siphash_vectors),
		cmocka_unit_test(empty_map),
		cmocka_unit_test(put_find_remove),
		cmocka_unit_test(agrees_with_a_model),
		cmocka_unit_test(iteration_sees_each_once),
		cmocka_unit_test(removal_while_iterating),
		cmocka_unit_test(freeing_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
