/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls a process keeps. The filter is a list: the calls of the basic set, then
 * those of the declared classes; a few are allowed only for certain arguments (no new
 * executable memory, sockets only of declared families, threads but no processes). Everything
 * else fails with EPERM and is logged by the kernel; a foreign architecture kills. Rules that
 * look at the number alone cost nothing at run time: the kernel keeps their result in a bitmap.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "service/sandbox.h"

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#endif

#ifdef NATIVE_ARCH

#define FILTER_MAX 1024 /* instructions */
#define X32_BIT    0x40000000u

struct filter {
	size_t count;
	struct sock_filter code[FILTER_MAX];
};

/* clang-format off */
static const unsigned basic_calls[] = {
	SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_pread64, SYS_pwrite64, SYS_preadv,
	SYS_preadv2, SYS_pwritev, SYS_recvfrom, SYS_recvmsg, SYS_recvmmsg, SYS_sendfile, SYS_splice,
	SYS_shutdown, SYS_getsockopt, SYS_setsockopt, SYS_getsockname, SYS_getpeername,
	SYS_close, SYS_close_range, SYS_dup, SYS_dup3, SYS_fstat, SYS_newfstatat, SYS_lseek,
	SYS_pipe2,
	SYS_eventfd2, SYS_ppoll, SYS_pselect6, SYS_epoll_create1, SYS_epoll_ctl,
	SYS_epoll_pwait, SYS_epoll_pwait2, SYS_timerfd_create, SYS_timerfd_settime,
	SYS_timerfd_gettime, SYS_munmap, SYS_mremap, SYS_madvise, SYS_brk, SYS_futex,
	SYS_set_robust_list, SYS_rseq, SYS_membarrier, SYS_sched_yield,
	SYS_sched_getaffinity, SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn,
	SYS_rt_sigpending, SYS_rt_sigtimedwait, SYS_sigaltstack, SYS_restart_syscall,
	SYS_clock_gettime, SYS_clock_getres, SYS_clock_nanosleep, SYS_nanosleep,
	SYS_gettimeofday, SYS_getrandom, SYS_getpid, SYS_getppid, SYS_gettid, SYS_getuid,
	SYS_geteuid, SYS_getgid, SYS_getegid, SYS_getgroups, SYS_getresuid, SYS_getresgid, SYS_uname,
	SYS_sysinfo, SYS_getrusage, SYS_getrlimit, SYS_times, SYS_exit, SYS_exit_group,
#ifdef SYS_poll
	SYS_poll, SYS_select, SYS_epoll_wait, SYS_epoll_create, SYS_dup2, SYS_pipe, SYS_time,
	SYS_stat, SYS_lstat, SYS_eventfd, SYS_arch_prctl,
#endif
};

static const unsigned file_calls[] = {
	SYS_openat, SYS_openat2, SYS_statx, SYS_faccessat, SYS_faccessat2, SYS_readlinkat,
	SYS_getdents64, SYS_mkdirat, SYS_unlinkat, SYS_renameat2, SYS_linkat, SYS_ftruncate,
	SYS_fallocate, SYS_fsync, SYS_fdatasync, SYS_sync_file_range, SYS_syncfs, SYS_msync,
	SYS_utimensat, SYS_statfs, SYS_fstatfs, SYS_getcwd, SYS_chdir, SYS_fchdir, SYS_umask, SYS_flock,
	SYS_copy_file_range, SYS_fadvise64, SYS_readahead, SYS_inotify_init1,
	SYS_inotify_add_watch, SYS_inotify_rm_watch, SYS_memfd_create, SYS_mlock,
	SYS_munlock,
#ifdef SYS_renameat
	SYS_renameat,
#endif
#ifdef SYS_open
	SYS_open, SYS_creat, SYS_access, SYS_readlink, SYS_mkdir, SYS_rmdir, SYS_unlink,
	SYS_rename, SYS_link, SYS_getdents,
#endif
};

/*
 * What a descriptor may be asked. F_SETFL is not there: it would turn the log, which is open
 * for appending, into a file to be rewritten; sockets are made non-blocking by FIONBIO. Nor is
 * F_SETOWN, by which the kernel sends signals to others.
 */
static const unsigned fcntl_commands[] = {
	F_GETFL, F_GETFD, F_SETFD, F_DUPFD, F_DUPFD_CLOEXEC,
};

static const unsigned file_commands[] = {
	F_GETLK, F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW, F_ADD_SEALS,
};

