/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small pool of threads for calls that block. A task puts its job, which lies on its stack,
 * into the list and parks; a thread runs it and puts it into the list of finished jobs. The
 * first into an empty list writes to the eventfd, and the loop takes the whole list at once:
 * one write and one wake-up for all that finish together. Idle threads lie on a stack, each
 * asleep on a semaphore of its own: the last one that worked gets the next job, while its stack
 * and caches are still warm, and nobody else is disturbed.
 *
 * The threads block all signals and touch nothing of the loop.
 */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "task/loop.h"
#include "task/sanitizer.h"

#define THREADS_DEFAULT 16
#define THREADS_MAX     256

/* Name services need more than our own code does; only touched pages cost memory. */
#ifdef TASK_ASAN
#define THREAD_STACK ((size_t)2 * 1024 * 1024)
#else
#define THREAD_STACK ((size_t)256 * 1024)
#endif

struct job {
	struct list link;
	struct task *task;
	void (*fn)(void *argument);
	void *argument;
	bool done;
};

/* Lives on the stack of an idle thread. */
struct sleeper {
	struct list link;
	sem_t woken;
	struct job *job; /* what it is woken for; NULL: the end */
};

static unsigned thread_max = THREADS_DEFAULT;

static struct {
	pthread_t threads[THREADS_MAX];
	unsigned count;
	struct task_watch *watch;
	int fd;

	pthread_mutex_t lock; /* for what follows */
	struct list idle;     /* threads, the last that worked first */
	struct list jobs;     /* more than there are idle threads for */
	struct list finished;
	bool ending;
} pool = { .fd = -1, .lock = PTHREAD_MUTEX_INITIALIZER };

/* One that was taken from the idle ones. Without the lock, or it would wake up to wait for it.
 */
static void
wake(struct sleeper *s, struct job *job)
{
	s->job = job;
	sem_post(&s->woken);
}

/* Tells the loop. */
static void
ring(void)
{
	uint64_t one = 1;

	while (write(pool.fd, &one, sizeof(one)) < 0 && errno == EINTR)
		continue;
}

/*
 * Gives back a finished job (may be NULL) and takes the next one. Without one it sleeps among
 * the idle threads, and me->job is what it is woken with; at the end it does not sleep, and
 * there is no job. True when the loop is to be told.
 */
static bool
exchange(struct sleeper *me, struct job *done, bool *sleeps)
{
	struct list *link;
	bool first = false;

	pthread_mutex_lock(&pool.lock);
	if (done != NULL) {
		first = list_is_empty(&pool.finished);
		list_append(&pool.finished, &done->link);
	}
	link = list_pop(&pool.jobs);
	me->job = link != NULL ? LIST_ITEM(link, struct job, link) : NULL;
	*sleeps = link == NULL && !pool.ending;
	if (*sleeps)
		list_prepend(&pool.idle, &me->link);
	pthread_mutex_unlock(&pool.lock);
	return first;
}

static void *
thread_main(void *argument)
{
	struct sleeper me = { 0 };
	struct job *done = NULL;

	(void)argument;
	sem_init(&me.woken, 0, 0);
	for (;;) {
		bool sleeps, first = exchange(&me, done, &sleeps);

		if (first)
			ring();
		while (sleeps && sem_wait(&me.woken) != 0)
			continue;
		done = me.job;
		if (done == NULL)
			break;
		done->fn(done->argument);
	}
	sem_destroy(&me.woken);
	return NULL;
}

/* In the loop: wakes the tasks of all finished jobs. */
static void
collect(void *context)
{
	uint64_t count;
	struct list *link;

	(void)context;
	if (read(pool.fd, &count, sizeof(count)) < 0)
		return;
	pthread_mutex_lock(&pool.lock);
	while ((link = list_pop(&pool.finished)) != NULL) {
		struct job *job = LIST_ITEM(link, struct job, link);

		job->done = true;
		task_wake(job->task, TASK_OK);
	}
	pthread_mutex_unlock(&pool.lock);
}

void
task_offload_set_threads(unsigned count)
{
	thread_max = count == 0 ? 1 : count > THREADS_MAX ? THREADS_MAX : count;
}

static void
start_threads(void)
{
	pthread_attr_t attributes;
	size_t size = THREAD_STACK;
	sigset_t all, before;
	int rc = 0;

	if (size < (size_t)sysconf(_SC_THREAD_STACK_MIN))
		size = (size_t)sysconf(_SC_THREAD_STACK_MIN);
	(void)pthread_attr_init(&attributes);
	(void)pthread_attr_setstacksize(&attributes, size);
	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	for (; pool.count < thread_max && rc == 0; pool.count += (rc == 0))
		rc = pthread_create(&pool.threads[pool.count], &attributes, thread_main, NULL);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&attributes);
	if (rc != 0)
		log_warn("only %u of %u threads could be started", pool.count, thread_max);
}

void
task_offload_start(void)
{
	if (task_loop.base == NULL || pool.fd >= 0)
		return;
	list_init(&pool.jobs);
	list_init(&pool.finished);
	list_init(&pool.idle);
	pool.ending = false;
	pool.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (pool.fd < 0)
		log_fatal("cannot make an eventfd: %m");
	pool.watch = task_watch_new(pool.fd, TASK_READ, collect, NULL);
	task_loop.sources--; /* jobs count, not this */
	start_threads();
}

void
task_offload(void (*fn)(void *argument), void *argument)
{
	struct job job = { .fn = fn, .argument = argument, .task = task_loop.current };
	struct list *link;

	if (job.task != NULL && pool.fd < 0)
		task_offload_start();
	if (job.task == NULL || pool.count == 0) {
		fn(argument);
		return;
	}
	pthread_mutex_lock(&pool.lock);
	link = list_pop(&pool.idle);
	if (link == NULL)
		list_append(&pool.jobs, &job.link);
	pthread_mutex_unlock(&pool.lock);
	if (link != NULL)
		wake(LIST_ITEM(link, struct sleeper, link), &job);
	task_loop.sources++;
	while (!job.done)
		task_park_deaf();
	task_loop.sources--;
}

void
loop_offload_done(void)
{
	struct list *link;

	if (pool.fd < 0)
		return;
	pthread_mutex_lock(&pool.lock);
	pool.ending = true;
	while ((link = list_pop(&pool.idle)) != NULL)
		wake(LIST_ITEM(link, struct sleeper, link), NULL);
	pthread_mutex_unlock(&pool.lock);
	while (pool.count > 0)
		(void)pthread_join(pool.threads[--pool.count], NULL);
	task_loop.sources++;
	task_watch_free(&pool.watch);
	file_close(&pool.fd);
}

/* In a forked child there are no threads, and the lock may be held by one that is not there. */
void
loop_offload_forget(void)
{
	pool.count = 0;
	pool.watch = NULL;
	pool.lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	file_close(&pool.fd);
}
