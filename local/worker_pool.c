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
#include "local/packet.h"
#include "mail/dsn.h"
#include "task/task.h"

#define WORKERS_MAX   100
#define WORKER_IDLE   (10 * SECOND)
#define JOB_TIME      (3600 * SECOND)
#define CHANNELS_IDLE 16             /* kept per worker */
#define WORKER_AGE    (600 * SECOND) /* then a new one, which sees changes of the account */
#define START_TRIES   2
#define REASON_MAX    1000
#define KEY_SIZE      (LAUNCHER_NAME_MAX + 16)

struct channel {
	struct list link;
	struct ipc *ipc;
};

struct worker {
	char key[KEY_SIZE];
	int fd; /* channels go over it; -1 while it starts or when it is dead */
	bool starting;
	unsigned generation; /* which of the processes that had this place */
	nanoseconds started;
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

/* Lets go of workers that have had nothing to do for so long. */
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

static void
worker_give(struct worker *w)
{
	w->users--;
	w->last_used = clock_now();
	if (w->users == 0)
		task_cond_broadcast(&changed);
}

/* The worker of that key, or room for one; NULL with errno when there is none for long. */
static struct worker *
worker_place_take(const char *key)
{
	nanoseconds deadline = clock_deadline(JOB_TIME);

	for (;;) {
		struct worker *w = hash_find(workers, view_of(key));

		if (w)
			return w;
		if (hash_count(workers) >= WORKERS_MAX)
			workers_expire(0);
		if (hash_count(workers) < WORKERS_MAX)
			return worker_new(key);
		if (task_cond_wait(&changed, deadline) != TASK_OK) {
			errno = EAGAIN;
			return NULL;
		}
	}
}

/* 0 or errno. */
static int
worker_start(struct worker *w, const char *account, enum worker_place place)
{
	int error = 0;

	w->starting = true;
	w->fd = launcher_worker(account, place);
	if (w->fd < 0)
		error = errno;
	w->starting = false;
	w->generation++;
	w->started = clock_now();
	task_cond_broadcast(&changed);
	return error;
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
	w = worker_place_take(key);
	if (!w)
		return NULL;
	w->users++;
	while (w->starting && task_cond_wait(&changed, clock_deadline(JOB_TIME)) == TASK_OK)
		;
	if (w->fd >= 0 && clock_now() - w->started > WORKER_AGE)
		worker_close(w);
	if (w->fd < 0 && !w->starting)
		error = worker_start(w, account, place);
	if (w->fd >= 0)
		return w;
	worker_give(w);
	errno = error ? error : EAGAIN;
	return NULL;
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
channel_give(struct worker *w, unsigned generation, struct ipc **ipc)
{
	struct channel *c;

	if (w->fd < 0 || w->generation != generation || w->idle_channels >= CHANNELS_IDLE) {
		ipc_free(ipc);
		return;
	}
	c = NEW(struct channel);
	c->ipc = *ipc;
	*ipc = NULL;
	list_prepend(&w->channels, &c->link);
	w->idle_channels++;
}

enum ask { ASK_DONE, ASK_NOT_SENT, ASK_NO_ANSWER };

static enum ask
job_run(struct ipc *ipc, const struct mailbox_job *job, struct mailbox_result *result)
{
	nanoseconds deadline = clock_deadline(JOB_TIME);

	if (ipc_send(ipc, &mailbox_job_message, job, deadline) != IPC_OK ||
	    ipc_flush(ipc, deadline) != IPC_OK)
		return ASK_NOT_SENT;
	return ipc_expect(ipc, &mailbox_result_message, result, deadline) == IPC_OK
	    ? ASK_DONE
	    : ASK_NO_ANSWER;
}

/* The worker is the recipient's process: what it says is not believed without a look. */
static struct outcome
outcome_of(struct arena *a, const struct mailbox_result *r)
{
	static const char classes[] = {
		[DELIVER_SENT] = '2', [DELIVER_DEFERRED] = '4', [DELIVER_BOUNCED] = '5'
	};
	struct view reason = view_sub(r->reason, 0, REASON_MAX);

	if (r->result < DELIVER_SENT || r->result > DELIVER_BOUNCED || !dsn_is_valid(r->dsn) ||
	    r->dsn.p[0] != classes[r->result])
		return outcome_make(a, DELIVER_DEFERRED, "4.3.0",
		    "the delivery process gave an answer that makes no sense");
	return outcome_make(
	    a, (enum deliver_result)r->result, arena_dup(a, r->dsn), "%.*s", VIEW_ARG(reason));
}

static struct outcome
no_worker(struct arena *a, const char *account, int error)
{
	return outcome_make(a, DELIVER_DEFERRED, "4.3.0",
	    "cannot start a delivery process for \"%s\": %s", account,
	    error == ENOENT      ? "no such account"
		: error == EPERM ? "it would have the rights of root or of a service"
				 : strerror(error));
}

/* One try with one worker. */
static enum ask
worker_ask(struct worker *w, struct arena *a, const struct mailbox_job *job, struct outcome *o)
{
	unsigned generation = w->generation;
	struct ipc *ipc = channel_open(w);
	struct mailbox_result result;
	enum ask ask = ipc ? job_run(ipc, job, &result) : ASK_NOT_SENT;

	if (ask == ASK_DONE) {
		*o = outcome_of(a, &result);
		channel_give(w, generation, &ipc);
		return ask;
	}
	ipc_free(&ipc);
	/* The worker is gone: the next one to come starts another. */
	if (w->generation == generation)
		worker_close(w);
	return ask;
}

struct outcome
worker_pool_ask(struct arena *a, const char *account, enum worker_place place,
    const struct mailbox_job *job)
{
	enum ask ask = ASK_NOT_SENT;
	struct outcome o;

	/* A worker that died while it had nothing to do costs no delivery. */
	for (int i = 0; i < START_TRIES && ask == ASK_NOT_SENT; i++) {
		struct worker *w = worker_take(account, place);

		if (!w)
			return no_worker(a, account, errno);
		ask = worker_ask(w, a, job, &o);
		worker_give(w);
	}
	if (ask != ASK_DONE)
		o = outcome_make(a, DELIVER_DEFERRED, "4.3.0",
		    "the delivery process of \"%s\" ended unexpectedly", account);
	return o;
}
