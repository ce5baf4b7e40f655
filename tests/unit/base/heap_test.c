/* SPDX-License-Identifier: Apache-2.0 */
/* The heap: order under adding and removing in the middle, checked against a plain search. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/heap.h"
#include "base/mem.h"

struct timer {
	int id;
	struct heap_node node;
};

static void
empty(void **state)
{
	(void)state;
	struct heap h = { 0 };
	struct heap_node node = { 0 };

	assert_null(heap_first(&h));
	assert_false(heap_has(&node));
	heap_remove(&h, &node);
	heap_done(&h);
}

static void
one(void **state)
{
	(void)state;
	struct heap h = { 0 };
	struct timer t = { .id = 1 };

	heap_add(&h, &t.node, INT64_MIN);
	assert_true(heap_has(&t.node));
	assert_ptr_equal(heap_first(&h), &t.node);
	assert_int_equal(CONTAINER_OF(heap_first(&h), struct timer, node)->id, 1);
	heap_remove(&h, &t.node);
	assert_false(heap_has(&t.node));
	assert_null(heap_first(&h));
	heap_remove(&h, &t.node);
	heap_add(&h, &t.node, INT64_MAX);
	assert_ptr_equal(heap_first(&h), &t.node);
	heap_done(&h);
}

static void
sorted_out(void **state)
{
	(void)state;
	static const int64_t keys[] = { 5, -3, 9, 0, 5, INT64_MAX, 2, INT64_MIN, 7, 1, 5 };
	struct heap_node nodes[ARRAY_LEN(keys)] = { 0 };
	struct heap h = { 0 };
	int64_t last = INT64_MIN;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		heap_add(&h, &nodes[i], keys[i]);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		struct heap_node *first = heap_first(&h);

		assert_true(first->key >= last);
		last = first->key;
		heap_remove(&h, first);
	}
	assert_true(last == INT64_MAX);
	assert_int_equal(h.count, 0);
	heap_done(&h);
}

static int64_t
smallest(const struct heap_node *nodes, size_t n)
{
	int64_t least = INT64_MAX;

	for (size_t i = 0; i < n; i++) {
		if (heap_has(&nodes[i]) && nodes[i].key < least)
			least = nodes[i].key;
	}
	return least;
}

static void
agrees_with_a_search(void **state)
{
	(void)state;
	static struct heap_node nodes[200];
	struct heap h = { 0 };
	uint32_t seed = 7;

	for (int step = 0; step < 20000; step++) {
		seed = seed * 1664525 + 1013904223;

		struct heap_node *node = &nodes[(seed >> 16) % ARRAY_LEN(nodes)];

		if (heap_has(node))
			heap_remove(&h, node);
		else
			heap_add(&h, node, (seed >> 8) % 1000);
		if (h.count)
			assert_true(heap_first(&h)->key == smallest(nodes, ARRAY_LEN(nodes)));
		else
			assert_null(heap_first(&h));
	}
	heap_done(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty),
		cmocka_unit_test(one),
		cmocka_unit_test(sorted_out),
		cmocka_unit_test(agrees_with_a_search),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
