/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/lock.h"

static char directory[] = "/tmp/lock-XXXXXX";

/* A child that holds the lock until it is killed; returns when it has it. */
static pid_t
holder(void)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		lock_take();
		if (write(ready[1], "x", 1) == 1)
			pause();
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void
test_one_at_a_time(void **state)
{
	long found = 0;
	int status;
	pid_t first, second;

	(void)state;
	assert_int_equal(lock_look(directory, &found), LOCK_FREE);
	first = holder();
	assert_int_equal(lock_look(directory, &found), LOCK_HELD);
	assert_int_equal(found, first);

	second = fork();
	if (second == 0) {
		lock_take();
		_exit(0);
	}
	assert_int_equal(waitpid(second, &status, 0), second);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);

	/* However the holder ends, the lock goes with it. */
	kill(first, SIGKILL);
	assert_int_equal(waitpid(first, &status, 0), first);
	assert_int_equal(lock_look(directory, &found), LOCK_FREE);
	first = holder();
	assert_int_equal(lock_look(directory, &found), LOCK_HELD);
	assert_int_equal(found, first);
	kill(first, SIGKILL);
	assert_int_equal(waitpid(first, &status, 0), first);
}

static void
test_private_file(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(stat(LOCK_FILE, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static int
make_tree(void **state)
{
	(void)state;
	return mkdtemp(directory) && chdir(directory) == 0 ? mkdir("pid", 0755) : -1;
}

static int
remove_tree(void **state)
{
	(void)state;
	(void)unlink(LOCK_FILE);
	(void)rmdir("pid");
	return rmdir(directory);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_at_a_time),
		cmocka_unit_test(test_private_file),
	};

	return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
