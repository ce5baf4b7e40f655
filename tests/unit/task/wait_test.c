/* SPDX-License-Identifier: Apache-2.0 */
/* Every kind of wait: that it is served, that it times out, that it is cancelled, in order. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "task_fixture.h"

/*
 * The table of waits. Each begins with nothing to wait for; `serve` provides it.
 */
struct waiting {
	int fds[2];
	struct task_cond cond;
	struct task_limit limit;
	struct task_queue *queue;
	struct task *task;
	size_t kind;
	nanoseconds deadline;
	enum task_result result;
	bool ended;
};

static enum task_result
wait_read(struct waiting *w)
{
	return task_wait_fd(w->fds[0], TASK_READ, w->deadline);
}

static void
serve_read(struct waiting *w)
{
	assert_int_equal(write(w->fds[1], "x", 1), 1);
}

static enum task_result
wait_write(struct waiting *w)
{
	static const char bytes[4096];

	while (write(w->fds[0], bytes, sizeof(bytes)) > 0)
		continue;
	return task_wait_fd(w->fds[0], TASK_WRITE, w->deadline);
}

static void
serve_write(struct waiting *w)
{
	static char bytes[65536];

	while (read(w->fds[1], bytes, sizeof(bytes)) > 0)
		continue;
}

static enum task_result
wait_both(struct waiting *w)
{
	while (write(w->fds[0], "x", 1) > 0)
		continue;
	return task_wait_fd(w->fds[0], TASK_READ | TASK_WRITE, w->deadline);
}

static void
serve_by_closing(struct waiting *w)
{
	file_close(&w->fds[1]);
}

static enum task_result
wait_cond(struct waiting *w)
{
	return task_cond_wait(&w->cond, w->deadline);
}

static void
serve_cond(struct waiting *w)
{
	task_cond_signal(&w->cond);
}

static void
serve_broadcast(struct waiting *w)
{
	task_cond_broadcast(&w->cond);
}

static enum task_result
wait_limit(struct waiting *w)
{
	return task_limit_take(&w->limit, w->deadline);
}

static void
serve_limit(struct waiting *w)
{
	task_limit_give(&w->limit);
	assert_int_equal(w->limit.count, 0); /* handed over, nobody else can have it */
}

static enum task_result
wait_get(struct waiting *w)
{
	void *item = NULL;
	enum task_result result = task_queue_get(w->queue, &item, w->deadline);

	assert_ptr_equal(item, result == TASK_OK ? w : NULL);
	return result;
}

static void
serve_get(struct waiting *w)
{
	assert_true(task_queue_try_put(w->queue, w));
}

static enum task_result
wait_put(struct waiting *w)
{
	(void)task_queue_try_put(w->queue, w);
	return task_queue_put(w->queue, w, w->deadline);
}

static void
serve_put(struct waiting *w)
{
	void *item;

	assert_int_equal(task_queue_get(w->queue, &item, soon()), TASK_OK);
	assert_int_equal(task_queue_count(w->queue), 1);
}

static void
joined(void *argument)
{
	task_cond_wait(argument, DEADLINE_NEVER);
}

static enum task_result
wait_join(struct waiting *w)
{
	struct task *t = task_start("joined", joined, &w->cond);
	enum task_result result = task_join(t, w->deadline);

	task_cancel(t);
	task_release(t);
	return result;
}

static enum task_result
wait_sleep(struct waiting *w)
{
	enum task_result result = task_sleep_until(w->deadline);

	/* For a sleep the moment that has come is success. */
	return result == TASK_OK && clock_now() >= w->deadline ? TASK_TIMEOUT : result;
}

static const struct {
	enum task_result (*wait)(struct waiting *w);
	void (*serve)(struct waiting *w);
	bool served_at_once; /* not through the kernel or another task */
} kinds[] = {
	{ wait_read, serve_read, false },
	{ wait_read, serve_by_closing, false },
	{ wait_write, serve_write, false },
	{ wait_write, serve_by_closing, false },
	{ wait_both, serve_read, false },
	{ wait_both, serve_write, false },
	{ wait_cond, serve_cond, true },
	{ wait_cond, serve_broadcast, true },
	{ wait_limit, serve_limit, true },
	{ wait_get, serve_get, true },
	{ wait_put, serve_put, true },
	{ wait_join, serve_cond, false },
	{ wait_sleep, NULL, false },
};

static void
waits(void *argument)
{
	struct waiting *w = argument;

	w->result = kinds[w->kind].wait(w);
	w->ended = true;
	if (w->result == TASK_CANCELLED)
		assert_int_equal(kinds[w->kind].wait(w), TASK_CANCELLED);
}

static void
begin(struct waiting *w, size_t kind, nanoseconds deadline)
{
	*w = (struct waiting){ .kind = kind, .deadline = deadline };
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, w->fds), 0);
	task_cond_init(&w->cond);
	task_limit_init(&w->limit, 0);
	w->queue = task_queue_new(1);
	w->task = task_start("waits", waits, w);
	assert_non_null(w->task);
}

