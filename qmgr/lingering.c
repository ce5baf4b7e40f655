/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slots are for messages that leave at once. One that has to wait, for a slow destination or
 * its turn, keeps its slot from others: when many do so for some seconds, they get files of
 * their own.
 */
#include "base/mem.h"
#include "qmgr/qmgr.h"

#define LINGER_TIME (5 * SECOND)
#define LINGER_MAX  64 /* a quarter of the slots of one receiver */
#define LOOK_EVERY  SECOND

static struct list lingering; /* the first to have come first */
static size_t count;
static struct task_timer *timer;
static bool timer_runs;

static void
set_timer(void)
{
	if (timer_runs || count <= LINGER_MAX)
		return;
	timer_runs = true;
	task_timer_set(timer, clock_deadline(LOOK_EVERY));
}

static void
look(void *context)
{
	nanoseconds now = clock_now();

	(void)context;
	timer_runs = false;
	while (count > LINGER_MAX && !qmgr.finishing) {
		struct message *m = LIST_ITEM(lingering.next, struct message, slot_link);

		if (now - m->slot_since < LINGER_TIME)
			break;
		lingering_remove(m);
		if (m->step == MESSAGE_DELIVERING) {
			m->leave_slot = true;
			message_settle(m);
		}
	}
	set_timer();
}

void
lingering_add(struct message *m)
{
	if (!timer) {
		list_init(&lingering);
		timer = task_timer_new(look, NULL);
	}
	m->slot_since = clock_now();
	list_append(&lingering, &m->slot_link);
	count++;
	set_timer();
}

void
lingering_remove(struct message *m)
{
	if (list_is_empty(&m->slot_link))
		return;
	list_remove(&m->slot_link);
	count--;
}
