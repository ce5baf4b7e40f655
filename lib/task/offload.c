/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small pool of threads for calls that block. A task puts its job, which lies on its stack,
 * into the list and parks; a thread runs it and puts it into the list of finished jobs. The
 * first into an empty list writes to the eventfd, and the loop takes the whole list at once:
 * one write and one wake-up for all that finish together. A thread is woken for a job only when
 * one sleeps that was not woken yet.
 *
 * The threads block all signals and touch nothing of the loop.
 */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
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

static unsigned thread_max = THREADS_DEFAULT;

static struct {
	pthread_t threads[THREADS_MAX];
	unsigned count;
	struct task_watch *watch;
	int fd;

	pthread_mutex_t lock; /* for what follows */
	pthread_cond_t wanted;
	struct list jobs;
	struct list finished;
	unsigned sleeping; /* threads that sleep and were not woken for a job */
	bool ending;
} pool = { .fd = -1, .lock = PTHREAD_MUTEX_INITIALIZER, .wanted = PTHREAD_COND_INITIALIZER };

static void
finish(struct job *job)
{
	bool first = list_is_empty(&pool.finished);
	uint64_t one = 1;

	list_append(&pool.finished, &job->link);
	if (!first)
		return;
	pthread_mutex_unlock(&pool.lock);
	while (write(pool.fd, &one, sizeof(one)) < 0 && errno == EINTR)
		continue;
	pthread_mutex_lock(&pool.lock);
}

static void *
thread_main(void *argument)
{
	(void)argument;
	pthread_mutex_lock(&pool.lock);
	for (;;) {
		struct list *link = list_pop(&pool.jobs);

		if (link != NULL) {
			struct job *job = LIST_ITEM(link, struct job, link);

			pthread_mutex_unlock(&pool.lock);
			job->fn(job->argument);
			pthread_mutex_lock(&pool.lock);
			finish(job);
		} else if (pool.ending) {
			break;
		} else {
			pool.sleeping++;
			pthread_cond_wait(&pool.wanted, &pool.lock);
		}
	}
	pthread_mutex_unlock(&pool.lock);
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
	pool.sleeping = 0;
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
	bool wake;

	if (job.task != NULL && pool.fd < 0)
		task_offload_start();
	if (job.task == NULL || pool.count == 0) {
		fn(argument);
		return;
	}
	pthread_mutex_lock(&pool.lock);
	list_append(&pool.jobs, &job.link);
	wake = pool.sleeping > 0;
	if (wake)
		pool.sleeping--;
	pthread_mutex_unlock(&pool.lock);
	if (wake)
		pthread_cond_signal(&pool.wanted);
	task_loop.sources++;
	while (!job.done)
		task_park_deaf();
	task_loop.sources--;
}

void
loop_offload_done(void)
{
	if (pool.fd < 0)
		return;
	pthread_mutex_lock(&pool.lock);
	pool.ending = true;
	pthread_mutex_unlock(&pool.lock);
	pthread_cond_broadcast(&pool.wanted);
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
	pool.wanted = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
	file_close(&pool.fd);
}
