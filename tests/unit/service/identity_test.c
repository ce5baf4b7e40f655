/* SPDX-License-Identifier: Apache-2.0 */
/* Rights that are given up stay given up. Needs root; skipped otherwise. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <grp.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/sandbox.h"

#define NOBODY 65534

static int
run(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(fn());
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int
become_nobody(void)
{
	const struct sandbox_identity nobody = { true, NOBODY, NOBODY, NULL };
	gid_t extra[] = { 1, 2, 3 };
	uid_t r, e, s;

	if (setgroups(3, extra) < 0)
		return 1;
	sandbox_become(&nobody);
	if (getresuid(&r, &e, &s) < 0 || r != NOBODY || e != NOBODY || s != NOBODY)
		return 2;
	if (getgid() != NOBODY || getegid() != NOBODY || getgroups(0, NULL) != 0)
		return 3;
	if (setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0 || setgroups(3, extra) == 0)
		return 4;
	return access("/etc/shadow", R_OK) == 0 ? 5 : 0;
}

static int
enter_chroot(void)
{
	const struct sandbox_identity jailed = { true, NOBODY, NOBODY, "/tmp" };

	sandbox_become(&jailed);
	return access("/etc/passwd", F_OK) == 0 ? 1 : 0;
}

static int
unchanged(void)
{
	const struct sandbox_identity same = { 0 };
	uid_t before = geteuid();

	sandbox_become(&same);
	return geteuid() == before ? 0 : 1;
}

/* Becoming somebody without the right to do so ends the process. */
static int
become_twice(void)
{
	const struct sandbox_identity nobody = { true, NOBODY, NOBODY, NULL };
	const struct sandbox_identity daemon_user = { true, 1, 1, NULL };

	sandbox_become(&nobody);
	sandbox_become(&daemon_user);
	return 0;
}

static int
limits(void)
{
	const struct sandbox s = { .max_descriptors = 50 };
	struct rlimit core, files;

	sandbox_limits(&s);
	if (getrlimit(RLIMIT_CORE, &core) < 0 || getrlimit(RLIMIT_NOFILE, &files) < 0)
		return 1;
	return core.rlim_max == 0 && files.rlim_cur == 50 && files.rlim_max == 50 ? 0 : 2;
}

static void
test_identity(void **state)
{
	(void)state;
	assert_int_equal(run(unchanged), 0);
	if (geteuid() != 0)
		skip();
	assert_int_equal(run(become_nobody), 0);
	assert_int_equal(run(enter_chroot), 0);
	assert_int_equal(run(become_twice), 1);
}

static void
test_limits(void **state)
{
	(void)state;
	assert_int_equal(run(limits), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
