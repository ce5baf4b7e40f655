/* SPDX-License-Identifier: Apache-2.0 */
/* mbox delivery: content, locks of others, what is refused, and a mailbox as before after it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>
#include <utime.h>

#include "tests/unit/local/mailbox_fixture.h"

#define BODY      "From here\r\n>From there\r\nFromage\r\n"
#define DELIVERED PREFIX "Subject: x\n\n>From here\n>From there\nFromage\n\n"

static void
file_is(const struct fixture *f, const char *name, const char *expected)
{
	char *text = fixture_read(f, name);

	assert_string_equal(text, expected);
	mem_free(text);
}

static void
appends(void **state)
{
	static const struct {
		const char *before, *after;
	} rows[] = {
		{ NULL, DELIVERED },
		{ "", DELIVERED },
		{ "From a\n\nx\n\n", "From a\n\nx\n\n" DELIVERED },
		/* The last writer died in the middle of a line. */
		{ "From a\n\nhalf", "From a\n\nhalf\n\n" DELIVERED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture f;

		fixture_open(&f, "mbox", "");
		fixture_message(&f, VIEW(BODY));
		if (rows[i].before)
			fixture_write(&f, "mbox", rows[i].before);
		assert_int_equal(fixture_deliver(&f), DELIVER_SENT);
		assert_string_equal(f.d.dsn, "2.0.0");
		assert_string_equal(buf_str(&f.d.reason), "delivered to mailbox");
		file_is(&f, "mbox", rows[i].after);
		file_is(&f, "mbox.lock", "(no such file)");
		fixture_close(&f);
	}
}

static void
is_private_when_new(void **state)
{
	struct fixture f;
	struct stat st;
	char *path;

	(void)state;
	fixture_open(&f, "mbox", "");
	fixture_message(&f, VIEW(BODY));
	assert_int_equal(fixture_deliver(&f), DELIVER_SENT);
	path = mem_printf("%s/mbox", f.directory);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	mem_free(path);
	fixture_close(&f);
}

/* Each makes something at `path` that is no mailbox; `other` is what must not change. */
static void
make_symlink(const char *path, const char *other)
{
	assert_int_equal(symlink(other, path), 0);
}

static void
make_dangling(const char *path, const char *other)
{
	char *target = mem_printf("%s-not-there", other);

	assert_int_equal(symlink(target, path), 0);
	mem_free(target);
}

static void
make_hard_link(const char *path, const char *other)
{
	assert_int_equal(link(other, path), 0);
}

static void
make_fifo(const char *path, const char *other)
{
	(void)other;
	assert_int_equal(mkfifo(path, 0600), 0);
}

static void
make_directory(const char *path, const char *other)
{
	(void)other;
	assert_int_equal(mkdir(path, 0700), 0);
}

static void
make_writable(const char *path, const char *other)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	(void)other;
	assert_int_equal(fchmod(fd, 0666), 0);
	close(fd);
}

static void
make_foreign(const char *path, const char *other)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	(void)other;
	if (geteuid() == 0)
		assert_int_equal(fchown(fd, 1, 1), 0);
	else
		assert_int_equal(fchmod(fd, 0400), 0);
	close(fd);
}

static void
refuses(void **state)
{
	static void (*const make[])(const char *, const char *) = { make_symlink, make_dangling,
		make_hard_link, make_fifo, make_directory, make_writable, make_foreign };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(make); i++) {
		nanoseconds begin = clock_now();
		struct fixture f;
		char *path, *other;

		fixture_open(&f, "mbox", "");
		fixture_message(&f, VIEW(BODY));
		fixture_write(&f, "other", "precious\n");
		path = mem_printf("%s/mbox", f.directory);
		other = mem_printf("%s/other", f.directory);
		make[i](path, other);
		assert_int_equal(fixture_deliver(&f), DELIVER_DEFERRED);
		assert_true(view_has_prefix(
		    buf_view(&f.d.reason), VIEW("cannot update mailbox /tmp/")));
		assert_int_equal(f.d.dsn[0], '4');
		file_is(&f, "other", "precious\n");
		file_is(&f, "other-not-there", "(no such file)");
		assert_true(clock_now() - begin < 5 * SECOND);
		unlink(path);
		rmdir(path);
		mem_free(path);
		mem_free(other);
		fixture_close(&f);
	}
}

