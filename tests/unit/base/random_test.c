/* SPDX-License-Identifier: Apache-2.0 */
/* Random numbers: bounds, evenness, and that forked processes and threads draw their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/random.h"

static void
bytes(void **state)
{
	(void)state;
	static const uint8_t zeros[100];
	uint8_t a[100] = { 0 };
	uint8_t b[100] = { 0 };

	random_bytes(a, 0);
	assert_memory_equal(a, zeros, 100);
	random_bytes(a, 100);
	random_bytes(b, 99);
	assert_memory_not_equal(a, zeros, 100);
	assert_memory_not_equal(a, b, 99);
	assert_int_equal(b[99], 0);
}

static void
bounds(void **state)
{
	(void)state;
	static const uint64_t limits[] = { 1, 2, 3, 10, 1ULL << 32, (1ULL << 63) + 1,
		UINT64_MAX };

	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		for (int n = 0; n < 1000; n++)
			assert_true(random_below(limits[i]) < limits[i]);
	}
}

/*
 * Chi-square with 9 degrees of freedom: above 60 once in about a billion runs. With the
 * second limit, drawing without rejection gives a number of the lower third every second time.
 */
static void
evenness(void **state)
{
	(void)state;
	enum { DRAWS = 100000 };
	static const uint64_t limits[] = { 10, 3ULL << 62, 1000003 };

	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		long buckets[10] = { 0 };
		double sum = 0;

		for (int n = 0; n < DRAWS; n++)
			buckets[random_below(limits[i]) / ((limits[i] + 9) / 10)]++;
		for (int n = 0; n < 10; n++) {
			double off = (double)buckets[n] - DRAWS / 10.0;

			sum += off * off / (DRAWS / 10.0);
		}
		assert_true(sum < 60);
	}
}

static void
forked_child_differs(void **state)
{
	(void)state;
	uint64_t theirs[4];
	uint64_t ours[4];
	int fds[2];
	int status;
	pid_t child;

	random_below(UINT64_MAX); /* seeded before the fork */
	assert_int_equal(pipe(fds), 0);
	child = fork();
	assert_true(child >= 0);
	for (int i = 0; i < 4; i++)
		ours[i] = random_below(UINT64_MAX);
	if (child == 0)
		_exit(write(fds[1], ours, sizeof(ours)) == sizeof(ours) ? 0 : 1);
	assert_int_equal(read(fds[0], theirs, sizeof(theirs)), sizeof(theirs));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_memory_not_equal(ours, theirs, sizeof(ours));
	close(fds[0]);
	close(fds[1]);
}

static void *
draw(void *out)
{
	*(uint64_t *)out = random_below(UINT64_MAX);
	return NULL;
}

static void
threads_differ(void **state)
{
	(void)state;
	pthread_t threads[2];
	uint64_t drawn[2] = { 0 };

	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, draw, &drawn[i]), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_true(drawn[0] != drawn[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes),
		cmocka_unit_test(bounds),
		cmocka_unit_test(evenness),
		cmocka_unit_test(forked_child_differs),
		cmocka_unit_test(threads_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
