/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The launcher's loop. It is single-threaded and lives as long as its parent: when the socket
 * closes it ends, and so do the workers. Of root's power it keeps what a change of user needs:
 * two capabilities, and a list of system calls without exec.
 */
#include "local/launcher.h"

#include <errno.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "local/launcher_private.h"
#include "local/packet.h"
#include "local/worker.h"
#include "service/service.h"

/* The name service may ask a daemon, here or over the network. */
#define LAUNCHER_CALLS                                                                         \
	(SANDBOX_FILES | SANDBOX_IDENTITY | SANDBOX_CONNECT_UNIX | SANDBOX_CONNECT_INET |      \
	    SANDBOX_THREADS)

static void
capabilities_drop(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = { 0 };

	sets[0].permitted = 1u << CAP_SETUID | 1u << CAP_SETGID;
	sets[0].effective = sets[0].permitted;
	if (syscall(SYS_capset, &header, sets) < 0)
		log_warn("launcher: cannot give up capabilities: %s", strerror(errno));
}

static void
jail(void)
{
	struct sandbox sandbox = { .calls = LAUNCHER_CALLS };

	sandbox_limits(&sandbox);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		log_fatal("launcher: no_new_privs: %s", strerror(errno));
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		log_warn("launcher: PR_SET_DUMPABLE: %s", strerror(errno));
	if (service_runs_as_root())
		capabilities_drop();
	sandbox_seccomp(sandbox.calls);
}

/* What master gave to its child is not the launcher's: master must see its child end. */
static void
release_inherited(void)
{
	close(SERVICE_CONTROL_FD);
	close_range(SERVICE_LISTEN_FD_FIRST,
	    (unsigned)(SERVICE_LISTEN_FD_FIRST + service_listener_count() - 1), 0);
}

/* The spool directory of Debian is writable for its group, elsewhere for everybody (sticky). */
static gid_t
worker_group(gid_t own, enum worker_place place)
{
	struct stat st;

	if (place == WORKER_SPOOL && stat(service_values()->mail_spool_directory, &st) == 0 &&
	    (st.st_mode & S_IWGRP) && !(st.st_mode & S_IWOTH) && st.st_gid != 0)
		return st.st_gid;
	return own;
}

/* Whose rights, and for whose mailbox; 0 or an errno. The strings are static. */
static int
identity_find(const struct launcher_request *r, struct worker_identity *out)
{
	static char user[LAUNCHER_NAME_MAX], home[4096];
	const struct passwd *account = getpwnam(r->account);

	if (!account || strlen(account->pw_dir) >= sizeof(home))
		return ENOENT;
	memcpy(user, r->account, sizeof(user));
	memcpy(home, account->pw_dir, strlen(account->pw_dir) + 1);
	*out = (struct worker_identity){ .user = user,
		.home = home,
		.place = (enum worker_place)r->place,
		.change = service_runs_as_root() };
	if (out->change && account->pw_uid == 0 && out->place == WORKER_SPOOL)
		account = getpwnam(service_values()->default_privs);
	if (!account)
		return ENOENT;
	out->uid = account->pw_uid;
	out->gid = worker_group(account->pw_gid, out->place);
	if (!out->change)
		return 0;
	/* Nor the suite's own users: their rights reach the queue, its sockets, the network. */
	return out->gid == 0 || sandbox_uid_is_ours(service_conf(), out->uid) ? EPERM : 0;
}

static int
worker_fork(int own_fd, const struct launcher_request *r, int *socket_out)
{
	struct worker_identity identity;
	int error = identity_find(r, &identity);
	int pair[2];
	pid_t pid;

	if (error)
		return error;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return EAGAIN;
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		close(own_fd);
		worker_main(pair[1], &identity);
		_exit(0);
	}
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return EAGAIN;
	}
	*socket_out = pair[0];
	return 0;
}

static void
answer(int fd, const struct launcher_request *r)
{
	int socket_out = -1;
	int error = EINVAL;

	if ((r->place == WORKER_HOME || r->place == WORKER_SPOOL) &&
	    memchr(r->account, '\0', sizeof(r->account)))
		error = worker_fork(fd, r, &socket_out);
	packet_send(fd, &error, sizeof(error), socket_out);
	file_close(&socket_out);
}

void
launcher_run(int fd)
{
	struct launcher_request request;
	int stray;

	prctl(PR_SET_NAME, "local-launcher");
	release_inherited();
	signal(SIGCHLD, SIG_IGN);
	signal(SIGTERM, SIG_IGN); /* ends with its parent, after the last delivery */
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	jail();
	for (;;) {
		ssize_t got = packet_receive(fd, &request, sizeof(request), &stray);

		file_close(&stray);
		if (got <= 0)
			return;
		if (got == (ssize_t)sizeof(request))
			answer(fd, &request);
	}
}
