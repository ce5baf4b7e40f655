/* SPDX-License-Identifier: Apache-2.0 */
/* What a reader of the log sees: in a file, on standard error, at the syslog socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

#define TIME "[A-Z][a-z][a-z] [ 123][0-9] [0-2][0-9]:[0-5][0-9]:[0-6][0-9]"

static void
assert_matches(const char *text, const char *pattern)
{
	regex_t regex;

	assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
	if (regexec(&regex, text, 0, NULL, 0) != 0)
		fail_msg("\"%s\" does not match \"%s\"", text, pattern);
	regfree(&regex);
}

/* Each test logs in a child, as the log's settings are those of a process. */
static int
in_child(void (*function)(void *), void *arg)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		setenv("CMOCKA_TEST_ABORT", "1", 1); /* a failed assertion ends the child */
		function(arg);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* An unlinked file that takes the lines. */
static int
open_log_file(void)
{
	char path[] = "/tmp/postern-log-XXXXXX";
	int fd = mkostemp(path, O_APPEND | O_CLOEXEC);

	assert_true(fd >= 0);
	unlink(path);
	return fd;
}

static char *
contents(int fd)
{
	off_t n = lseek(fd, 0, SEEK_END);
	char *text = mem_zero(1, (size_t)n + 1);

	assert_true(file_pread_all(fd, text, (size_t)n, 0));
	return text;
}

/* Runs the function in a child with a log file and gives what was written. */
static char *
logged_by(void (*function)(void *))
{
	int fd = open_log_file();
	char *text;

	assert_int_equal(in_child(function, &fd), 0);
	text = contents(fd);
	close(fd);
	return text;
}

static void
open_fd(void *fd)
{
	log_set_hostname("mail.example.com");
	log_open("postfix/smtpd", LOG_TO_FD, *(int *)fd, false);
}

static void
log_levels(void *fd)
{
	open_fd(fd);
	log_debug("not seen");
	log_info("connect from %s[%s]", "unknown", "192.0.2.1");
	log_warn("w %d", 1);
	log_error("e %d", 2);
	log_set_verbose(2);
	if (log_verbose() != 2)
		_exit(1);
	log_debug("seen");
	log_set_tag("postfix/submission/smtpd");
	log_info("tag");
}

/* The host name is shown up to its first dot. */
static void
lines_in_a_file(void **state)
{
	(void)state;
	char *text = logged_by(log_levels);

	assert_matches(text,
	    "^" TIME
	    " mail postfix/smtpd\\[[0-9]+\\]: connect from unknown\\[192.0.2.1\\]\n" TIME
	    " mail postfix/smtpd\\[[0-9]+\\]: warning: w 1\n" TIME
	    " mail postfix/smtpd\\[[0-9]+\\]: error: e 2\n" TIME
	    " mail postfix/smtpd\\[[0-9]+\\]: seen\n" TIME
	    " mail postfix/submission/smtpd\\[[0-9]+\\]: tag\n$");
	mem_free(text);
}

static void
log_pids(void *fd)
{
	char parent[32];

	open_fd(fd);
	snprintf(parent, sizeof(parent), "parent %d", (int)getpid());
	log_info("%s", parent);
	if (fork() == 0) {
		log_info("child %d", (int)getpid());
		_exit(0);
	}
	wait(NULL);
}

static void
own_pid_after_fork(void **state)
{
	(void)state;
	char *text = logged_by(log_pids);
	regex_t regex;

	/* a back reference: the number in brackets is the one in the text */
	assert_int_equal(
	    regcomp(&regex,
		"^[^\n]*\\[\\([0-9]*\\)\\]: parent \\1\n[^\n]*\\[\\([0-9]*\\)\\]: child \\2\n$",
		REG_NOSUB),
	    0);
	assert_int_equal(regexec(&regex, text, 0, NULL, 0), 0);
	regfree(&regex);
	mem_free(text);
}

static void
log_in_zone(void *fd)
{
	setenv("TZ", "XYZ-5:30", 1);
	open_fd(fd);
	log_info("now");
}

