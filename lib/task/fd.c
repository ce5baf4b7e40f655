/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A descriptor that is waited for again and again. It is registered for input at the first wait
 * and stays so: level-triggered, so that no wait depends on what a read before it has left.
 * When input comes that nobody waits for, the registration ends, or each turn of the loop would
 * meet it again; the next wait renews it. While it stands, nothing has come unseen.
 *
 * Waits for room are rare and have a registration of their own, beside this one.
 */
#include <assert.h>

#include "base/mem.h"
#include "task/loop.h"

struct task_fd {
	struct event event;
	struct list link; /* of loop.registered, or alone */
	struct task *reader;
	int fd;
};

struct task_fd *
task_fd_new(int fd)
{
	struct task_fd *f = NEW(struct task_fd);

	f->fd = fd;
	list_init(&f->link);
	return f;
}

static bool
is_registered(const struct task_fd *f)
{
	return !list_is_empty(&f->link);
}

static void
end_registration(struct task_fd *f)
{
	if (!is_registered(f))
		return;
	list_remove(&f->link);
	(void)event_del(&f->event);
}

static void
input_came(int fd, short events, void *context)
{
	struct task_fd *f = context;

	(void)fd;
	(void)events;
	if (f->reader != NULL)
		task_wake(f->reader, TASK_OK);
	else
		end_registration(f);
}

/* False when libevent refuses the descriptor. */
static bool
ensure_registration(struct task_fd *f)
{
	if (is_registered(f))
		return true;
	if (event_assign(
		&f->event, task_loop.base, f->fd, EV_READ | EV_PERSIST, input_came, f) != 0 ||
	    event_add(&f->event, NULL) != 0)
		return false;
	list_append(&task_loop.registered, &f->link);
	return true;
}

enum task_result
task_fd_wait(struct task_fd *f, enum task_wait what, nanoseconds deadline)
{
	enum task_result result;

	if (what != TASK_READ || task_loop.current == NULL)
		return task_wait_fd(f->fd, what, deadline);
	assert(f->reader == NULL);
	result = task_check(deadline);
	/* What is wrong with a refused descriptor the caller's next call on it says. */
	if (result != TASK_OK || !ensure_registration(f))
		return result;
	f->reader = task_loop.current;
	task_loop.sources++;
	result = task_park(deadline);
	task_loop.sources--;
	f->reader = NULL;
	return result;
}

void
task_fd_watch(struct task_fd *f)
{
	if (task_loop.current != NULL)
		(void)ensure_registration(f);
}

bool
task_fd_is_quiet(const struct task_fd *f)
{
	return is_registered(f) && task_loop.running;
}

void
task_fd_free(struct task_fd **f)
{
	if (*f == NULL)
		return;
	assert((*f)->reader == NULL);
	end_registration(*f);
	mem_free(*f);
	*f = NULL;
}

void
loop_fd_done(void)
{
	while (!list_is_empty(&task_loop.registered))
		end_registration(LIST_ITEM(task_loop.registered.next, struct task_fd, link));
}

/* In a forked child: what the kernel knows is the parent's. */
void
loop_fd_forget(void)
{
	while (list_pop(&task_loop.registered) != NULL)
		continue;
}