/* Another process that holds a lock of the kind; ends when its pipe is closed. */
static pid_t
lock_elsewhere(const char *path, bool by_flock, int *hold)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int ready[2], end[2];
	char c = 0;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(end), 0);
	pid = fork();
	if (pid == 0) {
		int fd = open(path, O_RDWR | O_CREAT, 0600);
		int rc = by_flock ? flock(fd, LOCK_EX) : fcntl(fd, F_SETLK, &whole);

		close(end[1]);
		if (rc == 0 && write(ready[1], &c, 1) == 1 && read(end[0], &c, 1) == 0)
			_exit(0);
		_exit(1);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	close(end[0]);
	*hold = end[1];
	return pid;
}

static void
respects_locks(void **state)
{
	static const struct {
		const char *settings;
		bool by_flock;
		enum deliver_result expected;
	} rows[] = {
		{ "mailbox_delivery_lock = fcntl\n", false, DELIVER_DEFERRED },
		{ "mailbox_delivery_lock = flock\n", true, DELIVER_DEFERRED },
		{ "mailbox_delivery_lock = dotlock, fcntl\n", false, DELIVER_DEFERRED },
		{ "mailbox_delivery_lock = dotlock\n", false, DELIVER_SENT },
		{ "mailbox_delivery_lock = fcntl\n", true, DELIVER_SENT },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture f;
		char path[100]; /* not of the heap: the child would lose it */
		int hold;
		pid_t pid;

		fixture_open(&f, "mbox", rows[i].settings);
		fixture_message(&f, VIEW(BODY));
		snprintf(path, sizeof(path), "%s/mbox", f.directory);
		pid = lock_elsewhere(path, rows[i].by_flock, &hold);
		assert_int_equal(fixture_deliver(&f), rows[i].expected);
		if (rows[i].expected == DELIVER_DEFERRED) {
			assert_non_null(strstr(
			    buf_str(&f.d.reason), "unable to lock for exclusive access"));
			file_is(&f, "mbox", "");
			file_is(&f, "mbox.lock", "(no such file)");
		}
		close(hold);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		if (rows[i].expected == DELIVER_DEFERRED) {
			assert_int_equal(fixture_deliver(&f), DELIVER_SENT);
			file_is(&f, "mbox", DELIVERED);
		}
		fixture_close(&f);
	}
}

static void
respects_dotlocks(void **state)
{
	struct fixture f;
	struct utimbuf old = { time(NULL) - 600, time(NULL) - 600 };
	char *path;

	(void)state;
	fixture_open(&f, "mbox", "stale_lock_time = 500s\n");
	fixture_message(&f, VIEW(BODY));
	fixture_write(&f, "mbox.lock", "0");
	assert_int_equal(fixture_deliver(&f), DELIVER_DEFERRED);
	assert_non_null(strstr(buf_str(&f.d.reason), "unable to create lock file"));
	file_is(&f, "mbox", "(no such file)");
	file_is(&f, "mbox.lock", "0");

	path = mem_printf("%s/mbox.lock", f.directory);
	assert_int_equal(utime(path, &old), 0);
	assert_int_equal(fixture_deliver(&f), DELIVER_SENT);
	file_is(&f, "mbox.lock", "(no such file)");
	mem_free(path);
	fixture_close(&f);
}

static void
unknown_lock_method(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "mbox", "mailbox_delivery_lock = fcntl, prayer\n");
	fixture_message(&f, VIEW(BODY));
	assert_int_equal(fixture_deliver(&f), DELIVER_DEFERRED);
	assert_non_null(strstr(buf_str(&f.d.reason), "prayer"));
	file_is(&f, "mbox", "(no such file)");
	fixture_close(&f);
}

