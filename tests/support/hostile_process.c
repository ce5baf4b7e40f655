/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Acts on processes: its own rights, other processes, and the kernel's larger interfaces. An
 * argument is a process id. A child that comes to life ends at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/number.h"
#include "hostile.h"

static pid_t
pid_of(const char *argument)
{
	uint64_t pid = 0;

	(void)number_parse(view_of(argument), INT32_MAX, &pid);
	return (pid_t)pid;
}

static int
execute(const char *unused)
{
	char *argv[] = { NULL }, *environment[] = { NULL };

	(void)unused;
	return execve("/bin/sh", argv, environment);
}

static int
fork_child(const char *unused)
{
	pid_t pid = fork();

	(void)unused;
	if (pid == 0)
		_exit(0);
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
	return pid;
}

static int
trace(const char *argument)
{
	return (int)ptrace(PTRACE_ATTACH, pid_of(argument), NULL, NULL);
}

static int
seize(const char *argument)
{
	return (int)ptrace(PTRACE_SEIZE, pid_of(argument), NULL, NULL);
}

static int
read_memory(const char *argument)
{
	char here[8];
	struct iovec local = { here, sizeof(here) };
	struct iovec remote = { (void *)here, sizeof(here) };

	return (int)process_vm_readv(pid_of(argument), &local, 1, &remote, 1, 0);
}

static int
signal_process(const char *argument)
{
	return kill(pid_of(argument), 0);
}

static int
signal_all(const char *unused)
{
	(void)unused;
	return kill(-1, 0);
}

/* The kernel would send the signal for us, when the descriptor has news. */
static int
signal_by_descriptor(const char *argument)
{
	int ends[2];
	int result;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	result = fcntl(ends[0], F_SETOWN, pid_of(argument));
	if (result == 0)
		result = fcntl(ends[0], F_SETSIG, SIGURG);
	if (result == 0)
		result = fcntl(ends[0], F_SETFL, O_ASYNC);
	close(ends[0]);
	close(ends[1]);
	return result;
}

static int
become_root(const char *unused)
{
	(void)unused;
	return setuid(0);
}

static int
become_root_group(const char *unused)
{
	(void)unused;
	return setgid(0);
}

static int
join_groups(const char *unused)
{
	gid_t root = 0;

	(void)unused;
	return (int)syscall(SYS_setgroups, 1, &root);
}

static int
execute_memory(const char *unused)
{
	void *p = mmap(
	    NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)unused;
	if (p == MAP_FAILED)
		return -1;
	munmap(p, 4096);
	return 0;
}

static int
make_executable(const char *unused)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int result, saved;

	(void)unused;
	if (p == MAP_FAILED)
		return -1;
	result = mprotect(p, 4096, PROT_READ | PROT_EXEC);
	saved = errno;
	munmap(p, 4096);
	errno = saved;
	return result;
}

static int
become_dumpable(const char *unused)
{
	(void)unused;
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static int
raise_limits(const char *unused)
{
	struct rlimit limit = { 1 << 20, 1 << 20 };

	(void)unused;
	return setrlimit(RLIMIT_NOFILE, &limit);
}

static int
change_root(const char *unused)
{
	(void)unused;
	return chroot("/");
}

static int
leave_namespaces(const char *unused)
{
	(void)unused;
	return unshare(CLONE_NEWUSER | CLONE_NEWNET);
}

static int
io_uring(const char *unused)
{
	char parameters[256] = { 0 };
	int fd;

	(void)unused;
	fd = (int)syscall(425, 1, parameters); /* io_uring_setup: a way around every filter */
	if (fd >= 0)
		close(fd);
	return fd;
}

static int
bpf_map(const char *unused)
{
	char attributes[64] = { 1, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 1 };

	(void)unused;
	return (int)syscall(SYS_bpf, 0, attributes, sizeof(attributes));
}

static int
page_faults(const char *unused)
{
	(void)unused;
	return (int)syscall(SYS_userfaultfd, 1);
}

static int
keys(const char *unused)
{
	(void)unused;
	return (int)syscall(SYS_keyctl, 0, -3, 1, 0, 0);
}

static int
performance_events(const char *unused)
{
	char attributes[128] = { 1, 0, 0, 0, 112 };

	(void)unused;
	return (int)syscall(SYS_perf_event_open, attributes, 0, -1, -1, 0);
}

static int
personality_of_old(const char *unused)
{
	(void)unused;
	return (int)syscall(SYS_personality, 0x0400000); /* READ_IMPLIES_EXEC */
}

static int
always_allowed(const char *unused)
{
	(void)unused;
	return fcntl(STDERR_FILENO, F_GETFD);
}

const struct act hostile_process_acts[] = {
	{ "execute", execute },
	{ "fork", fork_child },
	{ "trace", trace },
	{ "seize", seize },
	{ "read-memory", read_memory },
	{ "signal", signal_process },
	{ "signal-all", signal_all },
	{ "signal-by-descriptor", signal_by_descriptor },
	{ "root", become_root },
	{ "root-group", become_root_group },
	{ "groups", join_groups },
	{ "execute-memory", execute_memory },
	{ "make-executable", make_executable },
	{ "dumpable", become_dumpable },
	{ "limits", raise_limits },
	{ "chroot", change_root },
	{ "namespaces", leave_namespaces },
	{ "io-uring", io_uring },
	{ "bpf", bpf_map },
	{ "page-faults", page_faults },
	{ "keys", keys },
	{ "performance-events", performance_events },
	{ "personality", personality_of_old },
	{ "allowed", always_allowed },
	{ NULL, NULL },
};
