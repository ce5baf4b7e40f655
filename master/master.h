/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor. It reads the configuration, opens every listening socket, starts processes
 * when there is work for them, and restarts, reloads and stops them. It reads nothing from the
 * network and runs nothing but the programs of daemon_directory.
 *
 * A service is one line of master.cf. At a reload a new set of services is made; it takes over
 * the sockets that stay, and the old set is retired: its processes finish and are not replaced.
 */
#ifndef MASTER_MASTER_H
#define MASTER_MASTER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/list.h"
#include "conf/conf.h"
#include "conf/master_cf.h"
#include "task/task.h"

struct listener {
	struct list link; /* in a service */
	char *key;        /* "inet 127.0.0.1:25", "unix public/pickup": equal means unchanged */
	char *path;       /* of a UNIX socket, otherwise NULL */
	mode_t mode;
	int socket_type;
	struct sockaddr_storage address;
	socklen_t address_length;
	int fd; /* -1 until opened */
	struct task_watch *watch;
	struct master_service *service;
};

struct master_service {
	struct list link; /* in master.services or master.retired */
	char *name;
	enum master_type type;
	const char *type_name;
	char *program;    /* as in master.cf: argv[0] and the name in the log */
	char *path;       /* of the executable */
	char **arguments; /* from -o on; NULL-terminated */
	bool chroot;
	bool unprivileged;
	bool one_process;
	bool retired;
	size_t session_limit; /* of all processes together; 0: none */
	size_t process_limit; /* sessions of one process; 0: its share of session_limit */
	size_t max_processes;
	size_t spread; /* up to so many processes, a busy one is reason enough for another */
	struct list listeners;
	struct list processes;

	nanoseconds wakeup; /* 0: never */
	bool wakeup_if_used;
	struct task_timer *wakeup_timer;

	unsigned failures; /* in a row */
	bool throttled;
	struct task_timer *throttle_timer;
};

struct process {
	struct list link; /* in its service */
	struct list all;  /* in master.processes */
	struct master_service *service;
	pid_t pid;
	int control;
	struct task_watch *watch;
	size_t slot; /* which share of the session limit it has */
	nanoseconds started;
	bool ready;
	bool full;
	bool ending; /* takes no more connections */
	size_t load;
};

enum master_state { MASTER_STARTING, MASTER_RUNNING, MASTER_STOPPING };

struct master {
	const char *directory; /* of main.cf and master.cf */
	struct conf *conf;
	const struct conf_values *values;
	bool is_root;
	bool foreground;
	int verbose;
	enum master_state state;
	struct list services;
	struct list retired;
	struct list processes; /* of both */
	char **environment;
	int stderr_write; /* the children's standard error, or -1: as master's */
};

extern struct master master;

/* configuration.c: NULL or false: *why (heap) */
struct conf *configuration_open(const char *directory, char **why);
bool configuration_services(const struct conf *c, struct list *services, char **why);

/* programs.c */
struct program {
	const char *name;
	const char *runs; /* the executable, NULL: as named */
	const char *note; /* not NULL: not needed here, the log says this */
	bool one_process;
};
struct builtin {
	const char *name;
	enum master_type type;
	bool is_private;
	const char *program;
	bool (*wanted)(const struct conf_values *);
};
const struct program *program_find(const char *name); /* NULL: unknown, runs as named */
extern const struct builtin builtins[];
extern const size_t builtin_count;

/* queue.c: what lies in mail_owner's directories; log_fatal */
void queue_prepare(void);

/* listen.c */
bool listener_add_inet(const struct conf_values *v, struct master_service *s,
    const struct master_entry *e, char **why);
void listener_add_unix(struct master_service *s, bool is_private);
bool listener_open(struct listener *l, char **why); /* and watches it, not yet enabled */
void listener_adopt(struct master_service *s, struct listener *from, struct listener *to);
void listener_close(struct listener **l);
void listener_watch(struct listener *l, bool on);

/* service.c */
struct master_service *master_service_new(const char *name, enum master_type type);
void master_service_free(struct master_service **s);
struct master_service *master_service_find(
    const struct list *services, const char *name, enum master_type type);
void master_service_start(struct master_service *s);  /* timers, first processes */
void master_service_update(struct master_service *s); /* something changed: decide anew */
void master_service_spawn(struct master_service *s);
void master_service_retire(struct master_service *s);
void master_service_failed(struct master_service *s, nanoseconds lived);
void master_service_close(struct master_service *s); /* the listening sockets */

/* spawn.c */
struct process *process_spawn(struct master_service *s, size_t slot);

/* process.c */
void process_watch(struct process *p);
void process_tell(struct process *p, char letter, int fd);
void processes_reap(void *context);
void processes_tell_all(char letter, int fd);
void processes_kill_all(int signal_number);

/* reload.c */
void master_reload(void *context);
void master_reopen_log(void *context);
void reload_done(void);

/* stop.c */
void master_stop(void *context);
void master_abort(void *context);
void master_check_stopped(void);

/* stderr.c: what children write to standard error goes to the log */
void stderr_start(void);
void stderr_done(void);

/* run.c */
struct master_options {
	const char *directory;
	bool foreground;
	bool check_only;
	int ready_fd; /* -1: none; closed after "ok" was written there */
	int verbose;
};
void master_set_environment(void);
int master_run(const struct master_options *options);

#endif
