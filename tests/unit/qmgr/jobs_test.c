/* SPDX-License-Identifier: Apache-2.0 */
/* Who preempts whom, and when: sequences worked out by hand from Postfix's rules. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/mem.h"
#include "qmgr/jobs.h"

#define JOBS_MAX 12

/* A scheduler with one place where each job has all that it wants to have delivered. */
static struct world {
	struct jobs all;
	struct message_job jobs[JOBS_MAX];
	bool is_there[JOBS_MAX], is_blocked[JOBS_MAX];
	nanoseconds now;
} w;

static bool
can_run(const struct message_job *j)
{
	return !w.is_blocked[j - w.jobs];
}

static void
world_new(int cost, int loan, int discount, int minimum)
{
	w = (struct world){ .now = 1000 * SECOND };
	jobs_init(&w.all, can_run);
	w.all.rules = (struct job_rules){ cost, loan, discount, minimum };
}

static void
add(char name, unsigned entries)
{
	struct message_job *j = &w.jobs[name - 'A'];

	job_add(&w.all, j, w.now);
	for (unsigned i = 0; i < entries; i++)
		job_entry_made(j);
	w.is_there[name - 'A'] = true;
	jobs_consider(&w.all, j, w.now);
}

static void
end(char name)
{
	job_remove(&w.all, &w.jobs[name - 'A']);
	w.is_there[name - 'A'] = false;
}

static struct message_job *
first(void)
{
	struct message_job *best = NULL;

	for (size_t i = 0; i < JOBS_MAX; i++) {
		if (w.is_there[i] && !w.is_blocked[i] &&
		    (!best || w.jobs[i].order < best->order))
			best = &w.jobs[i];
	}
	return best;
}

/* Whose entry is handed out next; '.' at the end. */
static char
next(void)
{
	struct message_job *j = first(), *preempting;
	char name;

	if (!j)
		return '.';
	preempting = jobs_preempt(&w.all, j, w.now);
	if (preempting) {
		assert_ptr_equal(first(), preempting);
		j = preempting;
	}
	name = (char)('A' + (j - w.jobs));
	job_entry_selected(j);
	if (j->selected == j->read + j->unread)
		end(name);
	return name;
}

static void
expect(const char *names)
{
	for (size_t i = 0; names[i]; i++) {
		char name = next();

		if (name != names[i])
			fail_msg("%s, at %zu: %c", names, i, name);
	}
}

/* Five entries of A pay for one of another; the first one goes on credit. */
static void
small_ones_overtake(void **state)
{
	(void)state;
	world_new(5, 3, 50, 3);
	add('A', 18);
	expect("A");
	add('B', 1);
	add('C', 1);
	add('D', 1);
	add('E', 1);
	/*
	 * A has earned 1/5, and owes 4/5 behind B: five more, then C, and so on. When E could
	 * go, what A has left and has earned is less than a slot.
	 */
	expect("BAAAAACAAAAADAAAAAAAE.");
}

/* Without loan and discount everything is earned first. */
static void
without_credit(void **state)
{
	(void)state;
	world_new(5, 0, 0, 3);
	add('A', 30);
	add('B', 2);
	add('C', 1);
	/* Both have waited equally long: the smaller one first. */
	expect("AAAAACAAAAAAAAAABB");
	assert_int_equal(w.jobs[0].slots_available, 0);
	expect("AAAAAAAAAAAAAAA.");
}

/* A candidate of ten: half of ten slots, less the loan of three, are ten entries. */
static void
discount_and_loan(void **state)
{
	(void)state;
	world_new(5, 3, 50, 3);
	add('A', 100);
	add('B', 10);
	expect("AAAAAAAAAABBBBBBBBBB");
	assert_int_equal(w.jobs[0].slots_available, -40);
	add('C', 1);
	expect("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACA");
}

static void
too_large_to_fit(void **state)
{
	(void)state;
	world_new(5, 3, 50, 3);
	add('A', 20);
	add('B', 5); /* would need 25 */
	expect("AAAAAAAAAAAAAAAAAAAABBBBB.");
}

static void
too_small_to_be_preempted(void **state)
{
	(void)state;
	world_new(5, 3, 50, 3);
	add('A', 14); /* three slots would be 15 */
	add('B', 1);
	expect("AAAAAAAAAAAAAAB.");
	world_new(5, 3, 50, 3);
	add('A', 10); /* and five recipients that nobody has looked at */
	w.jobs[0].unread = 5;
	add('B', 1);
	expect("AB");
}

