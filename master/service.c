/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a service gets a process. master_service_update looks at the state of a service as a
 * whole and sets its watches to match; it is called after every change, so no event has to know
 * what the others did. A listener is watched only while another process may be started: as long
 * as a process takes connections by itself, master sleeps.
 */
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "master/master.h"
#include "service/control.h"

#define STABLE_AFTER (10 * SECOND) /* a process that lived so long ends a row of failures */

static void
on_throttle_end(void *context)
{
	struct master_service *s = context;

	s->throttled = false;
	master_service_update(s);
}

static void
on_wakeup(void *context)
{
	struct master_service *s = context;

	task_timer_set(s->wakeup_timer, clock_deadline(s->wakeup));
	list_for_each (link, &s->processes) {
		struct process *p = LIST_ITEM(link, struct process, link);

		if (p->ready && !p->ending) {
			process_tell(p, CONTROL_WAKEUP, -1);
			return;
		}
	}
	master_service_update(s);
}

struct master_service *
master_service_new(const char *name, enum master_type type)
{
	struct master_service *s = NEW(struct master_service);

	s->name = mem_strdup(name);
	s->type = type;
	list_init(&s->link);
	list_init(&s->listeners);
	list_init(&s->processes);
	return s;
}

void
master_service_close(struct master_service *s)
{
	list_for_each_safe (link, next, &s->listeners) {
		struct listener *l = LIST_ITEM(link, struct listener, link);

		listener_close(&l);
	}
}

void
master_service_free(struct master_service **s)
{
	master_service_close(*s);
	list_remove(&(*s)->link);
	task_timer_free(&(*s)->wakeup_timer);
	task_timer_free(&(*s)->throttle_timer);
	for (char **a = (*s)->arguments; a && *a; a++)
		mem_free(*a);
	mem_free((*s)->arguments);
	mem_free((*s)->name);
	mem_free((*s)->program);
	mem_free((*s)->path);
	mem_free(*s);
	*s = NULL;
}

struct master_service *
master_service_find(const struct list *services, const char *name, enum master_type type)
{
	list_for_each (link, services) {
		struct master_service *s = LIST_ITEM(link, struct master_service, link);

		if (s->type == type && strcmp(s->name, name) == 0)
			return s;
	}
	return NULL;
}

/* The old processes of this service from before a reload. */
static bool
predecessor_lives(const struct master_service *s)
{
	list_for_each (link, &master.retired) {
		struct master_service *r = LIST_ITEM(link, struct master_service, link);

		if (r->type == s->type && strcmp(r->name, s->name) == 0 &&
		    !list_is_empty(&r->processes))
			return true;
	}
	return false;
}

/* Whether one more process would be of use now. */
static bool
may_spawn(const struct master_service *s)
{
	size_t count = 0;
	bool relaxed = false, roomy = false;

	if (master.state != MASTER_RUNNING || s->retired || s->throttled)
		return false;
	if (s->one_process && (!list_is_empty(&s->processes) || predecessor_lives(s)))
		return false;
	list_for_each (link, &s->processes) {
		struct process *p = LIST_ITEM(link, struct process, link);

		if (p->ending)
			continue;
		if (!p->ready)
			return false;
		count++;
		roomy |= !p->full;
		relaxed |= !p->full && p->load < CONTROL_BUSY;
	}
	if (count >= s->max_processes || relaxed)
		return false;
	return count < s->spread || !roomy;
}

static bool
is_kept(const struct master_service *s)
{
	return s->wakeup > 0 && !s->wakeup_if_used;
}

static bool
has_process(const struct master_service *s)
{
	list_for_each (link, &s->processes) {
		if (!LIST_ITEM(link, struct process, link)->ending)
			return true;
	}
	return false;
}

void
master_service_update(struct master_service *s)
{
	bool spawn = may_spawn(s);

	if (spawn && is_kept(s) && !has_process(s)) {
		master_service_spawn(s);
		return;
	}
	for (struct list *i = s->listeners.next; i != &s->listeners; i = i->next)
		listener_watch(LIST_ITEM(i, struct listener, link), spawn);
}

/* The smallest share of the session limit that no process has. */
static size_t
free_slot(const struct master_service *s)
{
	size_t slot = 0;
	struct list *i = s->processes.next;

	while (i != &s->processes) {
		struct process *p = LIST_ITEM(i, struct process, link);

		i = i->next;
		if (!p->ending && p->slot == slot) {
			slot++;
			i = s->processes.next;
		}
	}
	return slot;
}

void
master_service_spawn(struct master_service *s)
{
	if (!may_spawn(s))
		return;
	if (!process_spawn(s, free_slot(s)))
		master_service_failed(s, 0);
	master_service_update(s);
}

/* A crash costs a pause that doubles with each in a row; the sockets stay open meanwhile. */
void
master_service_failed(struct master_service *s, nanoseconds lived)
{
	nanoseconds pause = SECOND;

	if (s->retired || master.state != MASTER_RUNNING)
		return;
	if (lived >= STABLE_AFTER)
		s->failures = 0;
	s->failures++;
	for (unsigned i = 1; i < s->failures && pause < master.values->service_throttle_time;
	     i++)
		pause *= 2;
	if (pause > master.values->service_throttle_time)
		pause = master.values->service_throttle_time;
	if (s->throttled)
		return;
	s->throttled = true;
	if (!s->throttle_timer)
		s->throttle_timer = task_timer_new(on_throttle_end, s);
	task_timer_set(s->throttle_timer, clock_deadline(pause));
	log_warn("%s/%s: next start of %s in %lld s", s->name, s->type_name, s->program,
	    (long long)(pause / SECOND));
}

void
master_service_start(struct master_service *s)
{
	if (s->wakeup > 0) {
		s->wakeup_timer = task_timer_new(on_wakeup, s);
		task_timer_set(s->wakeup_timer, clock_deadline(s->wakeup));
	}
	master_service_update(s);
}

/* Its processes finish; it is freed when the last has gone. */
void
master_service_retire(struct master_service *s)
{
	s->retired = true;
	task_timer_free(&s->wakeup_timer);
	task_timer_free(&s->throttle_timer);
	master_service_close(s);
	list_remove(&s->link);
	if (list_is_empty(&s->processes))
		master_service_free(&s);
	else
		list_append(&master.retired, &s->link);
}
