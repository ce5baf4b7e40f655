/* SPDX-License-Identifier: Apache-2.0 */
/* Stacks: depth, the guard in its three kinds, and what they cost in memory. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/number.h"
#include "task/loop.h"
#include "task/sanitizer.h"
#include "task_fixture.h"

/* Uses about `bytes` of stack and fills them. */
static unsigned __attribute__((noinline)) dive(size_t bytes, unsigned seed)
{
	volatile unsigned char frame[1000];

	memset((unsigned char *)(uintptr_t)frame, (int)seed, sizeof(frame));
	if (bytes > 1000)
		seed = dive(bytes - 1000, seed + 1);
	return seed + frame[seed % sizeof(frame)];
}

/* AddressSanitizer's frames have margins. */
#ifdef TASK_ASAN
#define DEEP (TASK_STACK_SIZE / 3)
#else
#define DEEP (TASK_STACK_SIZE / 10 * 8)
#endif

static void
dives(void *argument)
{
	unsigned expected = dive(DEEP, 7);

	(void)argument;
	for (int i = 0; i < 10; i++) {
		task_yield();
		assert_int_equal(dive(DEEP, 7), expected);
	}
	done++;
}

static void
stacks_are_as_deep_as_promised(void **state)
{
	(void)state;
	for (int i = 0; i < 300; i++)
		assert_true(task_spawn("dives", dives, NULL));
	task_run();
	assert_int_equal(done, 300);
}

static void
overflows(void *argument)
{
	(void)argument;
	(void)dive((size_t)4 * TASK_STACK_SIZE, 1);
	task_yield();
}

/* What the child says when it dies is not for the log. */
static void
be_silent(void)
{
	int null = open("/dev/null", O_WRONLY);

	assert_true(null >= 0);
	assert_int_equal(dup2(null, STDERR_FILENO), STDERR_FILENO);
}

/* What a child dies of whose task uses more than its stack. */
static int
overflow_in_child(enum stack_guard guard)
{
	struct rlimit no_core = { 0, 0 };
	pid_t child;
	int status;

	fflush(stdout);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)setrlimit(RLIMIT_CORE, &no_core);
		(void)signal(SIGSEGV, SIG_DFL); /* not the sanitizer's */
		(void)signal(SIGABRT, SIG_DFL);
		be_silent();
		stack_set_guard(guard);
		for (int i = 0; i < 3; i++)
			(void)task_spawn("overflows", overflows, NULL);
		if (stack_guard() != guard)
			_exit(3);
		task_run();
		_exit(4);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (!WIFSIGNALED(status))
		fail_msg("no signal: exit status %d", WEXITSTATUS(status));
	return WTERMSIG(status);
}

static void
an_overflow_meets_the_guard_page(void **state)
{
	(void)state;
	assert_int_equal(overflow_in_child(STACK_GUARD_MPROTECT), SIGSEGV);
	if (stack_guard() == STACK_GUARD_MARKER)
		assert_int_equal(overflow_in_child(STACK_GUARD_MARKER), SIGSEGV);
}

static void
damages_the_low_end(void *argument)
{
	(void)argument;
	assert_non_null(task_loop.current->stack.canary);
	assert_ptr_equal(task_loop.current->stack.canary, task_loop.current->stack.low);
	*task_loop.current->stack.canary ^= 1;
	task_yield();
}

