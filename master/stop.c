/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end in three steps: sockets closed and processes asked to finish; after STOP_GRACE,
 * SIGTERM, on which sessions are cancelled; after KILL_GRACE more, SIGKILL. It is over as soon
 * as no process is left. Abort begins with the last step.
 */
#include <signal.h>
#include <string.h>

#include "base/log.h"
#include "master/master.h"
#include "service/control.h"
#include "service/notify.h"

#define STOP_GRACE (5 * SECOND)
#define KILL_GRACE (3 * SECOND)

static struct task_timer *stop_timer;
static int next_signal;

static void
on_grace_end(void *context)
{
	(void)context;
	log_info("processes that did not finish get signal %d", next_signal);
	processes_kill_all(next_signal);
	next_signal = SIGKILL;
	task_timer_set(stop_timer, clock_deadline(KILL_GRACE));
}

static void
begin(void)
{
	master.state = MASTER_STOPPING;
	notify_stopping();
	list_for_each (link, &master.services) {
		struct master_service *s = LIST_ITEM(link, struct master_service, link);

		master_service_close(s);
		task_timer_free(&s->wakeup_timer);
		task_timer_free(&s->throttle_timer);
	}
	if (!stop_timer)
		stop_timer = task_timer_new(on_grace_end, NULL);
}

void
master_stop(void *context)
{
	(void)context;
	if (master.state == MASTER_STOPPING)
		return;
	log_info("terminating on signal %d", SIGTERM);
	begin();
	processes_tell_all(CONTROL_FINISH, -1);
	next_signal = SIGTERM;
	task_timer_set(stop_timer, clock_deadline(STOP_GRACE));
	master_check_stopped();
}

void
master_abort(void *context)
{
	(void)context;
	log_info("terminating on signal %d", SIGQUIT);
	begin();
	next_signal = SIGKILL;
	processes_kill_all(SIGKILL);
	task_timer_set(stop_timer, clock_deadline(KILL_GRACE));
	master_check_stopped();
}

void
master_check_stopped(void)
{
	if (master.state != MASTER_STOPPING || !list_is_empty(&master.processes))
		return;
	task_timer_free(&stop_timer);
	task_stop();
}