/* The date as strftime gives it, from just before or just after. */
static void
local_time(void **state)
{
	(void)state;
	time_t before = time(NULL) + (5 * 60 + 30) * 60;
	char *text = logged_by(log_in_zone);
	time_t after = time(NULL) + (5 * 60 + 30) * 60;
	bool found = false;

	for (time_t t = before; t <= after; t++) {
		char expected[32];

		strftime(expected, sizeof(expected), "%b %e %H:%M:%S mail", gmtime(&t));
		found = found || strncmp(text, expected, strlen(expected)) == 0;
	}
	assert_true(found);
	mem_free(text);
}

static void
log_hostile(void *fd)
{
	open_fd(fd);
	log_info("from=<%s>", "a\nFeb  3 04:05:06 mail postfix/smtpd[1]: forged");
	log_info("%s", "\x1b[2J gr\xc3\xbc\xc3\x9f \xff \xe2\x80\xae");
	log_set_tag("ta\ng");
	log_set_hostname("ho\nst");
	log_info("%s", "");
}

static void
text_from_outside(void **state)
{
	(void)state;
	char *text = logged_by(log_hostile);

	assert_matches(text,
	    "^" TIME
	    " mail postfix/smtpd\\[[0-9]+\\]: from=<a\\\\012Feb  3 [^\n]*forged>\n" TIME
	    " mail postfix/smtpd\\[[0-9]+\\]: \\\\033\\[2J gr\xc3\xbc\xc3\x9f \\\\377 "
	    "\\\\342\\\\200\\\\256\n" TIME " ho\\\\012st ta\\\\012g\\[[0-9]+\\]: \n$");
	mem_free(text);
}

static void
log_long(void *fd)
{
	char *text = mem_zero(1, 10001);

	open_fd(fd);
	for (size_t shift = 0; shift < 4; shift++) {
		memset(text, 'x', 10000);
		for (size_t i = 10 + shift; i + 2 < 10000; i += 2)
			memcpy(text + i, "\xc3\xbc", 2);
		log_warn("%s", text);
	}
	memset(text, '\n', 10000);
	log_info("%s", text);
	mem_free(text);
}

/* At most LOG_LINE_MAX bytes from the tag on, and no character in two. */
static void
long_lines_are_cut(void **state)
{
	(void)state;
	char *text = logged_by(log_long);
	struct view rest = view_of(text);
	struct view line;
	int lines = 0;

	while (view_next_word(&rest, "\n", &line)) {
		struct view shown = view_sub(line, strlen("Feb  3 04:05:06 mail "), SIZE_MAX);

		assert_true(view_has_prefix(shown, VIEW("postfix/smtpd[")));
		assert_true(shown.n <= LOG_LINE_MAX && shown.n > LOG_LINE_MAX - 4);
		if (lines < 4)
			assert_true(view_has_suffix(shown, VIEW("\xc3\xbc")));
		else
			assert_true(view_has_suffix(shown, VIEW("\\012")));
		lines++;
	}
	assert_int_equal(lines, 5);
	mem_free(text);
}

static void
log_saving_errno(void *fd)
{
	open_fd(fd);
	errno = EDOM;
	log_info("%m");
	if (errno != EDOM)
		_exit(1);
	log_open("x", LOG_TO_FD, -1, false); /* cannot be written */
	log_info("lost");
	if (errno != EDOM)
		_exit(1);
}

static void
errno_survives(void **state)
{
	(void)state;
	char *text = logged_by(log_saving_errno);
	char pattern[100];

	snprintf(pattern, sizeof(pattern), "^[^\n]*: %s\n$", strerror(EDOM));
	assert_matches(text, pattern);
	mem_free(text);
}

static void
fatal_in_file(void *fd)
{
	open_fd(fd);
	log_fatal("no %s", "way");
}

static void
fatal_exits(void **state)
{
	(void)state;
	int fd = open_log_file();
	char *text;

	assert_int_equal(in_child(fatal_in_file, &fd), 1);
	text = contents(fd);
	assert_matches(text, "^" TIME " mail postfix/smtpd\\[[0-9]+\\]: fatal: no way\n$");
	mem_free(text);
	close(fd);
}

static void
log_before_open(void *fd)
{
	dup2(*(int *)fd, STDERR_FILENO);
	log_warn("early");
	log_set_tag("postmap");
	log_info("info");
	log_fatal("open %s", "x\ny");
}

