/* SPDX-License-Identifier: Apache-2.0 */
/* The intrusive list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/list.h"

struct item {
	int value;
	struct list link;
};

static void
add(struct list *head, struct item *item, int value)
{
	item->value = value;
	list_append(head, &item->link);
}

/* The values in order, as the digits of a number; both directions must agree. */
static int
digits(struct list *head)
{
	int forward = 0;
	int backward = 0;
	int place = 1;

	list_for_each (link, head)
		forward = forward * 10 + LIST_ITEM(link, struct item, link)->value;
	for (struct list *link = head->prev; link != head; link = link->prev) {
		backward += place * LIST_ITEM(link, struct item, link)->value;
		place *= 10;
	}
	assert_int_equal(forward, backward);
	return forward;
}

static void
order(void **state)
{
	(void)state;
	struct list head;
	struct item items[4];

	list_init(&head);
	assert_true(list_is_empty(&head));
	assert_null(list_pop(&head));
	add(&head, &items[0], 1);
	add(&head, &items[1], 2);
	items[2].value = 3;
	list_prepend(&head, &items[2].link);
	items[3].value = 4;
	list_insert_after(&items[0].link, &items[3].link);
	assert_int_equal(digits(&head), 3142);
	assert_false(list_is_empty(&head));
	assert_ptr_equal(list_pop(&head), &items[2].link);
	assert_true(list_is_empty(&items[2].link));
	assert_int_equal(digits(&head), 142);
}

static void
removal(void **state)
{
	(void)state;
	struct list head;
	struct item items[5];

	list_init(&head);
	for (int i = 0; i < 5; i++)
		add(&head, &items[i], i + 1);
	list_remove(&items[2].link);
	list_remove(&items[2].link); /* harmless */
	assert_int_equal(digits(&head), 1245);
	list_for_each_safe (link, next, &head) {
		if (LIST_ITEM(link, struct item, link)->value % 2 == 0)
			list_remove(link);
	}
	assert_int_equal(digits(&head), 15);
	while (list_pop(&head))
		;
	assert_true(list_is_empty(&head));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order),
		cmocka_unit_test(removal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
