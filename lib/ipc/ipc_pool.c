/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Idle connections to one service, the most recently used one first, so that in quiet times the
 * surplus grows old and is closed. Within a loop a timer closes the old ones; in a command,
 * that has none, they are looked at when one is taken or given.
 */
#include "ipc/ipc_pool.h"

#include "base/list.h"
#include "base/mem.h"
#include "task/task.h"

struct idle {
	struct list link;
	struct ipc *connection;
	nanoseconds since;
};

struct ipc_pool {
	char *path;
	struct list idle; /* the youngest first */
	size_t count;
	size_t max_idle;
	nanoseconds max_idle_time;
	struct task_timer *timer; /* NULL outside a loop */
};

static struct ipc *
remove_idle(struct ipc_pool *p, struct idle *idle)
{
	struct ipc *c = idle->connection;

	list_remove(&idle->link);
	mem_free(idle);
	p->count--;
	return c;
}

static void
drop_idle(struct ipc_pool *p, struct idle *idle)
{
	struct ipc *c = remove_idle(p, idle);

	ipc_free(&c);
}

static struct idle *
oldest(const struct ipc_pool *p)
{
	return p->count == 0 ? NULL : LIST_ITEM(p->idle.prev, struct idle, link);
}

static void
drop_old(void *context)
{
	struct ipc_pool *p = context;
	nanoseconds now = clock_now();
	struct idle *idle;

	while ((idle = oldest(p)) != NULL && now - idle->since >= p->max_idle_time)
		drop_idle(p, idle);
	if (p->timer != NULL)
		task_timer_set(
		    p->timer, idle == NULL ? DEADLINE_NEVER : idle->since + p->max_idle_time);
}

struct ipc_pool *
ipc_pool_new(const char *path, size_t max_idle, nanoseconds max_idle_time)
{
	struct ipc_pool *p = NEW(struct ipc_pool);

	p->path = mem_strdup(path);
	list_init(&p->idle);
	p->max_idle = max_idle;
	p->max_idle_time = max_idle_time;
	return p;
}

void
ipc_pool_free(struct ipc_pool **p)
{
	struct idle *idle;

	if (*p == NULL)
		return;
	while ((idle = oldest(*p)) != NULL)
		drop_idle(*p, idle);
	task_timer_free(&(*p)->timer);
	mem_free((*p)->path);
	mem_free(*p);
	*p = NULL;
}

struct ipc *
ipc_pool_take(struct ipc_pool *p, nanoseconds deadline, bool *reused)
{
	bool can_repeat = reused != NULL;

	drop_old(p);
	if (reused != NULL)
		*reused = true;
	while (p->count > 0) {
		struct ipc *c = remove_idle(p, LIST_ITEM(p->idle.next, struct idle, link));

		if (!(can_repeat ? ipc_seems_stale(c) : ipc_is_stale(c)))
			return c;
		ipc_free(&c);
	}
	if (reused != NULL)
		*reused = false;
	return ipc_connect(p->path, deadline);
}

void
ipc_pool_give(struct ipc_pool *p, struct ipc **c)
{
	struct idle *idle;

	if (*c == NULL)
		return;
	if (p->max_idle == 0 || ipc_seems_stale(*c)) {
		ipc_free(c);
		return;
	}
	if (p->count == p->max_idle)
		drop_idle(p, oldest(p));
	idle = NEW(struct idle);
	idle->connection = *c;
	idle->since = clock_now();
	list_prepend(&p->idle, &idle->link);
	p->count++;
	*c = NULL;
	if (p->timer == NULL && task_current() != NULL)
		p->timer = task_timer_new(drop_old, p);
	drop_old(p);
}
