/* SPDX-License-Identifier: Apache-2.0 */
/* Heap memory: sizes at their limits, and the one way out when there is none left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/mem.h"

/* Runs the function in a child and gives its exit status; -1 if a signal ended it. */
static int
exit_status_of(void (*function)(void))
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		close(STDERR_FILENO);
		function();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
nothing_is_something(void **state)
{
	(void)state;
	char *a = mem_alloc(0);
	char *b = mem_zero(0, 8);
	char *c = mem_resize(NULL, 0, 0);

	assert_non_null(a);
	assert_non_null(b);
	assert_non_null(c);
	mem_free(a);
	mem_free(b);
	mem_free(c);
	mem_free(NULL);
}

static void
zero_is_zeroed(void **state)
{
	(void)state;
	static const char zeros[1000];
	char *p = mem_alloc(1000);

	memset(p, 0xff, 1000);
	mem_free(p);
	p = mem_zero(10, 100);
	assert_memory_equal(p, zeros, 1000);
	mem_free(p);
}

static void
resize_keeps(void **state)
{
	(void)state;
	int *p = mem_resize(NULL, 2, sizeof(int));

	p[0] = 1;
	p[1] = 2;
	p = mem_resize(p, 5000, sizeof(int));
	p[4999] = 3;
	assert_int_equal(p[0], 1);
	assert_int_equal(p[1], 2);
	mem_free(p);
}

static void
copies_are_terminated(void **state)
{
	(void)state;
	char *a = mem_dup("a\0bcd", 4);
	char *b = mem_dup(NULL, 0);
	char *c = mem_strdup("text");
	char *d = mem_printf("%s-%d", "n", 7);

	assert_memory_equal(a, "a\0bc", 5);
	assert_string_equal(b, "");
	assert_string_equal(c, "text");
	assert_string_equal(d, "n-7");
	mem_free(a);
	mem_free(b);
	mem_free(c);
	mem_free(d);
}

static void
resize_overflow(void)
{
	mem_resize(NULL, SIZE_MAX / 2, 3);
}

static void
dup_overflow(void)
{
	mem_dup("", SIZE_MAX);
}

static void
overflow_is_no_memory(void **state)
{
	(void)state;
	assert_int_equal(exit_status_of(resize_overflow), EX_OSERR);
	assert_int_equal(exit_status_of(dup_overflow), EX_OSERR);
}

/* The sanitizers replace the allocator and end the process in their own way. */
#if defined(__SANITIZE_ADDRESS__)
#define OWN_ALLOCATOR 0
#elif defined(__has_feature)
#define OWN_ALLOCATOR !__has_feature(address_sanitizer)
#else
#define OWN_ALLOCATOR 1
#endif

#if OWN_ALLOCATOR

static void
zero_overflow(void)
{
	mem_zero(SIZE_MAX / 2, 3);
}

static void
exhaust(void)
{
	struct rlimit limit = { 64 << 20, 64 << 20 };

	setrlimit(RLIMIT_AS, &limit);
	for (int i = 0; i < 1000; i++)
		mem_alloc(1 << 20);
}

static void
exhaustion_ends_the_process(void **state)
{
	(void)state;
	assert_int_equal(exit_status_of(zero_overflow), EX_OSERR);
	assert_int_equal(exit_status_of(exhaust), EX_OSERR);
}

#endif

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_something),
		cmocka_unit_test(zero_is_zeroed),
		cmocka_unit_test(resize_keeps),
		cmocka_unit_test(copies_are_terminated),
		cmocka_unit_test(overflow_is_no_memory),
#if OWN_ALLOCATOR
		cmocka_unit_test(exhaustion_ends_the_process),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
