/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of lib/task share: each test has a loop of its own. */
#ifndef TASK_FIXTURE_H
#define TASK_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "task/task.h"

static unsigned done __attribute__((unused)); /* tasks that ended, as each test counts them */

static int
setup(void **state)
{
	(void)state;
	done = 0;
	task_init();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	task_done();
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

__attribute__((unused)) static nanoseconds
soon(void)
{
	return clock_deadline(20 * SECOND);
}

#endif
