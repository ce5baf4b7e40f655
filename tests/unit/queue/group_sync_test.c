/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Group commit: commits that finish together share the sync of the directory, and each still
 * waits for one that began after its own change. fsync is replaced here: it can be made to wait
 * at a gate, to fail, and it counts.
 */
#include "queue_fixture.h"

#include <pthread.h>
#include <sys/syscall.h>

#include "queue/group_sync.h"

enum { THREADS = 16, EACH = 25 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool gate_closed;
static unsigned at_gate;
static int fail_with;
static int last_fd = -1;

int
fsync(int fd)
{
	int error;

	pthread_mutex_lock(&mutex);
	last_fd = fd;
	at_gate++;
	pthread_cond_broadcast(&changed);
	while (gate_closed)
		pthread_cond_wait(&changed, &mutex);
	error = fail_with;
	fail_with = 0;
	pthread_mutex_unlock(&mutex);
	if (error) {
		errno = error;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

static void
gate_set(bool closed)
{
	pthread_mutex_lock(&mutex);
	gate_closed = closed;
	at_gate = 0;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
}

static void
gate_wait_for_one(void)
{
	pthread_mutex_lock(&mutex);
	while (at_gate == 0)
		pthread_cond_wait(&changed, &mutex);
	pthread_mutex_unlock(&mutex);
}

static struct group_sync *
incoming_sync(void)
{
	return &queue_dir_at(queue, QUEUE_INCOMING, 0)->sync;
}

/* ---- the sharing itself, step by step ---- */

static void *
sync_thread(void *arg)
{
	struct group_sync *d = arg;

	return (void *)(intptr_t)group_sync_wait(d);
}

/* The list is private: its length is the number of next pointers. */
struct group_sync_wait {
	struct group_sync_wait *next;
};

static unsigned
waiting_count(struct group_sync *d)
{
	unsigned n = 0;

	pthread_mutex_lock(&d->mutex);
	for (struct group_sync_wait *w = d->waiting; w; w = w->next)
		n++;
	pthread_mutex_unlock(&d->mutex);
	return n;
}

/* One sync is held at the gate; all who come meanwhile share the next one. */
static void
test_late_comers_share_the_next(void **state)
{
	struct group_sync *d = incoming_sync();
	uint64_t before = group_sync_count(d);
	pthread_t first, others[THREADS];
	void *result;

	(void)state;
	gate_set(true);
	assert_int_equal(pthread_create(&first, NULL, sync_thread, d), 0);
	gate_wait_for_one();
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&others[i], NULL, sync_thread, d), 0);
	while (waiting_count(d) < THREADS)
		usleep(100);
	assert_int_equal(group_sync_count(d), before); /* nobody was let go early */
	gate_set(false);
	pthread_join(first, &result);
	assert_null(result);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(others[i], &result);
		assert_null(result);
	}
	assert_int_equal(group_sync_count(d), before + 2);
}

/* The failure of a sync is told to those who waited for it and to nobody else. */
static void
test_failure_belongs_to_its_waiters(void **state)
{
	struct group_sync *d = incoming_sync();
	pthread_t first, others[3];
	void *result;

	(void)state;
	gate_set(true);
	assert_int_equal(pthread_create(&first, NULL, sync_thread, d), 0);
	gate_wait_for_one();
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&others[i], NULL, sync_thread, d), 0);
	while (waiting_count(d) < 3)
		usleep(100);
	pthread_mutex_lock(&mutex);
	fail_with = EIO;
	pthread_mutex_unlock(&mutex);
	gate_set(false);
	pthread_join(first, &result);
	assert_int_equal((intptr_t)result, EIO);
	for (int i = 0; i < 3; i++) {
		pthread_join(others[i], &result);
		assert_null(result);
	}
}

/* A descriptor whose sync failed is never synced again. */
static void
test_failed_descriptor_is_given_up(void **state)
{
	struct queue_dir *dir = queue_dir_at(queue, QUEUE_HOLD, 0);
	int failed[3];

	(void)state;
	assert_int_equal(group_sync_wait(&dir->sync), 0);
	assert_int_equal(last_fd, dir->fd);
	for (int i = 0; i < 3; i++) {
		struct stat a, b;

		fail_with = EIO;
		assert_int_equal(group_sync_wait(&dir->sync), EIO);
		failed[i] = last_fd;
		/* Hold the number, so that a new descriptor cannot happen to get it. */
		if (failed[i] != dir->fd)
			assert_int_equal(dup2(dir->fd, failed[i]), failed[i]);
		assert_int_equal(group_sync_wait(&dir->sync), 0);
		for (int k = 0; k <= i; k++)
			assert_int_not_equal(last_fd, failed[k]);
		assert_int_equal(fstat(last_fd, &a), 0);
		assert_int_equal(fstat(dir->fd, &b), 0);
		assert_int_equal(a.st_ino, b.st_ino);
	}
	for (int i = 0; i < 3; i++) {
		if (failed[i] != dir->fd)
			close(failed[i]);
	}
}

/* ---- commits ---- */

static void *
commit_thread(void *arg)
{
	char *body = make_body(4000);
	intptr_t failures = 0;

	(void)arg;
	for (int i = 0; i < EACH; i++) {
		struct queue_writer *w = queue_writer_new(queue, QUEUE_INCOMING);
		const char *why = NULL;

		failures += write_message(w, body, 4000, 1, &why) != QUEUE_OK;
		queue_writer_free(&w);
	}
	mem_free(body);
	return (void *)failures;
}

static void
test_commits_share(void **state)
{
	uint64_t before = group_sync_count(incoming_sync());
	pthread_t threads[THREADS];
	void *failures;

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, commit_thread, NULL), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &failures);
		assert_null(failures);
	}
	assert_int_equal(count_files(QUEUE_INCOMING), THREADS * EACH);
	print_message("%d commits, %d directory syncs\n", THREADS * EACH,
	    (int)(group_sync_count(incoming_sync()) - before));
	assert_true(group_sync_count(incoming_sync()) - before < THREADS * EACH);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_late_comers_share_the_next),
		cmocka_unit_test(test_failure_belongs_to_its_waiters),
		cmocka_unit_test(test_failed_descriptor_is_given_up),
		cmocka_unit_test(test_commits_share),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
