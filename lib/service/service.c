/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of every daemon from exec to its loop: command line, descriptors, main.cf, log, the
 * program's own preparations, the jail, and then the loop until the end. Nothing here looks at
 * a byte that came from outside.
 */
#include "service/service.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/number.h"
#include "service/environment.h"
#include "service/logging.h"
#include "service/service_private.h"
#include "table/table.h"
#include "task/task.h"

#define OPTIONS_MAX 256
#define LOOKUP_TIME (60 * SECOND) /* for an answer of the tables service */
#define LOCK_TRIES  200
#define LOCK_PAUSE  (50 * 1000 * 1000) /* nanoseconds */

struct service_process service_process;

static char *options[OPTIONS_MAX]; /* -o, in order */
static size_t option_count;
static int verbose;

static size_t
number_option(char letter, const char *text)
{
	uint64_t value = 0;

	if (!number_parse(view_of(text), 1000000, &value))
		log_fatal("-%c %s: not a number", letter, text);
	return (size_t)value;
}

static void
option_read(int letter, char *value)
{
	struct service_process *p = &service_process;

	switch (letter) {
	case 'c':
		p->chroot = true;
		break;
	case 'l':
		p->session_limit = number_option('l', value);
		break;
	case 'n':
		p->name = value;
		break;
	case 'o':
		if (option_count == OPTIONS_MAX)
			log_fatal("too many -o options");
		options[option_count++] = value;
		break;
	case 's':
		p->listener_count = number_option('s', value);
		break;
	case 'S':
		p->stand_alone = true;
		break;
	case 't':
		p->type = value;
		break;
	case 'u':
		p->unprivileged = true;
		break;
	case 'v':
		verbose++;
		break;
	case 'D':
		break;
	default:
		log_fatal("unknown option; daemons are started by master");
	}
}

static void
command_line_read(int argc, char **argv)
{
	struct service_process *p = &service_process;
	const char *slash;
	int letter;

	if (argc < 1 || !argv[0])
		exit(1);
	slash = strrchr(argv[0], '/');
	p->program = slash ? slash + 1 : argv[0];
	p->name = p->program;
	p->type = "unix";
	log_set_tag(p->program);
	while ((letter = getopt(argc, argv, "+cDl:n:o:s:St:uv")) != -1)
		option_read(letter, optarg);
	p->arguments = argv + optind;
	log_set_verbose(verbose);
	if (p->stand_alone)
		p->listener_count = 0;
}

/* Only what master set up stays open: a leaked descriptor is a hole in every jail. */
static void
close_foreign_descriptors(void)
{
	struct service_process *p = &service_process;
	struct stat st;

	p->has_control =
	    !p->stand_alone && fstat(SERVICE_CONTROL_FD, &st) == 0 && S_ISSOCK(st.st_mode);
	if (!p->has_control) {
		close_range(SERVICE_CONTROL_FD, ~0u, 0);
		if (!p->stand_alone)
			log_fatal("daemons are started by master (or use -S)");
		return;
	}
	fd_set_cloexec(SERVICE_CONTROL_FD, true);
	close_range(SERVICE_LISTEN_FD_FIRST + (unsigned)p->listener_count, ~0u, 0);
}

static const char *
config_directory(void)
{
	const char *dir = getenv("MAIL_CONFIG");
	const struct conf_parameter *row = conf_parameter_find("config_directory");

	if (dir && dir[0] == '/')
		return dir;
	return row ? row->default_text : "/etc/postern";
}

static void
apply_options(struct conf *c)
{
	for (size_t i = 0; i < option_count; i++) {
		char *equals = strchr(options[i], '=');
		struct view name;
		char *copy;

		if (!equals)
			log_fatal("-o %s: not of the form name=value", options[i]);
		name = view_trim((struct view){ options[i], (size_t)(equals - options[i]) });
		copy = mem_dup(name.p, name.n);
		conf_set(c, copy, equals + 1 + strspn(equals + 1, " \t"));
		mem_free(copy);
	}
}

static void
configuration_read(void)
{
	char *why = NULL;
	struct conf *c = conf_open(config_directory(), true, &why);

	if (!c)
		log_fatal("%s", why);
	apply_options(c);
	conf_set(c, "process_name", service_process.program);
	conf_set(c, "service_name", service_process.name);
	if (!conf_evaluate(c, &why))
		log_fatal("%s", why);
	service_process.conf = c;
	service_process.values = conf_values_of(c);
}

/*
 * Two processes of a service that must be alone could meet when master was killed and started
 * again: the second waits here for the first, which ends as soon as it sees that.
 */
static void
lock_alone(void)
{
	struct timespec pause = { 0, LOCK_PAUSE };
	char path[256];
	int fd, tries = 0;

	snprintf(path, sizeof(path), "pid/unix.%s", service_transport());
	fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		log_fatal("open %s: %s", path, strerror(errno));
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK || ++tries == LOCK_TRIES)
			log_fatal("lock %s: %s", path, strerror(errno));
		nanosleep(&pause, NULL);
	}
}

static void
enter_jail(void)
{
	const struct service *s = service_process.service;
	struct sandbox_identity identity = { 0 };
	struct sandbox sandbox = s->sandbox;
	bool keeps_root = s->keeps_root && !service_process.unprivileged;

	sandbox_uid_is_ours(service_process.conf, 0); /* learns the users while it can */
	if (service_process.as_root && !keeps_root) {
		const char *user = s->user ? s->user(service_process.values)
					   : service_process.values->mail_owner;

		sandbox_user(service_process.conf, user, &identity);
	}
	if (service_process.as_root && service_process.chroot)
		identity.chroot_directory = service_process.values->queue_directory;
	tzset();
	log_connect();
	task_init();
	if (s->session)
		sandbox.calls |= SANDBOX_ACCEPT;
	sandbox_apply(&sandbox, &identity, service_process.conf);
}

static int
run_under_master(const struct service *s)
{
	char tables[256];

	service_path(tables, sizeof(tables), "private", "tables");
	table_set_proxy(tables, LOOKUP_TIME);
	if (s->one_process)
		lock_alone();
	if (s->pre_jail)
		s->pre_jail();
	enter_jail();
	accept_start();
	if (s->start)
		s->start();
	process_start();
	task_run();
	process_done();
	accept_done();
	task_done();
	return 0;
}

static int
run_stand_alone(const struct service *s)
{
	table_set_direct(true);
	if (s->pre_jail)
		s->pre_jail();
	return standalone_run(s);
}

int
service_main(int argc, char **argv, const struct service *s)
{
	int status;

	service_process.service = s;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file size limit is an error of write like a full disk */
	umask(077);
	command_line_read(argc, argv);
	close_foreign_descriptors();
	service_process.as_root = geteuid() == 0;
	configuration_read();
	environment_clean(service_process.values->import_environment);
	if (chdir(service_process.values->queue_directory) < 0)
		log_fatal("queue_directory %s: %s", service_process.values->queue_directory,
		    strerror(errno));
	logging_open(service_process.values, service_process.program,
	    service_process.stand_alone ? LOGGING_COMMAND : LOGGING_DAEMON);
	if (service_process.stand_alone)
		logging_quiet(); /* standard error belongs to the caller */
	status = service_process.stand_alone ? run_stand_alone(s) : run_under_master(s);
	conf_free(&service_process.conf);
	return status;
}
