/* SPDX-License-Identifier: Apache-2.0 */
/* What a process behind Landlock can reach: each attempt runs in a child of its own. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/sandbox.h"

static char directory[] = "/tmp/landlock-XXXXXX";
static long version;

static int
read_allowed(void)
{
	return open("readable/file", O_RDONLY);
}

static int
write_readable(void)
{
	return open("readable/file", O_WRONLY);
}

static int
create_readable(void)
{
	return open("readable/new", O_WRONLY | O_CREAT, 0600);
}

static int
create_writable(void)
{
	return open("writable/new", O_WRONLY | O_CREAT, 0600);
}

static int
remove_writable(void)
{
	return unlink("writable/victim");
}

static int
rename_inside(void)
{
	return rename("writable/victim", "writable/renamed");
}

static int
read_other(void)
{
	return open("other", O_RDONLY);
}

static int
read_shadow(void)
{
	return open("/etc/shadow", O_RDONLY);
}

static int
read_passwd(void)
{
	return open("/etc/passwd", O_RDONLY);
}

static int
make_link(void)
{
	return symlink("/etc/passwd", "writable/link");
}

static int
execute(void)
{
	char *argv[] = { NULL };

	return execve("/bin/true", argv, argv);
}

static int
connect_tcp(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(9) };

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&sin, sizeof(sin));
}

static int
bind_tcp(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(50123) };

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return bind(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&sin, sizeof(sin));
}

static int
bind_any_port(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return bind(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&sin, sizeof(sin));
}

static int
signal_parent(void)
{
	return kill(getppid(), 0);
}

static const struct row {
	const char *what;
	int (*attempt)(void);
	unsigned calls;
	long since; /* version of Landlock */
	int error;
} rows[] = {
	{ "read where declared", read_allowed, 0, 1, 0 },
	{ "write where only reading is declared", write_readable, 0, 1, EACCES },
	{ "create where only reading is declared", create_readable, 0, 1, EACCES },
	{ "create where declared", create_writable, 0, 1, 0 },
	{ "remove where declared", remove_writable, 0, 1, 0 },
	{ "rename where declared", rename_inside, 0, 1, 0 },
	{ "make a symbolic link", make_link, 0, 1, EACCES },
	{ "read beside it", read_other, 0, 1, EACCES },
	{ "read /etc/passwd", read_passwd, 0, 1, EACCES },
	{ "read /etc/shadow", read_shadow, 0, 1, EACCES },
	{ "execute", execute, 0, 1, EACCES },
	{ "connect", connect_tcp, 0, 4, EACCES },
	{ "connect, declared", connect_tcp, SANDBOX_CONNECT_INET, 4, ECONNREFUSED },
	{ "bind", bind_tcp, SANDBOX_CONNECT_INET, 4, EACCES },
	{ "bind to any port", bind_any_port, SANDBOX_CONNECT_INET, 4, 0 },
	{ "signal another process", signal_parent, 0, 6, EPERM },
};

static void
make_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static void
check(const struct row *r)
{
	static const struct sandbox_path paths[] = {
		{ "readable", SANDBOX_READ },
		{ "writable", SANDBOX_WRITE },
		{ NULL, 0 },
	};
	struct sandbox s = { .paths = paths, .calls = r->calls };
	int status;
	pid_t pid;

	make_file("writable/victim");
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || !sandbox_landlock(&s, NULL))
			_exit(254);
		errno = 0;
		_exit(r->attempt() < 0 ? errno : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != r->error)
		fail_msg("%s: status %x, expected error %d", r->what, status, r->error);
}

static void
test_rows(void **state)
{
	(void)state;
	version = syscall(444 /* landlock_create_ruleset */, NULL, 0, 1);
	if (version < 1)
		skip();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (version >= rows[i].since)
			check(&rows[i]);
	}
}

static int
make_tree(void **state)
{
	(void)state;
	if (!mkdtemp(directory) || chdir(directory) < 0 || mkdir("readable", 0700) < 0 ||
	    mkdir("writable", 0700) < 0)
		return -1;
	make_file("readable/file");
	make_file("other");
	return 0;
}

static int
remove_tree(void **state)
{
	static const char *const files[] = { "writable/victim", "writable/new",
		"writable/renamed", "readable/file", "other" };

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		(void)unlink(files[i]);
	(void)rmdir("readable");
	(void)rmdir("writable");
	return rmdir(directory);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
