/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both sides of the `tables` service, the service in a process of its own: what an asking task
 * gets, and what peers that break the rules get.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "table/lookup_proto.h"
#include "table/table.h"
#include "tables/tables.h"
#include "task/task.h"
#include "tests/unit/conf_text.h"

#define WITHIN clock_deadline(30 * SECOND)

static const char settings[] =
    "proxy_read_maps = proxy:inline:{a=1,b=2}, x, !proxy:fail:down, proxy:unix:passwd.byname,\n"
    " check_client_access, proxy:lmdb:/no/such/file, static:hidden\n";

static char directory[32];
static char *socket_path;
static struct conf *conf;
static pid_t service;

static int listener;

static void
no_idle(void *context, bool idle)
{
	(void)context, (void)idle;
}

static void
serve(void *argument)
{
	struct ipc *c = ipc_new((int)(intptr_t)argument);

	tables_serve(c, no_idle, NULL);
	ipc_free(&c);
}

static void
accept_all(void *argument)
{
	(void)argument;
	while (task_wait_fd(listener, TASK_READ, DEADLINE_NEVER) == TASK_OK) {
		int fd = accept(listener, NULL, NULL);

		if (fd >= 0)
			task_spawn("serve", serve, (void *)(intptr_t)fd);
	}
}

static int
service_run(void)
{
	struct conf *c = conf_of(settings);

	alarm(120);
	task_init();
	tables_open(c);
	task_on_signal(SIGTERM, (void (*)(void *))task_stop, NULL);
	task_spawn("accept", accept_all, NULL);
	task_run();
	tables_close();
	task_done();
	conf_free(&c);
	close(listener);
	return 0;
}

static void
service_start(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	char fd_text[20], serve_text[] = "serve", self[] = "server_test";
	char *arguments[] = { self, serve_text, fd_text, NULL };
	char program[1000] = ""; /* the link itself leads to Valgrind when that runs the test */

	snprintf(name.sun_path, sizeof(name.sun_path), "%s", socket_path);
	unlink(socket_path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&name, sizeof(name)), 0);
	assert_int_equal(listen(listener, 100), 0);
	snprintf(fd_text, sizeof(fd_text), "%d", listener);
	assert_true(readlink("/proc/self/exe", program, sizeof(program) - 1) > 0);
	assert_int_equal(posix_spawn(&service, program, NULL, NULL, arguments, environ), 0);
	close(listener);
}

static void
service_stop(void)
{
	int status;

	kill(service, SIGTERM);
	assert_int_equal(waitpid(service, &status, 0), service);
	assert_int_equal(status, 0);
}

static int
setup_alone(void **state)
{
	(void)state;
	conf = conf_of(settings);
	test_directory(directory);
	socket_path = mem_printf("%s/tables", directory);
	return 0;
}

static int
setup(void **state)
{
	setup_alone(state);
	service_start();
	return 0;
}

static int
teardown_alone(void **state)
{
	(void)state;
	mem_free(socket_path);
	test_directory_remove(directory);
	conf_free(&conf);
	return 0;
}

static int
teardown(void **state)
{
	service_stop();
	return teardown_alone(state);
}

static void (*body)(void);
static unsigned left; /* tasks that the body started */

static void
body_task(void *argument)
{
	(void)argument;
	body();
	if (left == 0)
		task_stop(); /* kept connections would keep the loop going */
}

static void
in_task(void (*fn)(void))
{
	body = fn;
	task_init();
	table_set_proxy(socket_path, 20 * SECOND);
	assert_true(task_spawn("test", body_task, NULL));
	task_run();
	table_set_proxy(NULL, 0);
	table_done();
	task_done();
}

static void
expect(const char *table, const char *key, enum table_result result, const char *value)
{
	struct table *t = table_open(table, conf);
	struct buf found = BUF_INIT(TABLE_VALUE_MAX);
	const char *why = NULL;
	enum table_result got = table_find(t, view_of(key), &found, &why);

	if (got != result)
		fail_msg("%s %s: %d (%s)", table, key, got, why != NULL ? why : "");
	if (result == TABLE_FOUND)
		assert_string_equal(buf_str(&found), value);
	else if (result == TABLE_CANNOT_TELL)
		assert_string_equal(why, value);
	buf_done(&found);
	table_free(&t);
}