static void
end(struct waiting *w, enum task_result expected)
{
	assert_int_equal(task_join(w->task, soon()), TASK_OK);
	task_release(w->task);
	if (w->result != expected)
		fail_msg("kind %zu: %d, expected %d", w->kind, w->result, expected);
	task_queue_free(&w->queue);
	file_close(&w->fds[0]);
	file_close(&w->fds[1]);
}

static void
all_kinds(void *argument)
{
	struct waiting w;

	(void)argument;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (kinds[i].serve != NULL) {
			begin(&w, i, soon());
			task_sleep(MILLISECOND);
			assert_false(w.ended);
			kinds[i].serve(&w);
			end(&w, TASK_OK);

			/* Served first and cancelled before it runs: what it got, it has. */
			if (kinds[i].served_at_once) {
				begin(&w, i, soon());
				task_sleep(MILLISECOND);
				kinds[i].serve(&w);
				task_cancel(w.task);
				end(&w, TASK_OK);
			}
		}
		begin(&w, i, clock_deadline(3 * MILLISECOND));
		end(&w, TASK_TIMEOUT);
		assert_true(clock_now() >= w.deadline);

		begin(&w, i, soon());
		task_sleep(MILLISECOND);
		assert_false(w.ended);
		task_cancel(w.task);
		end(&w, TASK_CANCELLED);

		begin(&w, i, soon()); /* cancelled before it begins */
		task_cancel(w.task);
		end(&w, TASK_CANCELLED);

		/* A deadline that has passed is a timeout even for what could be had. */
		if (kinds[i].serve == serve_read) {
			begin(&w, i, clock_now());
			serve_read(&w);
			end(&w, TASK_TIMEOUT);
		}
	}
	done++;
}

static void
every_kind_of_wait(void **state)
{
	(void)state;
	assert_true(task_spawn("all", all_kinds, NULL));
	task_run();
	assert_int_equal(done, 1);
}

/* Order. */

static struct task_cond order_cond;
static struct task_limit order_limit;
static char order[16];

static void
takes(void *argument)
{
	assert_int_equal(task_limit_take(&order_limit, soon()), TASK_OK);
	order[done++] = *(char *)argument;
	task_sleep(MILLISECOND);
	task_limit_give(&order_limit);
}

static void
hurries(void *argument)
{
	/* Comes when a place is just being handed over, and still waits for its turn. */
	task_limit_give(&order_limit);
	takes(argument);
}

static void
limits_serve_in_order_of_arrival(void **state)
{
	static char names[] = "abcdX";

	(void)state;
	memset(order, 0, sizeof(order));
	task_limit_init(&order_limit, 0);
	for (int i = 0; i < 4; i++)
		assert_true(task_spawn("takes", takes, &names[i]));
	assert_true(task_spawn("hurries", hurries, &names[4]));
	task_run();
	assert_string_equal(order, "abcdX");
	assert_int_equal(order_limit.count, 1);
}

static void
waits_in_line(void *argument)
{
	if (task_cond_wait(&order_cond, soon()) == TASK_OK)
		order[done++] = *(char *)argument;
}

static void
signals_in_line(void *argument)
{
	task_cond_signal(&order_cond);
	task_cond_signal(&order_cond);
	order[done++] = '|';
	task_yield();
	task_cancel(argument); /* d */
	task_cond_broadcast(&order_cond);
	task_cond_signal(&order_cond); /* nobody: nothing */
}

static void
conditions_wake_the_longest_waiting(void **state)
{
	static char names[] = "abcde";
	struct task *d = NULL;

	(void)state;
	memset(order, 0, sizeof(order));
	task_cond_init(&order_cond);
	for (int i = 0; i < 5; i++) {
		struct task *t = task_start("waits", waits_in_line, &names[i]);

		if (i == 3)
			d = t;
		else
			task_release(t);
	}
	assert_true(task_spawn("signals", signals_in_line, d));
	task_run();
	task_release(d);
	assert_string_equal(order, "|abce");
}

/* Several producers and consumers over a small queue: all arrives, each producer's in order. */

#define PRODUCERS 5
#define ITEMS     1000

static struct task_queue *queue;
static unsigned producing;

static void
produces(void *argument)
{
	unsigned char *from = argument;

	for (unsigned i = 0; i < ITEMS; i++) {
		assert_int_equal(task_queue_put(queue, from + i, soon()), TASK_OK);
		if (i % 17 == 0)
			task_yield();
	}
	if (--producing == 0)
		task_queue_close(queue);
}