static void
standard_error_before_open(void **state)
{
	(void)state;
	int fd = open_log_file();
	char *text;

	assert_int_equal(in_child(log_before_open, &fd), 1);
	text = contents(fd);
	assert_string_equal(text,
	    "unit_base_log_test: warning: early\npostmap: info\npostmap: fatal: open "
	    "x\\012y\n");
	mem_free(text);
	close(fd);
}

static void
log_twice(void *fd)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	dup2(*(int *)fd, STDERR_FILENO);
	log_open("postfix/master", LOG_TO_FD, null, true);
	log_error("seen here too");
}

static void
standard_error_as_well(void **state)
{
	(void)state;
	char *text = logged_by(log_twice);

	assert_string_equal(text, "postfix/master: error: seen here too\n");
	mem_free(text);
}

enum { THREADS = 4, LINES = 500 };

static void *
log_many(void *arg)
{
	for (int i = 0; i < LINES; i++)
		log_info("thread %d line %d %0*d", *(int *)arg, i, i, 0);
	return NULL;
}

static void
log_from_threads(void *fd)
{
	pthread_t threads[THREADS];
	int ids[THREADS];

	open_fd(fd);
	for (int i = 0; i < THREADS; i++) {
		ids[i] = i;
		if (pthread_create(&threads[i], NULL, log_many, &ids[i]) != 0)
			_exit(1);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void
lines_of_threads_do_not_mix(void **state)
{
	(void)state;
	char *text = logged_by(log_from_threads);
	struct view rest = view_of(text);
	int next[THREADS] = { 0 };
	struct view line;

	while (view_next_word(&rest, "\n", &line)) {
		char expected[LINES + 64];
		size_t at = view_find(line, ']') + 3;
		int id = line.p[at + 7] - '0';

		assert_in_range(id, 0, THREADS - 1);
		snprintf(expected, sizeof(expected), "thread %d line %d %0*d", id, next[id],
		    next[id], 0);
		assert_true(view_eq(view_sub(line, at, SIZE_MAX), view_of(expected)));
		next[id]++;
	}
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(next[i], LINES);
	mem_free(text);
}

/* A syslog daemon's end of the socket. */
struct reader {
	struct sockaddr_un address;
	char dir[32];
	int fd;
};

static void
reader_bind(struct reader *r)
{
	r->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(r->fd >= 0);
	assert_int_equal(bind(r->fd, (struct sockaddr *)&r->address, sizeof(r->address)), 0);
}

static void
reader_unbind(struct reader *r)
{
	close(r->fd);
	unlink(r->address.sun_path);
}

static void
reader_open(struct reader *r)
{
	*r = (struct reader){ .address.sun_family = AF_UNIX, .dir = "/tmp/postern-log-XXXXXX" };
	assert_non_null(mkdtemp(r->dir));
	snprintf(r->address.sun_path, sizeof(r->address.sun_path), "%s/log", r->dir);
	reader_bind(r);
}

static void
reader_close(struct reader *r)
{
	reader_unbind(r);
	rmdir(r->dir);
}

/* The next line, or false when there is none. */
static bool
reader_next(struct reader *r, char line[LOG_LINE_MAX + 300])
{
	ssize_t n = recv(r->fd, line, LOG_LINE_MAX + 299, 0);

	if (n >= 0)
		line[n] = '\0';
	return n >= 0;
}

static void
assert_next(struct reader *r, const char *pattern)
{
	char line[LOG_LINE_MAX + 300];

	assert_true(reader_next(r, line));
	assert_matches(line, pattern);
}

static void
log_to_syslog(void *arg)
{
	const struct reader *r = arg;

	log_set_syslog_path(r->address.sun_path);
	log_open("postfix/qmgr", LOG_TO_SYSLOG, -1, false);
	if (log_descriptor() != -1)
		_exit(1);
	log_connect();
	if (log_descriptor() < 0 || !(fcntl(log_descriptor(), F_GETFD) & FD_CLOEXEC))
		_exit(1);
	log_set_verbose(1);
	log_debug("d");
	log_info("i\n");
	log_warn("w");
	log_error("e");
	log_fatal("f");
}

static void
datagrams(void **state)
{
	(void)state;
	char line[LOG_LINE_MAX + 300];
	struct reader r;

	reader_open(&r);
	assert_int_equal(in_child(log_to_syslog, &r), 1);
	assert_next(&r, "^<22>" TIME " postfix/qmgr\\[[0-9]+\\]: d$");
	assert_next(&r, "^<22>" TIME " postfix/qmgr\\[[0-9]+\\]: i\\\\012$");
	assert_next(&r, "^<20>" TIME " postfix/qmgr\\[[0-9]+\\]: warning: w$");
	assert_next(&r, "^<19>" TIME " postfix/qmgr\\[[0-9]+\\]: error: e$");
	assert_next(&r, "^<18>" TIME " postfix/qmgr\\[[0-9]+\\]: fatal: f$");
	assert_false(reader_next(&r, line));
	reader_close(&r);
}

/* The reader goes away and comes back at the same path. No other process may hold its socket.
 */
static void
log_across_restart(void *arg)
{
	struct reader reader;
	struct reader *r = &reader;

	(void)arg;
	reader_open(r);
	log_set_syslog_path(r->address.sun_path);
	log_open("postfix/qmgr", LOG_TO_SYSLOG, -1, false);
	log_info("one");
	assert_next(r, ": one$");
	reader_unbind(r);
	log_info("two");
	log_info("three");
	reader_bind(r);
	log_info("four");
	assert_next(r, "^<20>.*: warning: 2 log lines were lost$");
	assert_next(r, "^<22>.*: four$");
	reader_unbind(r);
	reader_bind(r);
	log_info("five"); /* restarted between two lines: none is lost */
	assert_next(r, "^<22>.*: five$");
	reader_close(r);
}

static void
reader_restarts(void **state)
{
	(void)state;
	assert_int_equal(in_child(log_across_restart, NULL), 0);
}

/* Nobody reads: the socket fills, the caller goes on, and the books are right at the end. */
static void
log_to_stuck_reader(void *arg)
{
	enum { TOTAL = 5000 };
	static char line[LOG_LINE_MAX + 300];
	struct reader *r = arg;
	nanoseconds start = clock_now();
	unsigned long lost = 0;
	int received = 0;

	log_set_syslog_path(r->address.sun_path);
	log_open("postfix/qmgr", LOG_TO_SYSLOG, -1, false);
	for (int i = 0; i < TOTAL; i++)
		log_info("line %d", i);
	assert_true(clock_now() - start < 10 * SECOND); /* 20 ms each would be 100 seconds */
	for (; reader_next(r, line); received++) {
		char expected[32];

		snprintf(expected, sizeof(expected), ": line %d$", received);
		assert_matches(line, expected);
	}
	assert_in_range(received, 1, TOTAL - 1);
	log_info("after");
	assert_true(reader_next(r, line));
	assert_matches(line, ": warning: [0-9]+ log lines were lost$");
	lost = strtoul(strstr(line, "warning: ") + 9, NULL, 10);
	assert_int_equal(lost, TOTAL - received);
	assert_next(r, ": after$");
	assert_false(reader_next(r, line));
}

static void
reader_is_stuck(void **state)
{
	(void)state;
	struct reader r;

	reader_open(&r);
	assert_int_equal(in_child(log_to_stuck_reader, &r), 0);
	reader_close(&r);
}

static void
log_to_nobody(void *arg)
{
	static char long_path[300];

	(void)arg;
	log_set_syslog_path("/tmp/postern-no-such-directory/log");
	log_open("postfix/qmgr", LOG_TO_SYSLOG, -1, false);
	log_connect();
	log_info("lost");
	memset(long_path, 'x', sizeof(long_path) - 1);
	log_set_syslog_path(long_path);
	log_info("lost too");
}

static void
no_reader_at_all(void **state)
{
	(void)state;
	assert_int_equal(in_child(log_to_nobody, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_in_a_file),
		cmocka_unit_test(own_pid_after_fork),
		cmocka_unit_test(local_time),
		cmocka_unit_test(text_from_outside),
		cmocka_unit_test(long_lines_are_cut),
		cmocka_unit_test(errno_survives),
		cmocka_unit_test(fatal_exits),
		cmocka_unit_test(standard_error_before_open),
		cmocka_unit_test(standard_error_as_well),
		cmocka_unit_test(lines_of_threads_do_not_mix),
		cmocka_unit_test(datagrams),
		cmocka_unit_test(reader_restarts),
		cmocka_unit_test(reader_is_stuck),
		cmocka_unit_test(no_reader_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
