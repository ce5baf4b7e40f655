/* SPDX-License-Identifier: Apache-2.0 */
/* How far commands run ahead of their replies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "smtp/window.h"

static void
one_at_a_time_without_pipelining(void **state)
{
	struct window w;

	(void)state;
	window_init(&w, false);
	assert_true(window_has_room(&w, 20));
	window_sent(&w, 20);
	assert_false(window_has_room(&w, 1));
	window_replied(&w);
	assert_true(window_has_room(&w, 20));
}

/* Sends commands of this size while there is room; how many. */
static size_t
fill(struct window *w, size_t size)
{
	size_t count = 0;

	while (window_has_room(w, size)) {
		window_sent(w, size);
		count++;
	}
	return count;
}

static void
limits(void **state)
{
	static const struct {
		size_t size, count;
	} rows[] = {
		{ 10, WINDOW_COMMANDS }, { WINDOW_BYTES / 8, 8 }, { WINDOW_BYTES / 2 + 1, 1 },
		{ WINDOW_BYTES, 1 }, { WINDOW_BYTES * 2, 1 }, /* alone it may be longer */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct window w;

		window_init(&w, true);
		assert_int_equal(fill(&w, rows[i].size), rows[i].count);
		window_replied(&w);
		assert_int_equal(fill(&w, rows[i].size), 1);
	}
}

static void
refilled_when_half_is_answered(void **state)
{
	struct window w;
	size_t answered = 0;

	(void)state;
	window_init(&w, true);
	assert_true(window_wants_more(&w));
	fill(&w, WINDOW_BYTES / 16);
	while (!window_wants_more(&w)) {
		window_replied(&w);
		answered++;
	}
	assert_int_equal(answered, 8);
	assert_int_equal(fill(&w, WINDOW_BYTES / 16), 8);
}

static void
runs_round_the_ring(void **state)
{
	struct window w;
	size_t sent = 0, replied = 0;

	(void)state;
	window_init(&w, true);
	while (replied < 10000) {
		sent += fill(&w, 1 + sent % 100);
		window_replied(&w);
		replied++;
		assert_int_equal(w.count, sent - replied);
		assert_true(w.bytes <= WINDOW_BYTES);
	}
	while (w.count > 0)
		window_replied(&w);
	assert_int_equal(w.bytes, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_at_a_time_without_pipelining),
		cmocka_unit_test(limits),
		cmocka_unit_test(refilled_when_half_is_answered),
		cmocka_unit_test(runs_round_the_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
