/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors that stay registered between waits: what the kernel is told, and what becomes of
 * it when the descriptor, the wait, the process or the loop ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "task/sanitizer.h"
#include "task/task.h"

/* One end of a socket pair with its registration, and the other end. */
struct end {
	int fd;
	int peer;
	struct task_fd *waits;
	struct task *task;
};

static struct end end;
static unsigned done;

static void
end_open(struct end *e)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	*e = (struct end){ fds[0], fds[1], task_fd_new(fds[0]), NULL };
}

static void
end_close(struct end *e)
{
	task_fd_free(&e->waits);
	file_close(&e->fd);
	file_close(&e->peer);
}

static int
setup(void **state)
{
	(void)state;
	done = 0;
	task_init();
	end_open(&end);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	end_close(&end);
	task_done();
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static nanoseconds
soon(void)
{
	return clock_deadline(20 * SECOND);
}

/* Not over before the wait has begun, however slow this process is. */
static nanoseconds
in_a_moment(void)
{
	return clock_deadline(50 * MILLISECOND);
}

static void
run(void (*fn)(void *))
{
	assert_true(task_spawn("test", fn, NULL));
	task_run();
}

static void
put(int fd)
{
	assert_int_equal(write(fd, "x", 1), 1);
}

static void
take(int fd)
{
	char c;

	assert_int_equal(read(fd, &c, 1), 1);
}

/* Does this open file, an epoll instance, watch the descriptor? */
static bool
epoll_has(const char *number, int fd)
{
	char path[64], line[256];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%s", number);
	f = fopen(path, "r");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, "tfd:", 4) == 0 && strtol(line + 4, NULL, 10) == fd)
			found = true;
	}
	if (f != NULL)
		fclose(f);
	return found;
}

/* Does the kernel watch the descriptor for this process? */
static bool
is_known(int fd)
{
	DIR *d = opendir("/proc/self/fd");
	bool found = false;
	struct dirent *entry;

	assert_non_null(d);
	while ((entry = readdir(d)) != NULL)
		found = found || epoll_has(entry->d_name, fd);
	closedir(d);
	return found;
}

static void
waits_twice(void *argument)
{
	(void)argument;
	for (int i = 0; i < 2; i++) {
		put(end.peer);
		assert_int_equal(task_fd_wait(end.waits, TASK_READ, soon()), TASK_OK);
		take(end.fd);
		assert_int_equal(task_sleep(MILLISECOND), TASK_OK);
		assert_true(is_known(end.fd));
	}
	assert_int_equal(task_fd_wait(end.waits, TASK_READ, in_a_moment()), TASK_TIMEOUT);
	assert_true(is_known(end.fd));
}

static void
stays_registered_between_waits(void **state)
{
	(void)state;
	assert_false(is_known(end.fd));
	run(waits_twice);
	task_fd_free(&end.waits);
	assert_false(is_known(end.fd));
}

/* The loop does not spin on it, and the next wait finds it. */
static void
is_elsewhere_when_input_comes(void *argument)
{
	(void)argument;
	put(end.peer);
	put(end.peer);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(task_fd_wait(end.waits, TASK_READ, soon()), TASK_OK);
		take(end.fd);
		assert_int_equal(task_sleep(MILLISECOND), TASK_OK);
		assert_int_equal(is_known(end.fd), i == 1);
	}
	file_close(&end.peer);
	assert_int_equal(task_sleep(MILLISECOND), TASK_OK);
	assert_false(is_known(end.fd));
	assert_int_equal(task_fd_wait(end.waits, TASK_READ, soon()), TASK_OK);
}

static void
input_that_nobody_waits_for(void **state)
{
	(void)state;
	run(is_elsewhere_when_input_comes);
}