/* At the limit it fits; a byte less and the mailbox is as before. */
static void
size_limit(void **state)
{
	static const char before[] = "From a\n\nx\n\n";
	size_t full = strlen(before) + strlen(DELIVERED);

	(void)state;
	for (int less = 0; less < 2; less++) {
		char *settings = mem_printf(
		    "message_size_limit = 1\nmailbox_size_limit = %zu\n", full - (size_t)less);
		struct fixture f;

		fixture_open(&f, "mbox", settings);
		fixture_message(&f, VIEW(BODY));
		fixture_write(&f, "mbox", before);
		assert_int_equal(fixture_deliver(&f), less ? DELIVER_BOUNCED : DELIVER_SENT);
		file_is(&f, "mbox", less ? before : "From a\n\nx\n\n" DELIVERED);
		if (less)
			assert_string_equal(f.d.dsn, "5.2.2");
		fixture_close(&f);
		mem_free(settings);
	}
}

/* A body that was damaged on disk never gets into a mailbox, nor does a file that is cut. */
static void
damaged_queue_file(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "mbox", "");
	fixture_message(&f, VIEW(BODY));
	fixture_write(&f, "mbox", "From a\n\nx\n\n");
	f.job.body_crc ^= 1;
	assert_int_equal(fixture_deliver(&f), DELIVER_DEFERRED);
	file_is(&f, "mbox", "From a\n\nx\n\n");
	f.job.body_crc ^= 1;
	f.job.header_offset += 1000;
	assert_int_equal(fixture_deliver(&f), DELIVER_DEFERRED);
	f.job.header_offset = UINT64_MAX - 2;
	assert_int_equal(fixture_deliver(&f), DELIVER_DEFERRED);
	file_is(&f, "mbox", "From a\n\nx\n\n");
	fixture_close(&f);
}

#define WRITERS 8
#define EACH    5

static void *
writer(void *argument)
{
	struct fixture *f = argument;

	for (int i = 0; i < EACH; i++) {
		struct deliver_file d = { .mailbox = &f->mailbox, .job = &f->job };

		buf_init(&d.reason, DELIVER_REASON_MAX);
		deliver_file_run(&d);
		if (d.result != DELIVER_SENT)
			abort();
		buf_done(&d.reason);
	}
	return NULL;
}

/* Threads of one worker: no message inside another, whatever the lock method. */
static void
many_at_once(void **state)
{
	struct buf body = BUF_INIT(1024 * 1024), expected = BUF_INIT(64 * 1024 * 1024);
	pthread_t threads[WRITERS];
	struct fixture f;
	char *text;

	(void)state;
	while (body.len < 300000)
		buf_append_str(&body, "a line of a large message\r\n");
	fixture_open(&f, "mbox", "mailbox_delivery_lock = fcntl\nmailbox_size_limit = 0\n");
	fixture_message(&f, buf_view(&body));
	for (int i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, writer, &f), 0);
	for (int i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < WRITERS * EACH; i++) {
		buf_append_str(&expected, PREFIX "Subject: x\n\n");
		for (size_t n = 0; n < body.len; n += strlen("a line of a large message\r\n"))
			buf_append_str(&expected, "a line of a large message\n");
		buf_append_char(&expected, '\n');
	}
	text = fixture_read(&f, "mbox");
	assert_true(strcmp(text, buf_str(&expected)) == 0);
	mem_free(text);
	buf_done(&expected);
	buf_done(&body);
	fixture_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appends),
		cmocka_unit_test(is_private_when_new),
		cmocka_unit_test(refuses),
		cmocka_unit_test(respects_locks),
		cmocka_unit_test(respects_dotlocks),
		cmocka_unit_test(unknown_lock_method),
		cmocka_unit_test(size_limit),
		cmocka_unit_test(damaged_queue_file),
		cmocka_unit_test(many_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
