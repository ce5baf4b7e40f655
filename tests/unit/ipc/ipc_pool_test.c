/* SPDX-License-Identifier: Apache-2.0 */
/* Kept connections: reuse, the limit on idle ones, their age, and those that died meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "ipc/ipc_pool.h"
#include "task/task.h"

static char directory[] = "/tmp/postern-pool-XXXXXX";
static char path[64];
static int listener = -1;
static bool finished;

static nanoseconds
soon(void)
{
	return clock_deadline(20 * SECOND);
}

static int
setup(void **state)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/postern-pool-XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/s", directory);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(listener >= 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(listener, 1), 0);
	finished = false;
	task_init();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	task_done();
	file_close(&listener);
	(void)unlink(path);
	(void)rmdir(directory);
	return 0;
}

static void
run(void (*fn)(void *))
{
	assert_true(task_spawn("test", fn, NULL));
	task_run();
	assert_true(finished);
}

static int
accepted(void)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void
reuses(void *argument)
{
	struct ipc_pool *p = ipc_pool_new(path, 2, 60 * SECOND);
	struct ipc *c[3];
	int peer[3];
	bool reused;

	(void)argument;
	for (int i = 0; i < 3; i++) {
		c[i] = ipc_pool_take(p, soon(), &reused);
		assert_non_null(c[i]);
		assert_false(reused);
		peer[i] = accepted();
	}
	for (int i = 0; i < 3; i++) {
		ipc_pool_give(p, &c[i]);
		assert_null(c[i]);
	}
	/* Two are kept, the oldest was closed. */
	char byte;

	assert_int_equal(recv(peer[0], &byte, 1, MSG_DONTWAIT), 0);
	assert_int_equal(recv(peer[1], &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(recv(peer[2], &byte, 1, MSG_DONTWAIT), -1);
	/* The youngest is first; one that was closed, or has spoken unasked, is passed over. */
	c[0] = ipc_pool_take(p, soon(), &reused);
	assert_true(reused);
	assert_int_equal(send(peer[2], "x", 1, 0), 1);
	assert_int_equal(task_sleep(MILLISECOND), TASK_OK); /* the loop sees it */
	ipc_pool_give(p, &c[0]);
	assert_int_equal(recv(peer[2], &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, ECONNRESET); /* closed, and the byte was never read */
	file_close(&peer[1]);
	assert_int_equal(task_sleep(MILLISECOND), TASK_OK);
	c[0] = ipc_pool_take(p, soon(), &reused);
	assert_non_null(c[0]);
	assert_false(reused);
	ipc_free(&c[0]);
	file_close(&peer[0]);
	file_close(&peer[2]);
	ipc_pool_free(&p);
	finished = true;
}

static void
connections_are_reused(void **state)
{
	(void)state;
	run(reuses);
}

/* Who cannot ask again gets no dead connection, though the loop has not seen its end yet. */
static void
takes_one_that_just_died(void *argument)
{
	struct ipc_pool *p = ipc_pool_new(path, 2, 60 * SECOND);
	struct ipc *c = ipc_pool_take(p, soon(), NULL);
	int peer = accepted();
	bool reused;

	(void)argument;
	ipc_pool_give(p, &c);
	c = ipc_pool_take(p, soon(), &reused);
	assert_true(reused);
	ipc_pool_give(p, &c);
	file_close(&peer);
	c = ipc_pool_take(p, soon(), NULL);
	assert_non_null(c);
	peer = accepted();
	ipc_free(&c);
	file_close(&peer);
	ipc_pool_free(&p);
	finished = true;
}

static void
a_dead_connection_is_replaced(void **state)
{
	(void)state;
	run(takes_one_that_just_died);
}

static void
grows_old(void *argument)
{
	struct ipc_pool *p = ipc_pool_new(path, 2, 20 * MILLISECOND);
	struct ipc *c = ipc_pool_take(p, soon(), NULL);
	int peer = accepted();
	char byte;

	(void)argument;
	assert_true(fd_set_nonblocking(peer));
	ipc_pool_give(p, &c);
	assert_int_equal(recv(peer, &byte, 1, 0), -1);
	assert_int_equal(task_wait_fd(peer, TASK_READ, soon()), TASK_OK);
	assert_int_equal(recv(peer, &byte, 1, 0), 0); /* closed by the timer */
	file_close(&peer);
	ipc_pool_free(&p);
	finished = true;
}

static void
idle_connections_grow_old(void **state)
{
	(void)state;
	run(grows_old);
}

static void
connects_to_full(void *argument)
{
	struct ipc *c[8];
	size_t n = 0;
	bool was_full = false;

	(void)argument;
	/* A full backlog is waited for, not an error. */
	while (n < 8 && !was_full) {
		c[n] = ipc_connect(path, clock_deadline(10 * MILLISECOND));
		if (c[n] != NULL) {
			n++;
			continue;
		}
		assert_int_equal(errno, ETIMEDOUT);
		was_full = true;
	}
	assert_true(was_full);
	while (n > 0)
		ipc_free(&c[--n]);
	finished = true;
}

static void
a_full_backlog_is_waited_for(void **state)
{
	(void)state;
	run(connects_to_full);
}

static void
nobody_listens(void **state)
{
	struct ipc_pool *p = ipc_pool_new("/nonexistent/socket", 2, SECOND);

	(void)state;
	assert_null(ipc_pool_take(p, soon(), NULL));
	assert_int_equal(errno, ENOENT);
	ipc_pool_free(&p);
	ipc_pool_free(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(connections_are_reused, setup, teardown),
		cmocka_unit_test_setup_teardown(a_dead_connection_is_replaced, setup, teardown),
		cmocka_unit_test_setup_teardown(idle_connections_grow_old, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_backlog_is_waited_for, setup, teardown),
		cmocka_unit_test(nobody_listens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
