/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every daemon does around its own work: a program's main.c is a struct service and one
 * call.
 *
 * service_main reads the command line that master composed, main.cf with the -o options, opens
 * the log, calls pre_jail (open tables, directories: still with the rights master started it
 * with), gives up every right (chroot, users, no_new_privs, Landlock, seccomp, limits), calls
 * start, and runs the task loop: accepted connections become tasks until the process is told to
 * finish (reload, stop, max_use, max_idle), when sessions in progress end in peace.
 *
 * Child descriptors, set up by master: 0-2 as master's, 3 the control socket (SOCK_SEQPACKET),
 * then the listening sockets; the working directory is the queue directory. When the control
 * socket closes master has died, and the process ends at once.
 *
 * The command line: -n name, -t inet|unix|unix-dgram, -s number of listening sockets, -l limit
 * of sessions (0: none), -c (chroot), -u (unprivileged column is y), -o name=value, -v, then
 * the arguments of master.cf. With -S instead, one session is served on standard input and
 * output, as the user who called and without a jail (sendmail -bs).
 */
#ifndef SERVICE_SERVICE_H
#define SERVICE_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/clock.h"
#include "conf/conf.h"
#include "service/sandbox.h"

#define SERVICE_CONTROL_FD      3
#define SERVICE_LISTEN_FD_FIRST 4

/* One accepted connection. The handler's task owns fd, which is non-blocking, and closes it. */
struct service_connection {
	int fd;
	int listener;                 /* index of the listening socket */
	struct sockaddr_storage peer; /* family AF_UNIX for local ones */
	socklen_t peer_length;
};

/* Who may call a service on its UNIX sockets, judged by SO_PEERCRED at accept. */
enum service_peers {
	SERVICE_PEERS_OURS,  /* root and the suite's own users */
	SERVICE_PEERS_OWNER, /* root and mail_owner: a captured smtpd is refused */
	SERVICE_PEERS_ANY,   /* everybody on this host: the handler looks at the uid itself */
};

struct service {
	const char *name; /* program name: "smtpd" */
	bool keeps_root;  /* local: starts as root and keeps it until it drops to a recipient */
	const char *(*user)(
	    const struct conf_values *); /* the user to become; NULL: mail_owner */
	enum service_peers peers;
	size_t sessions_per_user; /* in one process, of one not root or mail_owner; 0: any */
	bool one_process;         /* qmgr, pickup...: never a second process of it */
	struct sandbox sandbox;

	/* Before rights are dropped; may exit by log_fatal. NULL: nothing to do. */
	void (*pre_jail)(void);
	/* After rights are dropped, before the loop; runs outside any task. */
	void (*start)(void);
	/* One connection, in a task of its own. NULL for services without clients. */
	void (*session)(const struct service_connection *c);
	/* Every wake-up of master.cf's wakeup column, and once at start; in a task of its own.
	 */
	void (*wakeup)(void);
	/* The process will end when its tasks have; long-lived tasks started by start return
	 * now. */
	void (*finish)(void);
};

/* For .user: the user of services that talk to the network; mail_owner where there is none. */
const char *service_network_user(const struct conf_values *v);

int service_main(int argc, char **argv, const struct service *s);

/* For handlers, valid from pre_jail on. */
const struct conf *service_conf(void);
const struct conf_values *service_values(void);
const char *service_name(void);      /* first column of master.cf: "smtp", "submission" */
const char *service_transport(void); /* the same without a path: parameter prefix */
const char *service_program(void);   /* last column: "lmtp" and "smtp" may be one executable */
char **service_arguments(void);      /* what follows the options there, NULL-terminated */
bool service_is_stand_alone(void);   /* -S */
bool service_is_finishing(void);
bool service_runs_as_root(void); /* master was started as root: users are separate */

/* Listening sockets, for a program that reads them itself (datagrams): .session is NULL. */
size_t service_listener_count(void);
int service_listener_fd(size_t index);

/* True while the client of c, by SO_PEERCRED, is root or one of the suite's users. */
bool service_peer_is_ours(int fd, uid_t *uid);

/* The same for root and mail_owner alone; without root all services are that one user. */
bool service_peer_is_owner(int fd, uid_t *uid);

/*
 * Said by a session that waits between two pieces of work on a kept connection: when the
 * process finishes, the tasks of idle sessions are cancelled, the others end by themselves; and
 * when there may be no more sessions, an idle one is cancelled for a client that waits. A
 * client sees the connection close before anything was answered, and asks again on another one.
 */
void service_session_idle(const struct service_connection *c, bool idle);

/*
 * Where other services listen: "public/cleanup" below the queue directory, as a path that works
 * after the jail (relative to the queue directory, which is the working directory).
 */
void service_path(char *out, size_t size, const char *class_name, const char *name);

/*
 * Kept connections to another service of the suite, "public" or "private"; at most max_idle of
 * them, each for no longer than SERVICE_POOL_IDLE.
 */
struct ipc_pool;
#define SERVICE_POOL_IDLE (100 * SECOND)
struct ipc_pool *service_pool(const char *class_name, const char *name, size_t max_idle);

/* Takes no more connections, ends when the sessions in progress have; master starts another. */
void service_finish(void);

#endif
