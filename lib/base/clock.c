/* SPDX-License-Identifier: Apache-2.0 */
/* The two clocks. Both are read without a system call where the kernel maps them (vDSO). */
#include "base/clock.h"

#include <time.h>

nanoseconds
clock_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (nanoseconds)now.tv_sec * SECOND + now.tv_nsec;
}

microseconds
clock_wall(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (microseconds)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

nanoseconds
clock_deadline(nanoseconds span)
{
	nanoseconds now = clock_now();
	nanoseconds deadline;

	if (span <= 0)
		return now;
	if (__builtin_add_overflow(now, span, &deadline))
		return DEADLINE_NEVER;
	return deadline;
}