static void
is_watched(void *argument)
{
	(void)argument;
	assert_false(task_fd_is_quiet(end.waits));
	task_fd_watch(end.waits);
	assert_true(is_known(end.fd));
	assert_int_equal(task_sleep(MILLISECOND), TASK_OK);
	assert_true(task_fd_is_quiet(end.waits));
	put(end.peer);
	assert_int_equal(task_sleep(MILLISECOND), TASK_OK);
	assert_false(task_fd_is_quiet(end.waits));
	take(end.fd);
	assert_int_equal(task_fd_wait(end.waits, TASK_READ, in_a_moment()), TASK_TIMEOUT);
	assert_true(task_fd_is_quiet(end.waits));
	file_close(&end.peer);
	assert_int_equal(task_sleep(MILLISECOND), TASK_OK);
	assert_false(task_fd_is_quiet(end.waits));
}

static void
watched_between_waits(void **state)
{
	(void)state;
	task_fd_watch(end.waits); /* no loop runs: nobody would see anything */
	assert_false(task_fd_is_quiet(end.waits));
	run(is_watched);
}

static void
waits_to_read(void *argument)
{
	(void)argument;
	assert_int_equal(task_fd_wait(end.waits, TASK_READ, soon()), TASK_OK);
	take(end.fd);
	done++;
}

static void
waits_to_write(void *argument)
{
	static char block[4096];

	(void)argument;
	while (write(end.fd, block, sizeof(block)) > 0)
		continue;
	assert_int_equal(task_fd_wait(end.waits, TASK_WRITE, soon()), TASK_OK);
	assert_true(write(end.fd, block, sizeof(block)) > 0);
	done++;
}

static void
serves_both(void *argument)
{
	static char block[4096];

	(void)argument;
	assert_int_equal(task_sleep(MILLISECOND), TASK_OK);
	assert_int_equal(done, 0);
	while (read(end.peer, block, sizeof(block)) > 0)
		continue;
	assert_int_equal(task_sleep(MILLISECOND), TASK_OK);
	assert_int_equal(done, 1);
	put(end.peer);
}

static void
one_reads_and_one_writes(void **state)
{
	(void)state;
	assert_true(task_spawn("reads", waits_to_read, NULL));
	assert_true(task_spawn("writes", waits_to_write, NULL));
	assert_true(task_spawn("serves", serves_both, NULL));
	task_run();
	assert_int_equal(done, 2);
}

/* Each turn the same number is another socket, though the one before is still open elsewhere.
 */
static void
reuses_numbers(void *argument)
{
	(void)argument;
	for (int i = 0; i < 100; i++) {
		int number = end.fd;
		int kept = dup(end.fd);
		int peer = end.peer;

		put(end.peer);
		assert_int_equal(task_fd_wait(end.waits, TASK_READ, soon()), TASK_OK);
		end.peer = -1;
		end_close(&end);
		assert_false(is_known(number));
		end_open(&end);
		assert_int_equal(end.fd, number);
		assert_int_equal(
		    task_fd_wait(end.waits, TASK_READ, clock_deadline(MILLISECOND / 10)),
		    TASK_TIMEOUT);
		file_close(&kept);
		file_close(&peer);
	}
}

static void
closed_and_reused_descriptors(void **state)
{
	(void)state;
	run(reuses_numbers);
}

static void
is_cancelled(void *argument)
{
	(void)argument;
	assert_int_equal(task_fd_wait(end.waits, TASK_READ, soon()), TASK_CANCELLED);
	put(end.peer);
	assert_int_equal(task_fd_wait(end.waits, TASK_READ, soon()), TASK_CANCELLED);
	done++;
}

static void
cancels(void *argument)
{
	(void)argument;
	task_cancel(end.task);
	assert_int_equal(task_join(end.task, soon()), TASK_OK);
	task_release(end.task);
	waits_to_read(NULL);
}

/* Whoever waits next does so as if nothing had happened. */
static void
cancelled_waits(void **state)
{
	(void)state;
	end.task = task_start("is cancelled", is_cancelled, NULL);
	assert_non_null(end.task);
	run(cancels);
	assert_int_equal(done, 2);
}

