/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The course of a master: everything that can be wrong is found before it detaches, so that the
 * command that started it can show the reason and end with 1. Then the loop, until a signal.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "master/master.h"
#include "service/check.h"
#include "service/directories.h"
#include "service/environment.h"
#include "service/lock.h"
#include "service/logging.h"
#include "service/notify.h"

struct master master = { .stderr_write = -1 };

void
master_set_environment(void)
{
	char *list = mem_printf(
	    "%s { MAIL_CONFIG=%s }", master.values->import_environment, master.directory);
	char **e;

	/* Whatever the list says about it: services read the configuration that master read. */
	master.environment = environment_new(list);
	for (e = master.environment; *e && strncmp(*e, "MAIL_CONFIG=", 12) != 0; e++)
		continue;
	if (*e) {
		mem_free(*e);
		*e = mem_printf("MAIL_CONFIG=%s", master.directory);
	}
	mem_free(list);
}

static void
read_configuration(const struct master_options *options)
{
	char *why = NULL;

	master.directory = options->directory;
	master.foreground = options->foreground;
	master.verbose = options->verbose;
	master.is_root = geteuid() == 0;
	log_set_verbose(options->verbose);
	list_init(&master.services);
	list_init(&master.retired);
	list_init(&master.processes);
	master.conf = configuration_open(options->directory, &why);
	if (!master.conf)
		log_fatal("%s", why);
	master.values = conf_values_of(master.conf);
	master_set_environment();
}

static void
read_services(void)
{
	char *why = NULL;

	if (!configuration_services(master.conf, &master.services, &why))
		log_fatal("%s", why);
}

static void
warn_unprivileged(void)
{
	struct passwd *pw;

	if (master.is_root) {
		directories_warn_shared(master.values);
		return;
	}
	pw = getpwuid(geteuid());
	log_warn("not started by root: all services and deliveries run as the one user %s",
	    pw ? pw->pw_name : "without a name");
}

static void
raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void
open_sockets(void)
{
	list_for_each (link, &master.services) {
		struct master_service *s = LIST_ITEM(link, struct master_service, link);

		for (struct list *i = s->listeners.next; i != &s->listeners; i = i->next) {
			char *why = NULL;

			if (!listener_open(LIST_ITEM(i, struct listener, link), &why))
				log_fatal("%s", why);
		}
	}
}

/*
 * Nothing that the caller left open stays so, and 0 to 2 are open, lest a socket becomes
 * standard error. Returns the new place of ready_fd.
 */
static int
tidy_descriptors(int ready_fd)
{
	int null = open("/dev/null", O_RDWR);

	while (null >= 0 && null <= STDERR_FILENO)
		null = dup(null);
	if (null < 0)
		log_fatal("open /dev/null: %s", strerror(errno));
	(void)dup2(null, STDIN_FILENO);
	if (ready_fd < 0) {
		close_range(STDERR_FILENO + 1, ~0u, 0);
		return -1;
	}
	if (ready_fd != STDERR_FILENO + 1)
		(void)dup2(ready_fd, STDERR_FILENO + 1);
	close_range(STDERR_FILENO + 2, ~0u, 0);
	return STDERR_FILENO + 1;
}

/* The command that waits for us may go on: its terminal is no longer ours. */
static void
detach(int ready_fd)
{
	if (!master.foreground) {
		(void)setsid();
		(void)dup2(STDIN_FILENO, STDOUT_FILENO);
		(void)dup2(STDIN_FILENO, STDERR_FILENO);
	}
	if (ready_fd >= 0) {
		(void)!write(ready_fd, "ok", 2);
		close(ready_fd);
	}
}

static void
watch_signals(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	task_on_signal(SIGCHLD, processes_reap, NULL);
	task_on_signal(SIGHUP, master_reload, NULL);
	task_on_signal(SIGTERM, master_stop, NULL);
	task_on_signal(SIGINT, master_stop, NULL);
	task_on_signal(SIGQUIT, master_abort, NULL);
	task_on_signal(SIGUSR1, master_reopen_log, NULL);
}

static void
start_services(void)
{
	master.state = MASTER_RUNNING;
	list_for_each (link, &master.services)
		master_service_start(LIST_ITEM(link, struct master_service, link));
}

static void
release(void)
{
	reload_done();
	list_for_each_safe (link, next, &master.services) {
		struct master_service *s = LIST_ITEM(link, struct master_service, link);

		master_service_free(&s);
	}
	stderr_done();
	task_done();
	environment_free(&master.environment);
	conf_free(&master.conf);
}

static int
check_only(void)
{
	unsigned found;

	warn_unprivileged();
	directories_prepare(master.values);
	queue_prepare();
	read_services();
	found = check_permissions(master.conf);
	release();
	return found > 0 ? 1 : 0;
}

int
master_run(const struct master_options *options)
{
	int ready_fd = tidy_descriptors(options->ready_fd);

	read_configuration(options);
	umask(022);
	task_init();
	if (options->check_only)
		return check_only();
	if (strcmp(master.values->maillog_file, "/dev/stdout") == 0 && !master.foreground)
		log_fatal("maillog_file = /dev/stdout needs start-fg");
	directories_prepare(master.values);
	queue_prepare();
	lock_take();
	logging_open(master.values, "master", LOGGING_START);
	warn_unprivileged();
	raise_descriptor_limit();
	read_services();
	open_sockets();
	watch_signals();
	stderr_start();
	log_info("daemon started -- version %s, configuration %s", master.values->mail_version,
	    master.directory);
	detach(ready_fd);
	logging_quiet();
	start_services();
	notify_ready();
	task_run();
	release();
	return 0;
}
