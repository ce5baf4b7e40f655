/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers of the loop: watches, timers, signals; and a child that leaves the loop behind. */
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "task_fixture.h"

struct pair {
	int fds[2];
	struct task_watch *watches[2];
};

static void
reads_one(void *context)
{
	struct pair *p = context;
	char c;

	assert_null(task_current());
	assert_int_equal(read(p->fds[0], &c, 1), 1);
	done++;
	if (done == 2)
		task_watch_enable(p->watches[0], false);
	else if (done == 3)
		task_watch_free(&p->watches[0]);
}

static void
writes_some(void *argument)
{
	struct pair *p = argument;

	assert_int_equal(write(p->fds[1], "abc", 3), 3);
	while (done < 2)
		task_sleep(MILLISECOND);
	task_sleep(3 * MILLISECOND);
	assert_int_equal(done, 2); /* it is off */
	task_watch_enable(p->watches[0], true);
}

static void
watches_fire_until_freed(void **state)
{
	struct pair p;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p.fds), 0);
	p.watches[0] = task_watch_new(p.fds[0], TASK_READ, reads_one, &p);
	assert_true(task_spawn("writes", writes_some, &p));
	task_run(); /* ends because the handler frees the watch */
	assert_int_equal(done, 3);
	file_close(&p.fds[0]);
	file_close(&p.fds[1]);
}

static void
frees_both(void *context)
{
	struct pair *p = context;

	done++;
	task_watch_free(&p->watches[0]);
	task_watch_free(&p->watches[1]);
}

/* Two watches fire in the same turn; the first handler frees the second. */
static void
a_freed_watch_does_not_fire(void **state)
{
	struct pair p;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p.fds), 0);
	for (int i = 0; i < 2; i++)
		p.watches[i] = task_watch_new(p.fds[i], TASK_WRITE, frees_both, &p);
	task_run();
	assert_int_equal(done, 1);
	file_close(&p.fds[0]);
	file_close(&p.fds[1]);
}

static struct task_timer *timers[4];
static unsigned char fired[8];

static void
timer_fires(void *context)
{
	struct task_timer **timer = context;

	fired[done++] = (unsigned char)(timer - timers);
}

static void
timers_fire_in_order_and_once(void **state)
{
	nanoseconds now = clock_now();

	(void)state;
	for (int i = 0; i < 4; i++)
		timers[i] = task_timer_new(timer_fires, &timers[i]);
	task_timer_set(timers[0], now + 20 * MILLISECOND);
	task_timer_set(timers[1], now + 5 * MILLISECOND);
	task_timer_set(timers[2], now + 1 * MILLISECOND);
	task_timer_set(timers[2], now + 10 * MILLISECOND); /* moved */
	task_timer_set(timers[3], now + 1 * MILLISECOND);
	task_timer_set(timers[3], DEADLINE_NEVER); /* off */
	task_run();
	assert_true(clock_now() >= now + 20 * MILLISECOND);
	assert_int_equal(done, 3);
	assert_memory_equal(fired, ((unsigned char[]){ 1, 2, 0 }), 3);
	task_timer_set(timers[0], now); /* in the past: at the next turn */
	task_run();
	assert_int_equal(done, 4);
	for (int i = 0; i < 4; i++)
		task_timer_free(&timers[i]);
}

static void
signal_came(void *context)
{
	assert_null(task_current());
	done++;
	if (done == 1)
		assert_int_equal(kill(getpid(), SIGUSR2), 0);
	else
		task_on_signal(*(int *)context, NULL, NULL);
	if (done == 2)
		task_on_signal(SIGUSR1, NULL, NULL);
}

static void
raises(void *argument)
{
	(void)argument;
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
}

static void
signals_run_in_the_loop(void **state)
{
	static int usr1 = SIGUSR1, usr2 = SIGUSR2;

	(void)state;
	task_on_signal(SIGUSR1, signal_came, &usr1);
	task_on_signal(SIGUSR2, signal_came, &usr2);
	assert_true(task_spawn("raises", raises, NULL));
	task_run(); /* ends because no handler is left */
	assert_int_equal(done, 2);
}

static void
forks(void *argument)
{
	pid_t child = fork();
	int status;

	(void)argument;
	assert_true(child >= 0);
	if (child == 0) {
		task_forget();
		if (task_current() != NULL || task_sleep(MILLISECOND) != TASK_OK)
			_exit(1);
		(void)raise(SIGUSR1); /* the default action again */
		_exit(2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1);
	assert_int_equal(task_sleep(MILLISECOND), TASK_OK);
	assert_int_equal(done, 0); /* nothing of it reached the parent */
	task_on_signal(SIGUSR1, NULL, NULL);
	done++;
}

static void
a_child_leaves_the_loop_behind(void **state)
{
	static int usr1 = SIGUSR1;

	(void)state;
	task_on_signal(SIGUSR1, signal_came, &usr1);
	assert_true(task_spawn("forks", forks, NULL));
	task_run();
	assert_int_equal(done, 1);
	(void)soon;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(watches_fire_until_freed),
		TEST(a_freed_watch_does_not_fire),
		TEST(timers_fire_in_order_and_once),
		TEST(signals_run_in_the_loop),
		TEST(a_child_leaves_the_loop_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
