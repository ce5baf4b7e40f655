/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reload without losing a connection: the new services take over every socket whose address did
 * not change, and only then the old processes are told to finish. A configuration that cannot
 * be read, or an address that cannot be bound, changes nothing that runs.
 */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "master/master.h"
#include "service/control.h"
#include "service/environment.h"
#include "service/logging.h"
#include "service/notify.h"

/* What may not be shared and still runs after this is ended: its successor waits for it. */
#define ALONE_GRACE (30 * SECOND)

static struct task_timer *grace_timer;

static struct listener *
open_listener_find(const char *key)
{
	list_for_each (link, &master.services) {
		struct master_service *s = LIST_ITEM(link, struct master_service, link);

		list_for_each (i, &s->listeners) {
			struct listener *l = LIST_ITEM(i, struct listener, link);

			if (l->fd >= 0 && strcmp(l->key, key) == 0)
				return l;
		}
	}
	return NULL;
}

static void
take_over(struct master_service *fresh)
{
	for (struct list *i = fresh->listeners.next; i != &fresh->listeners; i = i->next) {
		struct listener *l = LIST_ITEM(i, struct listener, link);
		struct listener *old = open_listener_find(l->key);

		if (old)
			listener_adopt(fresh, old, l);
	}
}

/* What was not taken over. One address that cannot be had must not cost the others. */
static void
open_others(struct master_service *fresh)
{
	for (struct list *i = fresh->listeners.next, *next; i != &fresh->listeners; i = next) {
		struct listener *l = LIST_ITEM(i, struct listener, link);
		char *why = NULL;

		next = i->next;
		if (l->fd >= 0 || listener_open(l, &why))
			continue;
		log_error("%s/%s: %s", fresh->name, fresh->type_name, why);
		mem_free(why);
		listener_close(&l);
	}
}

static void
end_lonely(void *context)
{
	(void)context;
	list_for_each (link, &master.retired) {
		struct master_service *s = LIST_ITEM(link, struct master_service, link);

		if (!s->one_process)
			continue;
		list_for_each (i, &s->processes) {
			struct process *p = LIST_ITEM(i, struct process, link);

			log_warn("process %ld (%s) does not finish: terminated", (long)p->pid,
			    s->program);
			(void)kill(p->pid, SIGTERM);
		}
	}
}

static void
exchange_services(struct list *fresh)
{
	list_for_each (link, fresh)
		take_over(LIST_ITEM(link, struct master_service, link));
	processes_tell_all(CONTROL_FINISH, -1);
	list_for_each_safe (link, next, &master.services)
		master_service_retire(LIST_ITEM(link, struct master_service, link));
	for (struct list *item; (item = list_pop(fresh)) != NULL;) {
		list_append(&master.services, item);
		open_others(LIST_ITEM(item, struct master_service, link));
		master_service_start(LIST_ITEM(item, struct master_service, link));
	}
}

static bool
is_same_place(const struct conf_values *fresh)
{
	if (strcmp(fresh->queue_directory, master.values->queue_directory) == 0 &&
	    strcmp(fresh->mail_owner, master.values->mail_owner) == 0)
		return true;
	log_error("queue_directory and mail_owner change only with stop and start");
	return false;
}

static void
refuse(struct conf **c, char *why)
{
	if (why)
		log_error("%s", why);
	log_error("reload refused: the running configuration stays");
	mem_free(why);
	conf_free(c);
	notify_ready();
}

void
master_reload(void *context)
{
	struct conf *c;
	struct list fresh;
	char *why = NULL;

	(void)context;
	if (master.state != MASTER_RUNNING)
		return;
	notify_reloading();
	list_init(&fresh);
	c = configuration_open(master.directory, &why);
	if (!c || !is_same_place(conf_values_of(c)) ||
	    !configuration_services(c, &fresh, &why)) {
		refuse(&c, why);
		return;
	}
	conf_free(&master.conf);
	master.conf = c;
	master.values = conf_values_of(c);
	environment_free(&master.environment);
	master_set_environment();
	master_reopen_log(NULL);
	exchange_services(&fresh);
	log_info("reload -- version %s, configuration %s", master.values->mail_version,
	    master.directory);
	if (!grace_timer)
		grace_timer = task_timer_new(end_lonely, NULL);
	task_timer_set(grace_timer, clock_deadline(ALONE_GRACE));
	notify_ready();
}

void
reload_done(void)
{
	task_timer_free(&grace_timer);
}

/* After a rotation: this process and all children go on in the new file. */
void
master_reopen_log(void *context)
{
	char *why = NULL;
	int fd;

	(void)context;
	if (master.values->maillog_file[0] != '/' ||
	    strcmp(master.values->maillog_file, "/dev/stdout") == 0)
		return;
	fd = logging_open_file(master.values, true, &why);
	if (fd < 0) {
		log_error("%s: the old log stays in use", why);
		mem_free(why);
		return;
	}
	logging_replace(fd);
	processes_tell_all(CONTROL_LOG, fd);
	close(fd);
}
