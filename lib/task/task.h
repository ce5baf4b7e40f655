/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tasks: stackful coroutines on one event loop. Code in a task is written as if it blocked;
 * each wait gives the loop to the others. One loop per process, in the thread that called
 * task_init.
 *
 * Waits return TASK_OK, TASK_TIMEOUT (the deadline passed) or TASK_CANCELLED (somebody called
 * task_cancel on the waiting task). Cancellation is sticky: every later wait of that task
 * returns TASK_CANCELLED at once, and its code unwinds by returning. Every wait has a deadline
 * (base/clock.h); DEADLINE_NEVER is for servers' accept loops. No lock may be held across a
 * wait.
 */
#ifndef TASK_TASK_H
#define TASK_TASK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/list.h"

#define TASK_STACK_SIZE (256 * 1024) /* address space; only touched pages cost memory */

enum task_result { TASK_OK, TASK_TIMEOUT, TASK_CANCELLED };

struct task;

/*
 * The loop. task_init comes first (after any fork); task_done ends what task_init began.
 *
 * Outside any task (in a command, or before task_run) task_wait_fd, task_fd_wait, task_sleep
 * and what is made of them, streams and lib/ipc included, block the thread, with or without
 * task_init; the other waits are for tasks only. A handler must not wait at all.
 */
void task_init(void);
void task_done(void);

/*
 * In a child that was forked from a running loop: drops the loop without touching what it
 * shares with the parent; signals that had a handler get the default action. The child is
 * outside any task from here on, though it may be on a task's stack, and ends by _exit.
 */
void task_forget(void);

/*
 * Runs until task_stop was called or no task and no handler is left. Called from main, outside
 * any task. With a stop, remaining tasks are cancelled and run to their end; so are tasks that
 * start later. Tasks that all wait for conditions, with nothing left that could signal one, are
 * cancelled too.
 */
void task_run(void);
void task_stop(void);

/*
 * Starts fn(argument) on its own stack at the next turn of the loop. NULL when no stack could
 * be had (then nothing was started and the caller refuses the work). The handle stays valid
 * until the task has returned AND task_release was called; most callers release at once
 * (detached). name is a constant for diagnostics.
 */
struct task *task_start(const char *name, void (*fn)(void *argument), void *argument);
void task_release(struct task *t);

/* Start and detach; false when no stack could be had. */
bool task_spawn(const char *name, void (*fn)(void *argument), void *argument);

/* Waits until t has returned. Does not release it. */
enum task_result task_join(struct task *t, nanoseconds deadline);

void task_cancel(struct task *t);
bool task_is_cancelled(void);    /* the current task */
struct task *task_current(void); /* NULL outside any task */
const char *task_name(const struct task *t);
size_t task_count(void); /* tasks started and not yet returned */

/* What a wait would return at once: cancelled, beyond a deadline, or TASK_OK. Never waits. */
enum task_result task_check(nanoseconds deadline);

/*
 * Narrows every wait of the current task: no wait lasts beyond this point, whatever its own
 * deadline. Returns the previous limit, to be restored. Initially DEADLINE_NEVER.
 */
nanoseconds task_set_deadline(nanoseconds deadline);

enum task_result task_sleep(nanoseconds span);
enum task_result task_sleep_until(nanoseconds deadline); /* TASK_OK when the time has come */
void task_yield(void);                                   /* to the end of the ready queue */

/* Waits for a descriptor. Error and hang-up count as both. The descriptor stays the caller's.
 */
enum task_wait { TASK_READ = 1, TASK_WRITE = 2 };
enum task_result task_wait_fd(int fd, enum task_wait what, nanoseconds deadline);

/*
 * The same for a descriptor that is waited for many times: it stays registered for input from
 * one wait to the next. One task at a time waits for input, any others for room. It is freed
 * before the descriptor is closed; it may outlive the loop and serve in another.
 */
struct task_fd;
struct task_fd *task_fd_new(int fd);
enum task_result task_fd_wait(struct task_fd *f, enum task_wait what, nanoseconds deadline);
void task_fd_free(struct task_fd **f); /* nobody waits for input */

/*
 * Between waits: watch registers it, in a task; while it is so and the loop has met no input
 * that nobody waited for, it is quiet.
 */
void task_fd_watch(struct task_fd *f);
bool task_fd_is_quiet(const struct task_fd *f);

/* A condition: tasks wait, a signal wakes the longest waiting one, a broadcast all. */
struct task_cond {
	struct list waiters;
};
void task_cond_init(struct task_cond *c);
enum task_result task_cond_wait(struct task_cond *c, nanoseconds deadline);
void task_cond_signal(struct task_cond *c);
void task_cond_broadcast(struct task_cond *c);

/* A counting limit: take waits for one of `count` places in order of arrival. */
struct task_limit {
	struct task_cond free;
	size_t count;
};
void task_limit_init(struct task_limit *l, size_t count);
enum task_result task_limit_take(struct task_limit *l, nanoseconds deadline);
void task_limit_give(struct task_limit *l);

/*
 * A bounded queue of pointers between tasks, served in order of arrival on both sides. close
 * wakes all; get then drains and returns TASK_OK with NULL, put returns TASK_CANCELLED.
 */
struct task_queue;
struct task_queue *task_queue_new(size_t max);
void task_queue_free(struct task_queue **q); /* no task waits in it */
enum task_result task_queue_put(struct task_queue *q, void *item, nanoseconds deadline);
enum task_result task_queue_get(struct task_queue *q, void **item, nanoseconds deadline);
bool task_queue_try_put(struct task_queue *q, void *item); /* false: full or closed */
void task_queue_close(struct task_queue *q);
size_t task_queue_count(const struct task_queue *q);

/*
 * Runs fn(argument) in a thread of the pool while the task waits, for calls that block (fsync,
 * unlink, name service). Not cancellable and without deadline: it returns when fn has returned,
 * so argument may live on the caller's stack. The pool starts with the first call; its size is
 * set before (default 16). Outside a task it simply calls fn.
 */
void task_offload(void (*fn)(void *argument), void *argument);
void task_offload_set_threads(unsigned count);
/* Starts the threads now: after dropping rights, before seccomp. Nothing without a loop. */
void task_offload_start(void);

/*
 * For calls that cost less together (many writes, one sync): fn gets in one call of a thread
 * the arguments of all tasks that came while the call before it ran, in order of arrival. Waits
 * as task_offload does. Outside a task fn is called for the one argument.
 */
#define TASK_BATCH_MAX 64 /* arguments in one call */
struct task_batch;
struct task_batch *task_batch_new(void (*fn)(void **arguments, size_t count));
void task_batch_free(struct task_batch **b); /* no task waits in it */
void task_batch_run(struct task_batch *b, void *argument);

/*
 * Handlers without a stack, run by the loop itself; they must not wait. A watch lives until it
 * is freed; a timer fires once at the deadline unless moved or freed.
 */
struct task_watch;
struct task_watch *task_watch_new(
    int fd, enum task_wait what, void (*fn)(void *), void *context);
void task_watch_enable(struct task_watch *w, bool on);
void task_watch_free(struct task_watch **w);

struct task_timer;
struct task_timer *task_timer_new(void (*fn)(void *), void *context);
void task_timer_set(struct task_timer *t, nanoseconds deadline); /* DEADLINE_NEVER: off */
void task_timer_free(struct task_timer **t);

/*
 * fn runs in the loop (not in signal context) after the signal arrived; several that arrive
 * together may be one call. NULL restores the default action.
 */
void task_on_signal(int signal_number, void (*fn)(void *), void *context);

#endif