static void
answers_body(void)
{
	expect("unix:passwd.byname", "root", TABLE_FOUND, "root:x:0:0:root:/root:/bin/bash");
	expect("unix:passwd.byname", "root", TABLE_FOUND, "root:x:0:0:root:/root:/bin/bash");
	expect("proxy:unix:passwd.byname", "no-such-user", TABLE_NOT_FOUND, NULL);
	expect("proxy:unix:passwd.byname", "no-such-user", TABLE_NOT_FOUND, NULL);
	expect("unix:group.byname", "root", TABLE_FOUND, "root:x:0:");
	expect("proxy:inline:{a=1,b=2}", "A", TABLE_FOUND, "1");
	expect("proxy:inline:{a=1,b=2}", "c", TABLE_NOT_FOUND, NULL);
	expect("proxy:fail:down", "a", TABLE_CANNOT_TELL, "fail:down: this table always fails");
	expect("proxy:lmdb:/no/such/file", "a", TABLE_CANNOT_TELL,
	    "open database /no/such/file.lmdb: No such file or directory");
	expect("proxy:static:hidden", "a", TABLE_CANNOT_TELL,
	    "this table is not named in proxy_read_maps");
	expect("proxy:texthash:/etc/passwd", "a", TABLE_CANNOT_TELL,
	    "this table is not named in proxy_read_maps");
}

static void
answers(void **state)
{
	(void)state;
	in_task(answers_body);
}

/* The service goes, is missed, and comes back between two questions. */
static void
restart_body(void)
{
	struct table *t = table_open("proxy:inline:{a=1,b=2}", conf);
	struct buf found = BUF_INIT(TABLE_VALUE_MAX);
	const char *why = NULL;

	assert_int_equal(table_find(t, VIEW("b"), &found, &why), TABLE_FOUND);
	service_stop();
	assert_int_equal(table_find(t, VIEW("b"), &found, &why), TABLE_CANNOT_TELL);
	assert_non_null(why);
	service_start();
	assert_int_equal(table_find(t, VIEW("b"), &found, &why), TABLE_FOUND);
	service_stop();
	service_start();
	assert_int_equal(table_find(t, VIEW("b"), &found, &why), TABLE_FOUND);
	buf_done(&found);
	table_free(&t);
}

static void
survives_a_restart_of_the_service(void **state)
{
	(void)state;
	in_task(restart_body);
}

static void
one_of_many(void *argument)
{
	expect("proxy:inline:{a=1,b=2}", (intptr_t)argument % 2 ? "a" : "b", TABLE_FOUND,
	    (intptr_t)argument % 2 ? "1" : "2");
	if (--left == 0)
		task_stop();
}

static void
many_body(void)
{
	left = 200;
	for (intptr_t i = 0; i < 200; i++)
		assert_true(task_spawn("one", one_of_many, (void *)i));
}

static void
many_tasks_at_once(void **state)
{
	(void)state;
	in_task(many_body);
	assert_int_equal(left, 0);
}

/* What a peer that breaks the rules gets: a closed connection. Others are served on. */
static const struct ipc_field other_fields[] = {
	IPC_REQUIRED(IPC_VIEW, lookup_find, table),
};
static IPC_MESSAGE(other_message, "other/1.hello", lookup_find, other_fields);
static IPC_MESSAGE(short_message, "lookup/1.find", lookup_find, other_fields);

static void
rules_body(void)
{
	const struct lookup_find question = { VIEW("inline:{a=1,b=2}"), VIEW("a") };
	struct lookup_answer answer;
	struct ipc *c;

	for (int i = 0; i < 4; i++) {
		c = ipc_connect(socket_path, WITHIN);
		assert_non_null(c);
		if (i == 0)
			assert_int_equal(
			    ipc_send(c, &other_message, &question, WITHIN), IPC_OK);
		else if (i == 1)
			assert_int_equal(
			    ipc_send(c, &short_message, &question, WITHIN), IPC_OK);
		else if (i == 2)
			assert_int_equal(ipc_send_data(c, VIEW("junk"), WITHIN), IPC_OK);
		else
			assert_int_equal(
			    send(ipc_fd(c), "\xff\xff\xff\xff garbage", 12, MSG_NOSIGNAL), 12);
		assert_int_not_equal(
		    ipc_expect(c, &lookup_answer_message, &answer, WITHIN), IPC_OK);
		ipc_free(&c);
	}
	c = ipc_connect(socket_path, WITHIN);
	assert_int_equal(ipc_send(c, &lookup_find_message, &question, WITHIN), IPC_OK);
	assert_int_equal(ipc_expect(c, &lookup_answer_message, &answer, WITHIN), IPC_OK);
	assert_int_equal(answer.result, TABLE_FOUND);
	assert_true(view_eq(answer.value, VIEW("1")));
	ipc_free(&c);
}