static void
shares_a_socket_and_a_loop(void *argument)
{
	int status;
	pid_t child;

	(void)argument;
	assert_int_equal(task_fd_wait(end.waits, TASK_READ, in_a_moment()), TASK_TIMEOUT);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		task_forget();
		put(end.peer);
		if (task_fd_wait(end.waits, TASK_READ, soon()) != TASK_OK)
			_exit(1);
		end_close(&end);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true(is_known(end.fd));
	waits_to_read(NULL);
}

static void
a_child_leaves_the_registration_alone(void **state)
{
	(void)state;
	run(shares_a_socket_and_a_loop);
	assert_int_equal(done, 1);
}

static void
blocks_outside_a_task(void **state)
{
	(void)state;
	assert_int_equal(task_fd_wait(end.waits, TASK_READ, in_a_moment()), TASK_TIMEOUT);
	assert_int_equal(task_fd_wait(end.waits, TASK_WRITE, soon()), TASK_OK);
	assert_false(is_known(end.fd));
	put(end.peer);
	run(waits_to_read);
	put(end.peer);
	assert_int_equal(task_fd_wait(end.waits, TASK_READ, soon()), TASK_OK);
}

static void
outlives_the_loop(void **state)
{
	(void)state;
	for (unsigned i = 1; i <= 3; i++) {
		put(end.peer);
		run(waits_to_read);
		assert_int_equal(done, i);
		task_done();
		if (i == 3)
			end_close(&end);
		task_init();
	}
}

static void
waits_for_a_file(void *argument)
{
	FILE *f = tmpfile();
	struct task_fd *waits;

	(void)argument;
	assert_non_null(f);
	waits = task_fd_new(fileno(f));
	for (int i = 0; i < 2; i++)
		assert_int_equal(task_fd_wait(waits, TASK_READ, soon()), TASK_OK);
	task_fd_free(&waits);
	fclose(f);
}

static void
files_are_always_ready(void **state)
{
	(void)state;
	run(waits_for_a_file);
}

#ifdef TASK_ASAN
#define MANY 2000
#else
#define MANY 100000
#endif

static int *many;
static unsigned many_count;

static void
is_one_of_many(void *argument)
{
	int *fd = argument;
	struct task_fd *waits = task_fd_new(*fd);
	eventfd_t count;

	for (int i = 0; i < 2; i++) {
		assert_int_equal(task_fd_wait(waits, TASK_READ, soon()), TASK_OK);
		assert_int_equal(eventfd_read(*fd, &count), 0);
		done++;
	}
	task_fd_free(&waits);
	file_close(fd);
}

static void
wakes_many_twice(void *argument)
{
	(void)argument;
	for (unsigned round = 1; round <= 2; round++) {
		for (unsigned i = 0; i < many_count; i++)
			assert_int_equal(eventfd_write(many[i], 1), 0);
		while (done < round * many_count)
			assert_int_equal(task_sleep(MILLISECOND), TASK_OK);
	}
}

/* As many as this process may open. */
static void
very_many_descriptors(void **state)
{
	struct rlimit limit;

	(void)state;
	many = mem_alloc(MANY * sizeof(*many));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (many_count = 0; many_count < MANY; many_count++) {
		many[many_count] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (many[many_count] < 0)
			break;
	}
	assert_true(many_count > 500);
	for (unsigned i = 0; i < many_count; i++)
		assert_true(task_spawn("many", is_one_of_many, &many[i]));
	assert_true(task_spawn("wakes", wakes_many_twice, NULL));
	task_run();
	assert_int_equal(done, 2 * many_count);
	mem_free(many);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(stays_registered_between_waits),
		TEST(input_that_nobody_waits_for),
		TEST(watched_between_waits),
		TEST(one_reads_and_one_writes),
		TEST(closed_and_reused_descriptors),
		TEST(cancelled_waits),
		TEST(a_child_leaves_the_registration_alone),
		TEST(blocks_outside_a_task),
		TEST(outlives_the_loop),
		TEST(files_are_always_ready),
		TEST(very_many_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
