/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workers by account and place, started when first needed and let go when idle. A worker takes
 * many jobs at once, each over a channel of its own; channels are kept between jobs.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "local/local.h"
#include "local/worker.h"
#include "task/task.h"

#define WORKERS_MAX   100
#define WORKER_IDLE   (10 * SECOND)
#define JOB_TIME      (3600 * SECOND)
#define CHANNELS_IDLE 64 /* kept per worker */
#define KEY_SIZE      (LAUNCHER_NAME_MAX + 16)

struct channel {
	struct list link;
	struct ipc *ipc;
};

struct worker {
	char key[KEY_SIZE];
	int fd; /* channels go over it; -1 while it starts or when it is dead */
	bool starting;
	struct list channels; /* idle ones */
	size_t idle_channels;
	size_t users; /* tasks that hold a pointer to this */
	nanoseconds last_used;
};

static struct hash *workers;
static struct task_cond changed; /* a worker started, ended or became idle */
static struct task_timer *sweep;

static void
worker_close(struct worker *w)
{
	struct list *l;

	while ((l = list_pop(&w->channels))) {
		struct channel *c = LIST_ITEM(l, struct channel, link);

		ipc_free(&c->ipc);
		mem_free(c);
	}
	w->idle_channels = 0;
	file_close(&w->fd);
}

static void
worker_forget(struct worker *w)
{
	hash_remove(workers, view_of(w->key));
	worker_close(w);
	mem_free(w);
}

/* Lets go of workers that have had nothing to do; all of them when `all`. */
static void
workers_expire(nanoseconds idle_for)
{
	struct hash_iter it = { 0 };
	nanoseconds now = clock_now();

	while (hash_next(workers, &it)) {
		struct worker *w = it.value;

		if (w->users == 0 && now - w->last_used >= idle_for)
			worker_forget(w);
	}
	if (hash_count(workers))
		task_timer_set(sweep, clock_deadline(WORKER_IDLE));
}

static void
on_sweep(void *context)
{
	(void)context;
	workers_expire(WORKER_IDLE);
}

static void
pool_init(void)
{
	workers = hash_new();
	task_cond_init(&changed);
	sweep = task_timer_new(on_sweep, NULL);
}

static struct worker *
worker_new(const char *key)
{
	struct worker *w = NEW(struct worker);

	snprintf(w->key, sizeof(w->key), "%s", key);
	w->fd = -1;
	list_init(&w->channels);
	hash_put(workers, view_of(w->key), w);
	task_timer_set(sweep, clock_deadline(WORKER_IDLE));
	return w;
}

/* A worker that runs, with this task counted among its users; NULL with errno. */
static struct worker *
worker_take(const char *account, enum worker_place place)
{
	char key[KEY_SIZE];
	struct worker *w;
	int error = 0;

	snprintf(key, sizeof(key), "%d/%.*s", (int)place, LAUNCHER_NAME_MAX, account);
	if (!workers)
		pool_init();
	for (;;) {
		w = hash_find(workers, view_of(key));
		if (w || hash_count(workers) < WORKERS_MAX)
			break;
		workers_expire(0);
		if (hash_count(workers) >= WORKERS_MAX &&
		    task_cond_wait(&changed, clock_deadline(JOB_TIME)) != TASK_OK) {
			errno = EAGAIN;
			return NULL;
		}
	}
	if (!w)
		w = worker_new(key);
	w->users++;
	while (w->starting && task_cond_wait(&changed, clock_deadline(JOB_TIME)) == TASK_OK)
		;
	if (w->fd < 0 && !w->starting) {
		w->starting = true;
		w->fd = launcher_worker(account, place);
		error = errno;
		w->starting = false;
		task_cond_broadcast(&changed);
	}
	if (w->fd >= 0)
		return w;
	w->users--;
	errno = error ? error : EAGAIN;
	return NULL;
}

static void
worker_give(struct worker *w)
{
	w->users--;
	w->last_used = clock_now();
	if (w->users == 0)
		task_cond_signal(&changed);
}

static struct ipc *
channel_open(struct worker *w)
{
	struct list *l = list_pop(&w->channels);
	int pair[2];
	bool sent;

	if (l) {
		struct channel *c = LIST_ITEM(l, struct channel, link);
		struct ipc *ipc = c->ipc;

		mem_free(c);
		w->idle_channels--;
		return ipc;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return NULL;
	sent = packet_send(w->fd, "c", 1, pair[1]);
	close(pair[1]);
	if (!sent) {
		close(pair[0]);
		return NULL;
	}
	return ipc_new(pair[0]);
}

static void
channel_give(struct worker *w, struct ipc **ipc)
{
	struct channel *c;

	if (w->fd < 0 || w->idle_channels >= CHANNELS_IDLE) {
		ipc_free(ipc);
		return;
	}
	c = NEW(struct channel);
	c->ipc = *ipc;
	*ipc = NULL;
	list_prepend(&w->channels, &c->link);
	w->idle_channels++;
}

static bool
job_run(struct ipc *ipc, const struct mailbox_job *job, struct mailbox_result *result)
{
	nanoseconds deadline = clock_deadline(JOB_TIME);

	return ipc_send(ipc, &mailbox_job_message, job, deadline) == IPC_OK &&
	    ipc_flush(ipc, deadline) == IPC_OK &&
	    ipc_expect(ipc, &mailbox_result_message, result, deadline) == IPC_OK;
}

static struct outcome
outcome_of(struct arena *a, const struct mailbox_result *r)
{
	enum deliver_result result = r->result == DELIVER_SENT || r->result == DELIVER_BOUNCED
	    ? (enum deliver_result)r->result
	    : DELIVER_DEFERRED;

	return outcome_make(a, result, arena_dup(a, r->dsn), "%.*s", VIEW_ARG(r->reason));
}

static struct outcome
no_worker(struct arena *a, const char *account, int error)
{
	return outcome_make(a, DELIVER_DEFERRED, "4.3.0",
	    "cannot start a delivery process for \"%s\": %s", account,
	    error == ENOENT      ? "no such account"
		: error == EPERM ? "it is root's"
				 : strerror(error));
}

struct outcome
worker_pool_ask(struct arena *a, const char *account, enum worker_place place,
    const struct mailbox_job *job)
{
	struct worker *w = worker_take(account, place);
	struct mailbox_result result;
	struct outcome o;
	struct ipc *ipc;

	if (!w)
		return no_worker(a, account, errno);
	ipc = channel_open(w);
	if (ipc && job_run(ipc, job, &result)) {
		o = outcome_of(a, &result);
		channel_give(w, &ipc);
	} else {
		/* The worker is gone: the next one to come starts another. */
		worker_close(w);
		o = outcome_make(a, DELIVER_DEFERRED, "4.3.0",
		    "the delivery process of \"%s\" ended unexpectedly", account);
		ipc_free(&ipc);
	}
	worker_give(w);
	return o;
}
