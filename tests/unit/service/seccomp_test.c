/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each row runs one system call in a child behind the filter of some classes, and compares the
 * error with what the class promises, without the holes of a sanitizer build.
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
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/sandbox.h"

#define FAR_AWAY ((uintptr_t)0x2000 << 32)

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

/* A pointer whose lower half is that of NULL. */
static long
call_set_limit_high(void)
{
	struct rlimit *limit = mmap(
	    (void *)FAR_AWAY, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (limit == MAP_FAILED || (uint32_t)(uintptr_t)limit != 0)
		return 0;
	*limit = (struct rlimit){ 10, 10 };
	return syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, limit, NULL);
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

static long
call_send(void)
{
	return sendto(-1, "", 1, MSG_NOSIGNAL, NULL, 0);
}

static long
call_send_fast_open(void)
{
	return sendto(-1, "", 1, MSG_NOSIGNAL | MSG_FASTOPEN, NULL, 0);
}

static long
call_send_message_fast_open(void)
{
	struct msghdr m = { 0 };

	return sendmsg(-1, &m, MSG_FASTOPEN);
}

static long
call_flags_read(void)
{
	return fcntl(STDERR_FILENO, F_GETFL);
}

static long
call_flags_set(void)
{
	return fcntl(STDERR_FILENO, F_SETFL, 0);
}

static long
call_signal_owner(void)
{
	return fcntl(STDERR_FILENO, F_SETOWN, getppid());
}

static long
call_lock(void)
{
	struct flock lock = { .l_type = F_UNLCK };

	return fcntl(-1, F_SETLK, &lock);
}

static long
call_mode(void)
{
	return chmod("/nonexistent/file", 0600);
}

static long
call_pair_of_another_family(void)
{
	int ends[2];

	return socketpair(AF_INET, SOCK_STREAM, 0, ends);
}

static const struct row {
	const char *what;
	long (*call)(void);
	unsigned calls;
	int error; /* 0: it succeeds */
} rows[] = {
	{ "getpid", call_getpid, 0, 0 },
	{ "open, no files", call_open, 0, EPERM },
	{ "open, files", call_open, SANDBOX_FILES, 0 },
	{ "unlink, no files", call_unlink, SANDBOX_ACCEPT, EPERM },
	{ "unlink, files", call_unlink, SANDBOX_FILES, ENOENT },
	{ "execve", call_exec, ~(unsigned)SANDBOX_EXEC, EPERM },
	{ "execve, declared", call_exec, SANDBOX_EXEC, ENOENT },
	{ "fork", call_fork, SANDBOX_THREADS | SANDBOX_FILES, EPERM },
	{ "fork, declared", call_fork, SANDBOX_IDENTITY, 0 },
	{ "thread", call_thread, SANDBOX_FILES, EPERM },
	{ "thread, declared", call_thread, SANDBOX_THREADS, 0 },
	{ "ptrace", call_ptrace, ~0u, EPERM },
	{ "setuid", call_setuid, ~(unsigned)SANDBOX_IDENTITY, EPERM },
	{ "setuid, declared", call_setuid, SANDBOX_IDENTITY, 0 },
	{ "kill", call_kill, SANDBOX_FILES, EPERM },
	{ "tgkill itself", call_kill_self, 0, 0 },
	{ "tgkill another", call_kill_other, 0, EPERM },
	{ "socket unix", call_socket_unix, SANDBOX_ACCEPT, EPERM },
	{ "socket unix, declared", call_socket_unix, SANDBOX_CONNECT_UNIX, 0 },
	{ "socket inet", call_socket_inet, SANDBOX_CONNECT_UNIX, EPERM },
	{ "socket inet, declared", call_socket_inet, SANDBOX_CONNECT_INET, 0 },
	{ "socket packet", call_socket_packet, ~0u, EPERM },
	{ "connect", call_connect, SANDBOX_ACCEPT, EPERM },
	{ "connect, declared", call_connect, SANDBOX_CONNECT_UNIX, EBADF },
	{ "accept", call_accept, 0, EPERM },
	{ "accept, declared", call_accept, SANDBOX_ACCEPT, EBADF },
	{ "map", call_map, 0, 0 },
	{ "map executable", call_map_exec, SANDBOX_FILES | SANDBOX_THREADS, EPERM },
	{ "make executable", call_protect_exec, SANDBOX_FILES, EPERM },
	{ "map executable, exec", call_map_exec, SANDBOX_EXEC, 0 },
	{ "read a limit", call_get_limit, 0, 0 },
	{ "set a limit", call_set_limit, SANDBOX_FILES, EPERM },
	{ "set a limit from afar", call_set_limit_high, SANDBOX_FILES, EPERM },
	{ "mount", call_mount, ~0u, EPERM },
	{ "send", call_send, 0, EBADF },
	{ "connect by sending", call_send_fast_open, SANDBOX_CONNECT_UNIX, EPERM },
	{ "connect by a message", call_send_message_fast_open, ~(unsigned)SANDBOX_CONNECT_INET,
	    EPERM },
	{ "connect by a message, inet", call_send_message_fast_open, SANDBOX_CONNECT_INET,
	    EBADF },
	{ "read flags", call_flags_read, 0, 0 },
	{ "set flags", call_flags_set, SANDBOX_FILES, EPERM },
	{ "set flags, names", call_flags_set, SANDBOX_NAMES, 0 },
	{ "signals by descriptor", call_signal_owner, ~0u, EPERM },
	{ "lock, no files", call_lock, 0, EPERM },
	{ "lock, files", call_lock, SANDBOX_FILES, EBADF },
	{ "change a mode", call_mode, ~(unsigned)SANDBOX_IDENTITY, EPERM },
	{ "socket pair", call_pair_of_another_family, ~0u, EPERM },
	{ "terminal input", call_terminal_input, ~0u, EPERM },
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
	const struct row r = { "i386", call_i386, ~0u, 0 };
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

	setenv(SANDBOX_STRICT, "1", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
