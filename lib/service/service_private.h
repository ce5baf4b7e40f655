/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of lib/service know about this process; nobody else includes it. */
#ifndef SERVICE_SERVICE_PRIVATE_H
#define SERVICE_SERVICE_PRIVATE_H

#include "service/control.h"
#include "service/service.h"

struct service_process {
	const struct service *service;
	struct conf *conf;
	const struct conf_values *values;
	const char *name;    /* master.cf, first column */
	const char *type;    /* master.cf, second column */
	const char *program; /* master.cf, last column */
	char **arguments;
	size_t listener_count;
	size_t session_limit; /* 0: none */
	bool chroot;
	bool unprivileged;
	bool stand_alone;
	bool as_root;
	bool has_control;
	bool finishing;
};

extern struct service_process service_process;

/* accept.c */
void accept_start(void);
void accept_stop(void); /* closes the listening sockets, cancels idle sessions */
void accept_done(void);
size_t accept_sessions(void);

/* process.c */
void process_start(void);
void process_done(void);
void process_session_started(void);
void process_session_ended(size_t left);
void process_full(size_t sessions);
void process_load(size_t sessions);

/* standalone.c */
int standalone_run(const struct service *s);

#endif
