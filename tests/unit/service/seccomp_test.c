/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each row runs one system call in a child behind the filter of some classes, and compares the
 * error with what the class promises. A sanitizer build has to allow a little more.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/sandbox.h"

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED true
#else
#define SANITIZED false
#endif

static long
call_getpid(void)
{
	return syscall(SYS_getpid);
}

static long
call_open(void)
{
	return open("/etc/passwd", O_RDONLY);
}

static long
call_unlink(void)
{
	return unlink("/nonexistent/file");
}

static long
call_exec(void)
{
	char *none[] = { NULL };

	return execve("/nonexistent/program", none, none);
}

static long
call_fork(void)
{
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	return pid;
}

static void *
thread(void *argument)
{
	return argument;
}

static long
call_thread(void)
{
	pthread_t t;

	errno = pthread_create(&t, NULL, thread, NULL);
	return errno ? -1 : 0;
}

static long
call_ptrace(void)
{
	return syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0);
}

static long
call_setuid(void)
{
	return setuid(getuid());
}

static long
call_kill(void)
{
	return kill(getppid(), 0);
}

static long
call_kill_self(void)
{
	return syscall(SYS_tgkill, getpid(), getpid(), 0);
}

static long
call_kill_other(void)
{
	return syscall(SYS_tgkill, getppid(), getppid(), 0);
}

static long
call_socket_unix(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

static long
call_socket_inet(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static long
call_socket_packet(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0);
}

static long
call_connect(void)
{
	return connect(-1, NULL, 0);
}

static long
call_accept(void)
{
	return accept4(-1, NULL, NULL, 0);
}

static long
call_map(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -1 : mprotect(p, 4096, PROT_READ);
}

static long
call_map_exec(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
		MAP_FAILED
	    ? -1
	    : 0;
}

static long
call_protect_exec(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? 0 : mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

static long
call_get_limit(void)
{
	struct rlimit limit;

	return syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
}

static long
call_set_limit(void)
{
	struct rlimit limit = { 10, 10 };

	return syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &limit, NULL);
}

static long
call_mount(void)
{
	return syscall(SYS_mount, NULL, NULL, NULL, 0, NULL);
}

static long
call_terminal_input(void)
{
	return syscall(SYS_ioctl, -1, 0x5412 /* TIOCSTI */, NULL);
}

static const struct row {
	const char *what;
	long (*call)(void);
	unsigned calls;
	int error;    /* 0: it succeeds */
	bool differs; /* in a sanitizer build */
} rows[] = {
	{ "getpid", call_getpid, 0, 0, false },
	{ "open, no files", call_open, 0, EPERM, true },
	{ "open, files", call_open, SANDBOX_FILES, 0, false },
	{ "unlink, no files", call_unlink, SANDBOX_ACCEPT, EPERM, false },
	{ "unlink, files", call_unlink, SANDBOX_FILES, ENOENT, false },
	{ "execve", call_exec, ~(unsigned)SANDBOX_EXEC, EPERM, false },
	{ "execve, declared", call_exec, SANDBOX_EXEC, ENOENT, false },
	{ "fork", call_fork, SANDBOX_THREADS | SANDBOX_FILES, EPERM, true },
	{ "fork, declared", call_fork, SANDBOX_IDENTITY, 0, false },
	{ "thread", call_thread, SANDBOX_FILES, EPERM, true },
	{ "thread, declared", call_thread, SANDBOX_THREADS, 0, false },
	{ "ptrace", call_ptrace, ~0u, EPERM, false },
	{ "setuid", call_setuid, ~(unsigned)SANDBOX_IDENTITY, EPERM, false },
	{ "setuid, declared", call_setuid, SANDBOX_IDENTITY, 0, false },
	{ "kill", call_kill, SANDBOX_FILES, EPERM, false },
	{ "tgkill itself", call_kill_self, 0, 0, false },
	{ "tgkill another", call_kill_other, 0, EPERM, false },
	{ "socket unix", call_socket_unix, SANDBOX_ACCEPT, EPERM, false },
	{ "socket unix, declared", call_socket_unix, SANDBOX_CONNECT_UNIX, 0, false },
	{ "socket inet", call_socket_inet, SANDBOX_CONNECT_UNIX, EPERM, false },
	{ "socket inet, declared", call_socket_inet, SANDBOX_CONNECT_INET, 0, false },
	{ "socket packet", call_socket_packet, ~0u, EPERM, false },
	{ "connect", call_connect, SANDBOX_ACCEPT, EPERM, false },
	{ "connect, declared", call_connect, SANDBOX_CONNECT_UNIX, EBADF, false },
	{ "accept", call_accept, 0, EPERM, false },
	{ "accept, declared", call_accept, SANDBOX_ACCEPT, EBADF, false },
	{ "map", call_map, 0, 0, false },
	{ "map executable", call_map_exec, SANDBOX_FILES | SANDBOX_THREADS, EPERM, false },
	{ "make executable", call_protect_exec, SANDBOX_FILES, EPERM, false },
	{ "map executable, exec", call_map_exec, SANDBOX_EXEC, 0, false },
	{ "read a limit", call_get_limit, 0, 0, false },
	{ "set a limit", call_set_limit, SANDBOX_FILES, EPERM, true },
	{ "mount", call_mount, ~0u, EPERM, false },
	{ "terminal input", call_terminal_input, ~0u, EPERM, false },
};

static int
status_of(const struct row *r)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || !sandbox_seccomp(r->calls))
			_exit(254);
		errno = 0;
		_exit(r->call() < 0 ? errno : 0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		int status;

		if (SANITIZED && r->differs)
			continue;
		status = status_of(r);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != r->error)
			fail_msg("%s: status %x, expected error %d", r->what, status, r->error);
	}
}

#ifdef __x86_64__
static long
call_i386(void)
{
	long result;

	/* getpid by the 32-bit entry, where numbers mean other calls */
	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(20)
			 : "memory", "r8", "r9", "r10", "r11");
	return result;
}

static void
test_foreign_architecture_kills(void **state)
{
	const struct row r = { "i386", call_i386, ~0u, 0, false };
	int status = status_of(&r);

	(void)state;
	/* A kernel without the 32-bit entry says so with SIGSEGV. */
	assert_true(WIFSIGNALED(status));
	assert_true(WTERMSIG(status) == SIGSYS || WTERMSIG(status) == SIGSEGV);
}
#endif

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
#ifdef __x86_64__
		cmocka_unit_test(test_foreign_architecture_kills),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