static const unsigned identity_calls[] = {
	SYS_clone, SYS_wait4, SYS_waitid, SYS_kill, SYS_tgkill, SYS_pidfd_open,
	SYS_pidfd_send_signal, SYS_setresuid, SYS_setresgid, SYS_setuid, SYS_setgid,
	SYS_setreuid, SYS_setregid, SYS_setfsuid, SYS_setfsgid, SYS_setgroups, SYS_getgroups,
	SYS_setsid, SYS_setpgid, SYS_getpgid, SYS_getsid, SYS_capget, SYS_capset, SYS_prctl,
	SYS_seccomp, SYS_landlock_create_ruleset, SYS_landlock_add_rule,
	SYS_landlock_restrict_self, SYS_chroot, SYS_setrlimit, SYS_prlimit64,
	SYS_setpriority, SYS_getpriority, SYS_fchownat, SYS_mmap, SYS_mprotect,
#ifdef SYS_fork
	SYS_fork, SYS_vfork, SYS_chown, SYS_lchown, SYS_getpgrp,
#endif
};

static const unsigned exec_calls[] = {
	SYS_execve, SYS_execveat, SYS_wait4, SYS_waitid, SYS_mmap, SYS_mprotect,
};
/* clang-format on */

static void
emit(struct filter *f, struct sock_filter instruction)
{
	if (f->count == FILTER_MAX)
		log_fatal("seccomp: the filter is too long");
	f->code[f->count++] = instruction;
}

static void
emit_load(struct filter *f, size_t offset)
{
	emit(f, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

static void
emit_return(struct filter *f, uint32_t action)
{
	emit(f, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

/* Jumps over `skip` instructions when the accumulator is not k. */
static void
emit_unless(struct filter *f, uint32_t k, uint8_t skip)
{
	emit(f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k, 0, skip));
}

static void
answer(struct filter *f, unsigned call, uint32_t action)
{
	emit_unless(f, call, 1);
	emit_return(f, action);
}

static void
allow(struct filter *f, const unsigned *calls, size_t count)
{
	for (size_t i = 0; i < count; i++)
		answer(f, calls[i], SECCOMP_RET_ALLOW);
}

/* Allows the call when (argument & mask) == value; only the low 32 bits are looked at. */
static void
allow_when(struct filter *f, unsigned call, unsigned argument, uint32_t mask, uint32_t value)
{
	emit_unless(f, call, 5);
	emit_load(f, offsetof(struct seccomp_data, args) + argument * sizeof(uint64_t));
	emit(f, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask));
	emit_unless(f, value, 1);
	emit_return(f, SECCOMP_RET_ALLOW);
	emit_load(f, offsetof(struct seccomp_data, nr));
}

/* Allows the call when the argument, a pointer, is NULL in all of its bits. */
static void
allow_when_null(struct filter *f, unsigned call, unsigned argument)
{
	size_t offset = offsetof(struct seccomp_data, args) + argument * sizeof(uint64_t);

	emit_unless(f, call, 6);
	emit_load(f, offset);
	emit_unless(f, 0, 3);
	emit_load(f, offset + sizeof(uint32_t));
	emit_unless(f, 0, 1);
	emit_return(f, SECCOMP_RET_ALLOW);
	emit_load(f, offsetof(struct seccomp_data, nr));
}

static void
emit_prologue(struct filter *f)
{
	emit_load(f, offsetof(struct seccomp_data, arch));
	emit(f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCH, 1, 0));
	emit_return(f, SECCOMP_RET_KILL_PROCESS);
	emit_load(f, offsetof(struct seccomp_data, nr));
#ifdef __x86_64__
	emit(f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1));
	emit_return(f, SECCOMP_RET_KILL_PROCESS);
#endif
}

/*
 * A captured server could disconnect a socket that it accepted (connect to AF_UNSPEC) and make
 * a connection of its own out of it. Landlock refuses the connect, but does not see one that is
 * made by sending.
 */
static void
allow_sending(struct filter *f)
{
	allow_when(f, SYS_sendto, 3, MSG_FASTOPEN, 0);
	allow_when(f, SYS_sendmsg, 2, MSG_FASTOPEN, 0);
	allow_when(f, SYS_sendmmsg, 3, MSG_FASTOPEN, 0);
}

static void
allow_commands(struct filter *f, const unsigned *commands, size_t count)
{
	for (size_t i = 0; i < count; i++)
		allow_when(f, SYS_fcntl, 1, UINT32_MAX, commands[i]);
}