static void
without_a_guard_the_canary_tells(void **state)
{
	pid_t child;
	int status;

	(void)state;
	fflush(stdout);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct rlimit no_core = { 0, 0 };

		(void)setrlimit(RLIMIT_CORE, &no_core);
		(void)signal(SIGABRT, SIG_DFL);
		be_silent();
		stack_set_guard(STACK_GUARD_CANARY);
		(void)task_spawn("damages", damages_the_low_end, NULL);
		task_run();
		_exit(4);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void
with_canaries_everything_works(void **state)
{
	enum stack_guard before = stack_guard();

	stack_set_guard(STACK_GUARD_CANARY);
	stacks_are_as_deep_as_promised(state);
	stack_set_guard(before);
}

/* Memory. */

static size_t
pss_kb(void)
{
	struct buf text = BUF_INIT(65536);
	uint64_t kb = 0;
	struct view rest, line;

	assert_true(file_read_at(AT_FDCWD, "/proc/self/smaps_rollup", &text));
	rest = buf_view(&text);
	while (view_next_word(&rest, "\n", &line)) {
		if (view_has_prefix(line, VIEW("Pss:"))) {
			struct view word;

			line = view_sub(line, 4, line.n);
			assert_true(view_next_word(&line, " ", &word));
			assert_true(number_parse(word, UINT64_MAX, &kb));
		}
	}
	buf_done(&text);
	assert_true(kb > 0);
	return (size_t)kb;
}

#define IDLE 10000

static struct task_cond gate;

static void
idles(void *argument)
{
	(void)argument;
	(void)task_cond_wait(&gate, DEADLINE_NEVER);
}

static void
measures_idle(void *argument)
{
	size_t before = *(size_t *)argument;
	size_t kb;

	while (task_count() > IDLE + 1)
		task_yield();
	task_yield();
	kb = pss_kb() - before;
	print_message("%d waiting tasks: %.1f kB each\n", IDLE, (double)kb / IDLE);
#ifndef TASK_ASAN
	if (RUNNING_ON_VALGRIND == 0)
		assert_true(kb < 12 * IDLE);
#endif
	task_cond_broadcast(&gate);
	done++;
}

static void
a_waiting_task_is_cheap(void **state)
{
	size_t before = pss_kb();

	(void)state;
	task_cond_init(&gate);
	for (int i = 0; i < IDLE; i++)
		assert_true(task_spawn("idles", idles, NULL));
	assert_true(task_spawn("measures", measures_idle, &before));
	task_run();
	assert_int_equal(done, 1);
}

static void
dives_and_idles(void *argument)
{
	(void)argument;
	(void)dive(DEEP / 2, 1);
	(void)task_cond_wait(&gate, DEADLINE_NEVER);
	assert_int_equal(dive(DEEP / 2, 1), dive(DEEP / 2, 1));
}

static void
measures_deep(void *argument)
{
	size_t before = *(size_t *)argument;
	size_t deep, kb;
	nanoseconds end = soon();

	task_yield();
	deep = pss_kb() - before;
	/*
	 * The sweep comes after the tasks have waited for a while. The sanitizer's shadow of
	 * the stacks stays.
	 */
	do {
		assert_true(clock_now() < end);
		assert_int_equal(task_sleep(50 * MILLISECOND), TASK_OK);
		kb = pss_kb() - before;
	} while (kb > deep / 2);
	task_cond_broadcast(&gate);
	done++;
}

static void
leftovers_of_deep_calls_are_given_back(void **state)
{
	size_t before = pss_kb();

	(void)state;
#if defined(TASK_ASAN) && defined(TASK_SWITCH_UCONTEXT)
	skip(); /* the sanitizer's swapcontext touches the shadow of the whole stack */
#endif
	task_cond_init(&gate);
	for (int i = 0; i < 200; i++)
		assert_true(task_spawn("dives", dives_and_idles, NULL));
	assert_true(task_spawn("measures", measures_deep, &before));
	task_run();
	assert_int_equal(done, 1);
}

static void
no_address_space_is_no_crash(void **state)
{
	pid_t child;
	int status;

	(void)state;
#ifdef TASK_ASAN
	skip(); /* its shadow alone is terabytes of address space */
#endif
	if (RUNNING_ON_VALGRIND != 0)
		skip();
	fflush(stdout);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct rlimit space = { 200 << 20, 200 << 20 };
		unsigned started = 0;

		(void)setrlimit(RLIMIT_AS, &space);
		while (started < 100000 && task_spawn("idles", dives, NULL))
			started++;
		task_run();
		_exit(started > 100 && started < 1000 && done == started ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void
owns_memory(void *argument)
{
	char *mine = mem_alloc(1000);

	(void)task_cond_wait(argument, DEADLINE_NEVER);
	mem_free(mine);
}

static void
exits(void *argument)
{
	(void)argument;
	task_yield();
	fflush(stdout);
	exit(0);
}

/* What a suspended task owns is no leak when the process ends: the leak checker must see it. */
static void
an_exit_in_the_middle_is_no_leak(void **state)
{
	pid_t child;
	int status;

	(void)state;
	fflush(stdout);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		task_cond_init(&gate);
		for (int i = 0; i < 100; i++)
			assert_true(task_spawn("owns", owns_memory, &gate));
		assert_true(task_spawn("exits", exits, NULL));
		task_run();
		_exit(4);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(stacks_are_as_deep_as_promised),
		TEST(an_overflow_meets_the_guard_page),
		TEST(without_a_guard_the_canary_tells),
		TEST(a_waiting_task_is_cheap),
		TEST(an_exit_in_the_middle_is_no_leak),
		TEST(leftovers_of_deep_calls_are_given_back),
		TEST(no_address_space_is_no_crash),
		TEST(with_canaries_everything_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