static void
switched_off(void **state)
{
	(void)state;
	for (int cost = 0; cost < 2; cost++) {
		world_new(cost, 3, 50, 0);
		add('A', 20);
		add('B', 1);
		expect("AAAAAAAAAAAAAAAAAAAAB.");
	}
}

/* B preempts A, and is preempted itself; what B pays for C is not A's affair. */
static void
preemptions_stack(void **state)
{
	(void)state;
	world_new(2, 10, 50, 3);
	add('A', 100);
	add('B', 20);
	expect("AB");
	add('C', 1);
	assert_ptr_equal(w.jobs[1].parent, &w.jobs[0]);
	expect("CBBBBBBBBBBBBBBBBBBB");
	assert_int_equal(w.jobs[0].slots_available, 1 - 40);
	expect("A");
}

/* (now - came + 1 s) for each entry that it has. */
static void
the_longest_wait_for_its_size(void **state)
{
	(void)state;
	world_new(5, 20, 50, 3);
	add('A', 100);
	w.now += SECOND;
	add('B', 4);
	w.now += 10 * SECOND;
	add('C', 1);
	w.now += SECOND;
	expect("ABBBB"); /* 12/4 against 2/1 */
	world_new(5, 20, 50, 3);
	add('A', 100);
	w.now += SECOND;
	add('B', 8);
	w.now += 10 * SECOND;
	add('C', 1);
	w.now += SECOND;
	expect("AC"); /* 12/8 */
}

static void
what_cannot_run_is_no_candidate(void **state)
{
	(void)state;
	world_new(5, 3, 50, 3);
	add('A', 20);
	add('B', 1);
	add('C', 1);
	w.is_blocked[1] = true;
	expect("AC");
	w.is_blocked[1] = false;
	w.now += SECOND; /* it is not looked for all the time */
	expect("AAAAAB");
}

/* The first one is blocked: the others go on, and it earns nothing by what they do. */
static void
a_blocker_is_passed_over(void **state)
{
	(void)state;
	world_new(5, 3, 50, 3);
	add('A', 20);
	add('B', 20);
	expect("AA");
	w.is_blocked[0] = true;
	expect("BBB");
	assert_int_equal(w.jobs[0].slots_available, 2);
	add('C', 1);
	expect("CB");
	assert_int_equal(w.jobs[0].slots_available, 2);
	w.is_blocked[0] = false;
	expect("AA");
}

/* Slots that were paid and not used come back. */
static void
withdrawn(void **state)
{
	(void)state;
	world_new(5, 3, 50, 3);
	add('A', 50);
	expect("A");
	add('B', 3);
	expect("B");
	assert_int_equal(w.jobs[0].slots_available, 1 - 15);
	job_entry_withdrawn(&w.jobs[1]);
	job_entry_withdrawn(&w.jobs[1]);
	end('B');
	assert_int_equal(w.jobs[0].slots_available, 1 - 5);
	/* Its parent goes, too: nobody is left who owes anything. */
	expect("AAAAA");
	add('C', 2);
	expect("C");
	end('A');
	assert_null(w.jobs[2].parent);
	expect("C.");
}

/* However many small ones come, the large one gets four of five. */
static void
the_large_one_is_not_starved(void **state)
{
	int large = 0;

	(void)state;
	world_new(5, 3, 50, 3);
	add('A', 400);
	for (int i = 0; i < 300; i++) {
		if (!w.is_there[1])
			add('B', 1);
		large += next() == 'A';
	}
	assert_true(large >= 300 * 4 / 5 && large < 300 * 9 / 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_ones_overtake),
		cmocka_unit_test(without_credit),
		cmocka_unit_test(discount_and_loan),
		cmocka_unit_test(too_large_to_fit),
		cmocka_unit_test(too_small_to_be_preempted),
		cmocka_unit_test(switched_off),
		cmocka_unit_test(preemptions_stack),
		cmocka_unit_test(the_longest_wait_for_its_size),
		cmocka_unit_test(what_cannot_run_is_no_candidate),
		cmocka_unit_test(a_blocker_is_passed_over),
		cmocka_unit_test(withdrawn),
		cmocka_unit_test(the_large_one_is_not_starved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