static void
peers_that_break_the_rules(void **state)
{
	(void)state;
	in_task(rules_body);
}

static void
sizes_body(void)
{
	static char big[100000];
	struct lookup_find question = { VIEW("inline:{a=1,b=2}"), VIEW_NONE };
	static const size_t sizes[] = { 0, 511, 512, 2000, 2001, 70000 };
	struct lookup_answer answer;
	struct ipc *c = ipc_connect(socket_path, WITHIN);

	memset(big, 'k', sizeof(big));
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		for (int unix_too = 0; unix_too < 2; unix_too++) {
			question.table =
			    unix_too ? VIEW("unix:passwd.byname") : VIEW("inline:{a=1,b=2}");
			question.key = (struct view){ big, sizes[i] };
			assert_int_equal(
			    ipc_send(c, &lookup_find_message, &question, WITHIN), IPC_OK);
			assert_int_equal(
			    ipc_expect(c, &lookup_answer_message, &answer, WITHIN), IPC_OK);
			assert_int_equal(answer.result, TABLE_NOT_FOUND);
		}
	}
	ipc_free(&c);
}

static void
key_sizes(void **state)
{
	(void)state;
	in_task(sizes_body);
}

/* A service that takes the question and answers nonsense or nothing. */
static const char *nonsense;
static size_t nonsense_length;

static void
liar(void *argument)
{
	int fd;

	(void)argument;
	for (int i = 0; i < 2; i++) {
		if (task_wait_fd(listener, TASK_READ, WITHIN) != TASK_OK)
			return;
		fd = accept(listener, NULL, NULL);
		task_wait_fd(fd, TASK_READ, WITHIN);
		if (send(fd, nonsense, nonsense_length, MSG_NOSIGNAL) < 0)
			fail();
		close(fd);
	}
}

static void
liars_body(void)
{
	struct table *t = table_open("unix:passwd.byname", conf);
	struct buf found = BUF_INIT(TABLE_VALUE_MAX);
	const char *why = NULL;

	assert_int_equal(table_find(t, VIEW("root"), &found, &why), TABLE_CANNOT_TELL);
	assert_non_null(why);
	why = NULL;
	assert_int_equal(table_find(t, VIEW("root"), &found, &why), TABLE_CANNOT_TELL);
	assert_non_null(why);
	buf_done(&found);
	table_free(&t);
}

static void
a_lying_service_never_means_no(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
	} rows[] = { { "", 0 }, { "\0\0\0\1m", 5 }, { "\0\0\0\2d0", 6 },
		{ "\377\377\377\377", 4 }, { "HTTP/1.1 200 OK\r\n\r\n", 19 } };
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	char *path = mem_printf("%s/liar", directory);

	(void)state;
	snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		unlink(path);
		listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		assert_int_equal(bind(listener, (struct sockaddr *)&name, sizeof(name)), 0);
		assert_int_equal(listen(listener, 10), 0);
		nonsense = rows[i].bytes;
		nonsense_length = rows[i].n;
		body = liars_body;
		task_init();
		table_set_proxy(path, 5 * SECOND);
		assert_true(task_spawn("liar", liar, NULL));
		assert_true(task_spawn("test", body_task, NULL));
		task_run();
		table_set_proxy(NULL, 0);
		table_done();
		task_done();
		close(listener);
	}
	mem_free(path);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(answers, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    survives_a_restart_of_the_service, setup, teardown),
		cmocka_unit_test_setup_teardown(many_tasks_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(peers_that_break_the_rules, setup, teardown),
		cmocka_unit_test_setup_teardown(key_sizes, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_lying_service_never_means_no, setup_alone, teardown_alone),
	};

	if (argc == 3 && strcmp(argv[1], "serve") == 0) {
		listener = (int)strtol(argv[2], NULL, 10);
		return service_run();
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
