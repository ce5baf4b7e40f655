/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A declaration of the power a program keeps. service_main closes foreign descriptors before
 * anything else; then sandbox_apply, in this order: chroot, groups and user, no_new_privs,
 * non-dumpable, limits, Landlock, threads of the offload pool, seccomp. A kernel without one of
 * them costs one log line. Each mechanism has a file of its own in this folder.
 *
 * What is not declared fails with EPERM (seccomp) or EACCES (Landlock); neither kills the
 * process, so that a forgotten call becomes an error that is logged and not a crash loop.
 */
#ifndef SERVICE_SANDBOX_H
#define SERVICE_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

/* Landlock: access below one path. Paths are absolute or relative to the queue directory. */
enum sandbox_access {
	SANDBOX_READ = 1,   /* read files, list directories */
	SANDBOX_WRITE = 2,  /* create, write, rename, remove regular files */
	SANDBOX_SOCKET = 4, /* connect to UNIX sockets below (where Landlock can tell) */
};

struct sandbox_path {
	const char *path; /* may start with "$parameter": its value */
	unsigned access;
};

/* seccomp classes: each adds to P0 (memory, clocks, descriptors in hand, epoll, futex, exit).
 */
enum sandbox_calls {
	SANDBOX_ACCEPT = 1,       /* accept4 */
	SANDBOX_CONNECT_UNIX = 2, /* socket(AF_UNIX), connect */
	SANDBOX_CONNECT_INET = 4, /* socket(AF_INET, AF_INET6), connect */
	SANDBOX_FILES = 8,        /* openat and friends */
	SANDBOX_IDENTITY = 16,    /* fork, setresuid and friends: for the root launcher */
	SANDBOX_EXEC = 32,
	SANDBOX_THREADS = 64, /* clone for threads (the offload pool) */
	SANDBOX_NAMES = 128,  /* what modules of the name service do to their sockets */
};

struct sandbox {
	const struct sandbox_path *paths; /* NULL-path terminated; NULL: no file at all */
	unsigned calls;                   /* of enum sandbox_calls */
	size_t max_descriptors;           /* RLIMIT_NOFILE; 0: leave */
	bool off;                         /* only programs that must run arbitrary code */
};

/*
 * Builds with AddressSanitizer leave holes that its leak check needs; tests of the jail set
 * this variable to have none. Other builds never look at it.
 */
#define SANDBOX_STRICT "POSTERN_STRICT_JAIL"

struct conf;

struct sandbox_identity {
	bool change;                  /* false when the suite runs unprivileged */
	unsigned uid, gid;            /* verified to be irreversible */
	const char *chroot_directory; /* NULL: no chroot */
};

/* Ends the process by log_fatal when a right cannot be given up. */
void sandbox_apply(
    const struct sandbox *s, const struct sandbox_identity *identity, const struct conf *c);

/*
 * The ids of a user for sandbox_become: the user's uid, and the group of mail_owner, which may
 * reach private/. log_fatal when there is no such user or it is root.
 */
void sandbox_user(const struct conf *c, const char *user, struct sandbox_identity *out);

/* uid is root, this process's own, or one of the suite's users. */
bool sandbox_uid_is_ours(const struct conf *c, unsigned uid);

/* uid is root or mail_owner: not, for example, the user that talks to the network. */
bool sandbox_uid_is_owner(const struct conf *c, unsigned uid);

/* The steps, for tests and for local's per-recipient workers. */
void sandbox_become(const struct sandbox_identity *identity);
bool sandbox_landlock(const struct sandbox *s, const struct conf *c);
bool sandbox_seccomp(unsigned calls);
void sandbox_limits(const struct sandbox *s);

#endif