static void
consumes(void *argument)
{
	unsigned char **last = argument;
	void *item;

	for (;;) {
		assert_int_equal(task_queue_get(queue, &item, soon()), TASK_OK);
		if (item == NULL)
			break;
		size_t producer = (size_t)((unsigned char *)item - last[PRODUCERS]) / ITEMS;

		assert_true((unsigned char *)item > last[producer]);
		last[producer] = item;
		done++;
	}
	assert_false(task_queue_try_put(queue, item));
	assert_int_equal(task_queue_put(queue, last, soon()), TASK_CANCELLED);
}

static void
queues_keep_order_and_lose_nothing(void **state)
{
	static unsigned char items[PRODUCERS * ITEMS];
	/* Where each consumer saw each producer last, and the origin. */
	static unsigned char *last[3][PRODUCERS + 1];

	(void)state;
	queue = task_queue_new(7);
	producing = PRODUCERS;
	for (unsigned i = 0; i < PRODUCERS; i++)
		assert_true(task_spawn("produces", produces, items + i * ITEMS));
	for (unsigned i = 0; i < 3; i++) {
		last[i][PRODUCERS] = items;
		assert_true(task_spawn("consumes", consumes, last[i]));
	}
	task_run();
	assert_int_equal(done, PRODUCERS * ITEMS);
	assert_int_equal(task_queue_count(queue), 0);
	task_queue_free(&queue);
	assert_null(queue);
}

/* Two tasks on one descriptor, one for each direction, and a third that steals. */

static void
talks(void *argument)
{
	int fd = *(int *)argument;
	char c;

	for (int i = 0; i < 2000; i++) {
		assert_int_equal(write(fd, "x", 1), 1);
		while (read(fd, &c, 1) != 1)
			assert_int_equal(task_wait_fd(fd, TASK_READ, soon()), TASK_OK);
	}
	done++;
}

static void
many_waits_on_one_descriptor(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	assert_true(task_spawn("left", talks, &fds[0]));
	assert_true(task_spawn("right", talks, &fds[1]));
	task_run();
	assert_int_equal(done, 2);
	file_close(&fds[0]);
	file_close(&fds[1]);
}

/* The same number, another socket, within one turn of the loop. */
static void
reuses_numbers(void *argument)
{
	(void)argument;
	for (int i = 0; i < 100; i++) {
		int fds[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
		assert_int_equal(write(fds[1], "x", 1), 1);
		assert_int_equal(task_wait_fd(fds[0], TASK_READ, soon()), TASK_OK);
		assert_int_equal(
		    task_wait_fd(fds[1], TASK_READ, clock_deadline(MILLISECOND / 10)),
		    TASK_TIMEOUT);
		assert_int_equal(task_wait_fd(fds[1], TASK_WRITE, soon()), TASK_OK);
		file_close(&fds[0]);
		file_close(&fds[1]);
	}
	done++;
}

static void
closed_and_reused_descriptors(void **state)
{
	(void)state;
	assert_true(task_spawn("reuses", reuses_numbers, NULL));
	task_run();
	assert_int_equal(done, 1);
}

static volatile bool stop_spinning;

static void
spins(void *argument)
{
	(void)argument;
	while (!stop_spinning)
		task_yield();
}

static void
is_not_starved(void *argument)
{
	int *fds = argument;

	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(task_wait_fd(fds[0], TASK_READ, soon()), TASK_OK);
	assert_int_equal(task_sleep(MILLISECOND), TASK_OK);
	stop_spinning = true;
	done++;
}

/* Tasks that are always ready leave time for descriptors and clocks. */
static void
busy_tasks_starve_nobody(void **state)
{
	int fds[2];

	(void)state;
	stop_spinning = false;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	assert_true(task_spawn("spins", spins, NULL));
	assert_true(task_spawn("spins", spins, NULL));
	assert_true(task_spawn("waits", is_not_starved, fds));
	task_run();
	assert_int_equal(done, 1);
	file_close(&fds[0]);
	file_close(&fds[1]);
}

static void
outside_any_task_waits_block(void **state)
{
	nanoseconds start = clock_now();
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(
	    task_wait_fd(fds[0], TASK_READ, clock_deadline(3 * MILLISECOND)), TASK_TIMEOUT);
	assert_true(clock_now() - start >= 3 * MILLISECOND);
	assert_int_equal(task_wait_fd(fds[1], TASK_WRITE, soon()), TASK_OK);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(task_wait_fd(fds[0], TASK_READ, soon()), TASK_OK);
	assert_int_equal(task_sleep(MILLISECOND), TASK_OK);
	file_close(&fds[0]);
	file_close(&fds[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_kind_of_wait),
		TEST(limits_serve_in_order_of_arrival),
		TEST(conditions_wake_the_longest_waiting),
		TEST(queues_keep_order_and_lose_nothing),
		TEST(many_waits_on_one_descriptor),
		TEST(closed_and_reused_descriptors),
		TEST(busy_tasks_starve_nobody),
		TEST(outside_any_task_waits_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
