/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Landlock: what the process may still open, connect and signal, whatever user it runs as. The
 * newest version that the kernel has is used; the structures are ours, because the headers of
 * the build host may be older than the kernel of the mail host. Files: only what the program
 * declared. TCP: no bind, and no connect unless declared. Signals and abstract sockets: not
 * outside.
 *
 * Connecting to a UNIX socket by its path is not covered by any version this file knows;
 * private/ is guarded by its group, SO_PEERCRED and seccomp instead.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "service/sandbox.h"

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule       445
#define SYS_landlock_restrict_self  446
#endif

/* The kernel's interface, as documented in its userspace-api/landlock page. */
enum {
	FS_EXECUTE = 1 << 0,
	FS_WRITE_FILE = 1 << 1,
	FS_READ_FILE = 1 << 2,
	FS_READ_DIR = 1 << 3,
	FS_REMOVE_DIR = 1 << 4,
	FS_REMOVE_FILE = 1 << 5,
	FS_MAKE_CHAR = 1 << 6,
	FS_MAKE_DIR = 1 << 7,
	FS_MAKE_REG = 1 << 8,
	FS_MAKE_SOCK = 1 << 9,
	FS_MAKE_FIFO = 1 << 10,
	FS_MAKE_BLOCK = 1 << 11,
	FS_MAKE_SYM = 1 << 12,
	FS_REFER = 1 << 13,     /* version 2 */
	FS_TRUNCATE = 1 << 14,  /* version 3 */
	FS_IOCTL_DEV = 1 << 15, /* version 5 */

	NET_BIND_TCP = 1 << 0, /* version 4 */
	NET_CONNECT_TCP = 1 << 1,

	SCOPE_ABSTRACT_UNIX_SOCKET = 1 << 0, /* version 6 */
	SCOPE_SIGNAL = 1 << 1,

	CREATE_VERSION = 1 << 0,
	RULE_PATH_BENEATH = 1,
	RULE_NET_PORT = 2,
};

struct ruleset_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};

struct path_beneath_attr {
	uint64_t allowed_access;
	int32_t parent_fd;
} __attribute__((packed));

struct net_port_attr {
	uint64_t allowed_access;
	uint64_t port;
};

#define FILE_ONLY (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)
#define READ_SET  (FS_READ_FILE | FS_READ_DIR)
#define WRITE_SET                                                                              \
	(FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG |          \
	    FS_REFER | FS_TRUNCATE)

static uint64_t
handled_fs(long version)
{
	uint64_t all = (FS_MAKE_SYM << 1) - 1;

	if (version >= 2)
		all |= FS_REFER;
	if (version >= 3)
		all |= FS_TRUNCATE;
	if (version >= 5)
		all |= FS_IOCTL_DEV;
	return all;
}

static void
allow_path(int ruleset, const char *path, unsigned access, uint64_t handled)
{
	struct path_beneath_attr rule = { 0 };
	struct stat st;
	int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0) {
		log_warn("sandbox: %s: %s", path, strerror(errno));
		return;
	}
	if (access & SANDBOX_READ)
		rule.allowed_access |= READ_SET;
	if (access & SANDBOX_WRITE)
		rule.allowed_access |= READ_SET | WRITE_SET;
	if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed_access &= FILE_ONLY;
	rule.allowed_access &= handled;
	rule.parent_fd = fd;
	if (rule.allowed_access &&
	    syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) < 0)
		log_warn("sandbox: rule for %s: %s", path, strerror(errno));
	close(fd);
}

/* "$parameter/rest" becomes text; an empty result allows nothing. */
static void
allow_declared(
    int ruleset, const struct sandbox_path *p, const struct conf *c, uint64_t handled)
{
	struct buf path = BUF_INIT(4096);
	char *why = NULL;

	if (p->path[0] != '$')
		allow_path(ruleset, p->path, p->access, handled);
	else if (!c || !conf_expand(c, view_of(p->path), &path, &why))
		log_warn("sandbox: %s: %s", p->path, why ? why : "no configuration");
	else if (path.len > 0)
		allow_path(ruleset, buf_str(&path), p->access, handled);
	mem_free(why);
	buf_done(&path);
}

static void
allow_any_port(int ruleset)
{
	struct net_port_attr port_zero = { .allowed_access = NET_BIND_TCP, .port = 0 };

	if (syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &port_zero, 0) < 0)
		log_warn("sandbox: rule for local ports: %s", strerror(errno));
}

static int
ruleset_open(const struct sandbox *s, long version, struct ruleset_attr *attr)
{
	size_t size = sizeof(attr->handled_access_fs);

	attr->handled_access_fs = handled_fs(version);
	if (version >= 4) {
		size += sizeof(attr->handled_access_net);
		attr->handled_access_net = NET_BIND_TCP;
		if (!(s->calls & SANDBOX_CONNECT_INET))
			attr->handled_access_net |= NET_CONNECT_TCP;
	}
	if (version >= 6) {
		size += sizeof(attr->scoped);
		attr->scoped = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL;
	}
	return (int)syscall(SYS_landlock_create_ruleset, attr, size, 0);
}

bool
sandbox_landlock(const struct sandbox *s, const struct conf *c)
{
	struct ruleset_attr attr = { 0 };
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);
	int ruleset;
	bool done;

	if (version < 1) {
		log_info("this kernel has no Landlock: files are guarded by users alone");
		return false;
	}
	ruleset = ruleset_open(s, version, &attr);
	if (ruleset < 0) {
		log_warn("sandbox: Landlock: %s", strerror(errno));
		return false;
	}
	for (const struct sandbox_path *p = s->paths; p && p->path; p++)
		allow_declared(ruleset, p, c, attr.handled_access_fs);
	if (attr.handled_access_net && (s->calls & SANDBOX_CONNECT_INET))
		allow_any_port(ruleset);
#ifdef __SANITIZE_ADDRESS__
	/* The leak check at exit reads the process's own maps. */
	if (!getenv(SANDBOX_STRICT))
		allow_path(ruleset, "/proc", SANDBOX_READ, attr.handled_access_fs);
#endif
	done = syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
	if (!done)
		log_warn("sandbox: Landlock: %s", strerror(errno));
	close(ruleset);
	return done;
}