static void
allow_basic(struct filter *f)
{
	allow_sending(f);
	allow(f, basic_calls, ARRAY_LEN(basic_calls));
	allow_commands(f, fcntl_commands, ARRAY_LEN(fcntl_commands));
	allow_when(f, SYS_socketpair, 0, UINT32_MAX, AF_UNIX);
	allow_when(f, SYS_mmap, 2, PROT_EXEC, 0);
	allow_when(f, SYS_mprotect, 2, PROT_EXEC, 0);
	allow_when(f, SYS_ioctl, 1, UINT32_MAX, FIONREAD);
	allow_when(f, SYS_ioctl, 1, UINT32_MAX, FIONBIO);
	allow_when(f, SYS_ioctl, 1, UINT32_MAX, TCGETS);
	allow_when(f, SYS_prctl, 0, UINT32_MAX, PR_SET_NAME);
	/* abort() signals its own process, nobody else. */
	allow_when(f, SYS_tgkill, 0, UINT32_MAX, (uint32_t)getpid());
	/* Reading limits (sysconf) is harmless, setting them is not: the new value is NULL. */
	allow_when_null(f, SYS_prlimit64, 2);
}

static void
allow_classes(struct filter *f, unsigned calls)
{
	if (calls & SANDBOX_ACCEPT) {
		answer(f, SYS_accept4, SECCOMP_RET_ALLOW);
		answer(f, SYS_accept, SECCOMP_RET_ALLOW);
	}
	if (calls & (SANDBOX_CONNECT_UNIX | SANDBOX_CONNECT_INET))
		answer(f, SYS_connect, SECCOMP_RET_ALLOW);
	if (calls & SANDBOX_CONNECT_UNIX)
		allow_when(f, SYS_socket, 0, UINT32_MAX, AF_UNIX);
	if (calls & SANDBOX_CONNECT_INET) {
		answer(f, SYS_bind, SECCOMP_RET_ALLOW);
		allow_when(f, SYS_socket, 0, UINT32_MAX, AF_INET);
		allow_when(f, SYS_socket, 0, UINT32_MAX, AF_INET6);
		allow_when(f, SYS_socket, 0, UINT32_MAX, AF_NETLINK); /* getaddrinfo */
		/* Connecting by sending is connecting; libunbound does so over TCP. */
		answer(f, SYS_sendmsg, SECCOMP_RET_ALLOW);
	}
	if (calls & SANDBOX_FILES) {
		allow(f, file_calls, ARRAY_LEN(file_calls));
		allow_commands(f, file_commands, ARRAY_LEN(file_commands));
	}
	if (calls & (SANDBOX_NAMES | SANDBOX_IDENTITY))
		allow_when(f, SYS_fcntl, 1, UINT32_MAX, F_SETFL);
	if (calls & SANDBOX_THREADS)
		allow_when(f, SYS_clone, 0, CLONE_THREAD, CLONE_THREAD);
	if (calls & SANDBOX_IDENTITY)
		allow(f, identity_calls, ARRAY_LEN(identity_calls));
	if (calls & SANDBOX_EXEC)
		allow(f, exec_calls, ARRAY_LEN(exec_calls));
	/* clone3 hides its flags behind a pointer: libc falls back to clone. */
	answer(f, SYS_clone3, SECCOMP_RET_ERRNO | ENOSYS);
}

#ifdef __SANITIZE_ADDRESS__
/* The leak check at exit stops all threads from a helper that traces them and reads /proc. */
static void
allow_sanitizer(struct filter *f)
{
	/* clang-format off */
	static const unsigned calls[] = {
		SYS_clone, SYS_wait4, SYS_prctl, SYS_openat, SYS_readlinkat, SYS_getdents64,
		SYS_setrlimit, SYS_prlimit64,
#ifdef SYS_open
		SYS_open, SYS_readlink, SYS_getdents,
#endif
	};
	/* clang-format on */

	allow(f, calls, ARRAY_LEN(calls));
	emit_unless(f, SYS_ptrace, 4);
	emit_load(f, offsetof(struct seccomp_data, args));
	emit(f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0));
	emit_return(f, SECCOMP_RET_ALLOW);
	emit_load(f, offsetof(struct seccomp_data, nr));
}
#endif

static bool
install(const struct filter *f)
{
	struct sock_fprog program = { (unsigned short)f->count, (struct sock_filter *)f->code };
	unsigned flags = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG;

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) == 0;
}

bool
sandbox_seccomp(unsigned calls)
{
	struct filter *f = NEW(struct filter);
	bool done;

	emit_prologue(f);
	allow_basic(f);
	allow_classes(f, calls);
#ifdef __SANITIZE_ADDRESS__
	if (!getenv(SANDBOX_STRICT))
		allow_sanitizer(f);
#endif
	emit_return(f, SECCOMP_RET_ERRNO | EPERM);
	done = install(f);
	if (!done)
		log_info("seccomp is not available: %s", strerror(errno));
	mem_free(f);
	return done;
}

#else

bool
sandbox_seccomp(unsigned calls)
{
	(void)calls;
	log_info("seccomp: no filter for this architecture");
	return false;
}

#endif
