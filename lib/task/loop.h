/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to lib/task: the one loop of the process, and the primitive under every wait: a task
 * parks, somebody wakes it with a result.
 */
#ifndef TASK_LOOP_H
#define TASK_LOOP_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/heap.h"
#include "task/context.h"
#include "task/stack.h"
#include "task/task.h"

/* A point in time at which fire runs, in the loop. Zeroed: not set. */
struct loop_timer {
	struct heap_node node;
	void (*fire)(struct loop_timer *timer);
};

enum task_state { TASK_IS_READY, TASK_IS_RUNNING, TASK_IS_PARKED, TASK_IS_DONE };

/* Lies at the top of its own stack. */
struct task {
	struct context context;
	struct list link;   /* in the ready queue, or wherever it parked itself */
	struct list member; /* of loop.tasks */
	struct list joiners;
	enum task_state state;
	enum task_result result; /* of the wait that ended */
	bool cancelled;
	bool released;
	bool deaf;    /* the present wait does not end by cancellation */
	bool ran;     /* since the last sweep */
	bool trimmed; /* since it ran */
	nanoseconds wait_until;
	nanoseconds limit; /* of task_set_deadline */
	struct loop_timer timer;
	struct stack stack;
	const char *resting; /* where its stack ended when it was left, about */
	void *fake_stack;    /* AddressSanitizer's */
	const char *name;
	void (*fn)(void *argument);
	void *argument;
};

struct loop {
	struct event_base *base;      /* NULL before task_init */
	struct event_base *forgotten; /* in a forked child: still reachable, not a leak */
	struct task *current;         /* NULL outside any task */
	struct context context;       /* of task_run */
	struct list ready;
	struct list tasks;
	size_t count;
	unsigned long turn;
	size_t sources; /* what can still wake something: descriptors, signals, threads */
	struct heap timers;
	struct event tick; /* libevent's timer for the first of ours */
	nanoseconds tick_at;
	struct list fired;      /* watches whose handler is to run */
	struct list registered; /* every task_fd that libevent knows */
	bool running;
	bool stopping;
	bool in_handler;
	struct loop_timer sweep;
	struct list *sweep_next;
	size_t sweep_quiet; /* tasks seen since one that had run */
	void *fake_stack;
	const void *main_stack;
	size_t main_stack_size;
};

extern struct loop task_loop;

/*
 * Parks the current task until task_wake, its deadline, or its cancellation. The caller has put
 * t->link into a list or left it alone; afterwards it is in none.
 */
enum task_result task_park(nanoseconds deadline);

/* Parks until task_wake, whatever happens. */
void task_park_deaf(void);

/* Ends the wait of a parked task; nothing for any other. */
void task_wake(struct task *t, enum task_result result);

/* Switches from the loop to a ready task, until that parks or ends. */
void task_resume(struct task *t);

void task_cancel_all(void);

void loop_timer_set(struct loop_timer *timer, nanoseconds at); /* DEADLINE_NEVER: off */

/* Parts with a life of their own between task_init and task_done. */
void loop_watch_run(void); /* the handlers of watches that fired */
void loop_fd_done(void);
void loop_fd_forget(void);
void loop_signal_done(void);
void loop_offload_done(void);
void loop_offload_forget(void);

#endif
