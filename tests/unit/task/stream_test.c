/* SPDX-License-Identifier: Apache-2.0 */
/* Streams: lines however they are cut, limits, slow and silent peers, memory, and layers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "task/stream_private.h"
#include "task/task.h"

/* A stream under test and the plain descriptor at the other end. */
static struct stream *s;
static int peer = -1;
static unsigned done;

static int
setup(void **state)
{
	int fds[2];

	(void)state;
	done = 0;
	task_init();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	s = stream_new(fds[0]);
	peer = fds[1];
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	stream_free(&s);
	stream_free(&s);
	file_close(&peer);
	task_done();
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static nanoseconds
soon(void)
{
	return clock_deadline(20 * SECOND);
}

static void
peer_sends(struct view v)
{
	assert_int_equal(write(peer, v.p, v.n), (ssize_t)v.n);
}

static void
expect_line(const char *text, bool crlf)
{
	struct view line = VIEW_NONE;
	bool with_crlf = !crlf;
	enum stream_result r = stream_read_line(s, 1000, &line, &with_crlf, soon());

	if (r != STREAM_OK || !view_eq(line, view_of(text)) || with_crlf != crlf)
		fail_msg(
		    "%s: \"%.*s\" for \"%s\"", stream_result_text(r), VIEW_ARG(line), text);
}

static void
run(void (*fn)(void *), void *argument)
{
	assert_true(task_spawn("test", fn, argument));
	task_run();
	assert_true(done > 0);
}

/* Lines, cut in two at every place, with and without a pause between the parts. */

static const struct view text = VIEW("one\r\n\r\n\nt\rwo\nthr\r\r\nlast\r\n");

static void
expect_text(void)
{
	expect_line("one", true);
	expect_line("", true);
	expect_line("", false);
	expect_line("t\rwo", false);
	expect_line("thr\r", true);
	expect_line("last", true);
	assert_int_equal(stream_buffered(s), 0);
}

static void
reads_text(void *argument)
{
	(void)argument;
	expect_text();
	done++;
}

static void
sends_cut(void *argument)
{
	(void)argument;
	for (size_t cut = 0; cut <= text.n; cut++) {
		struct task *t;

		peer_sends(view_sub(text, 0, cut));
		t = task_start("reads", reads_text, NULL);
		task_sleep(MILLISECOND / 10);
		peer_sends(view_sub(text, cut, text.n));
		assert_int_equal(task_join(t, soon()), TASK_OK);
		task_release(t);
	}
	for (size_t i = 0; i < text.n; i++) /* as one read would bring them */
		peer_sends(view_sub(text, i, 1));
	expect_text();
}

static void
lines_at_every_cut(void **state)
{
	(void)state;
	run(sends_cut, NULL);
	assert_int_equal(done, text.n + 1);
	assert_true(stream_bytes_in(s) == text.n * (text.n + 2));
}

/* Many lines of all lengths through one buffer. */

static void
sends_lines(void *argument)
{
	struct stream *out = argument;
	char line[2000];

	memset(line, 'x', sizeof(line));
	for (size_t i = 0; i < 5000; i++) {
		assert_int_equal(
		    stream_write(out, (struct view){ line, i % 1990 }, soon()), STREAM_OK);
		assert_int_equal(stream_printf(out, soon(), "%04zu\r\n", i), STREAM_OK);
	}
	assert_int_equal(stream_flush(out, soon()), STREAM_OK);
	stream_free(&out);
}

static void
reads_lines(void *argument)
{
	struct view line;

	(void)argument;
	for (size_t i = 0; i < 5000; i++) {
		assert_int_equal(stream_read_line(s, 2000, &line, NULL, soon()), STREAM_OK);
		assert_int_equal(line.n, i % 1990 + 4);
		assert_int_equal(line.p[line.n - 4] - '0', i / 1000);
		assert_int_equal(line.p[line.n - 1] - '0', i % 10);
	}
	assert_int_equal(stream_read_line(s, 2000, &line, NULL, soon()), STREAM_EOF);
	done++;
}

static void
many_lines(void **state)
{
	(void)state;
	assert_true(task_spawn("sends", sends_lines, stream_new(peer)));
	peer = -1;
	run(reads_lines, NULL);
}

static void
tries_limits(void *argument)
{
	static const struct {
		const char *in;
		size_t max;
		enum stream_result result;
		size_t n;
	} cases[] = {
		{ "abc\r\n", 3, STREAM_OK, 3 },
		{ "abc\n", 3, STREAM_OK, 3 },
		{ "abcd\r\n", 3, STREAM_TOO_LONG, 0 },
		{ "abcd\n", 3, STREAM_TOO_LONG, 0 },
		{ "abc\r", 3, STREAM_TIMEOUT, 0 }, /* CR may belong to the end */
		{ "abc\rx", 3, STREAM_TOO_LONG, 0 },
		{ "abc\rx\n", 3, STREAM_TOO_LONG, 0 },
		{ "abcd", 3, STREAM_TOO_LONG, 0 }, /* no need to wait for more */
		{ "abc", 3, STREAM_TIMEOUT, 0 },
		{ "\r\n", 0, STREAM_OK, 0 },
		{ "\n", 0, STREAM_OK, 0 },
		{ "a", 0, STREAM_TOO_LONG, 0 },
	};

	(void)argument;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct view in = view_of(cases[i].in), line, rest;
		enum stream_result r;

		peer_sends(in);
		r = stream_read_line(s, cases[i].max, &line, NULL, clock_deadline(MILLISECOND));
		if (r != cases[i].result)
			fail_msg("case %zu: %s", i, stream_result_text(r));
		if (r == STREAM_OK) {
			assert_int_equal(line.n, cases[i].n);
			assert_int_equal(stream_buffered(s), 0);
			continue;
		}
		/* All stays unread. */
		assert_int_equal(stream_buffered(s), in.n);
		assert_int_equal(stream_read_some(s, 100, &rest, soon()), STREAM_OK);
		assert_true(view_eq(rest, in));
	}
	done++;
}

static void
lines_that_are_too_long(void **state)
{
	(void)state;
	run(tries_limits, NULL);
}

static void
tries_longest(void *argument)
{
	char *p = mem_alloc(STREAM_INPUT_SIZE);
	struct view line;

	(void)argument;
	memset(p, 'a', STREAM_INPUT_SIZE);
	memcpy(p + STREAM_INPUT_SIZE - 2, "\r\n", 2);
	peer_sends(VIEW("x\n"));
	peer_sends((struct view){ p, STREAM_INPUT_SIZE });
	expect_line("x", false); /* so that the long one does not begin at the front */
	assert_int_equal(
	    stream_read_line(s, STREAM_INPUT_SIZE - 2, &line, NULL, soon()), STREAM_OK);
	assert_int_equal(line.n, STREAM_INPUT_SIZE - 2);
	p[STREAM_INPUT_SIZE - 2] = 'a';
	peer_sends((struct view){ p, STREAM_INPUT_SIZE });
	assert_int_equal(
	    stream_read_line(s, STREAM_INPUT_SIZE - 2, &line, NULL, soon()), STREAM_TOO_LONG);
	mem_free(p);
	done++;
}

static void
the_longest_line(void **state)
{
	(void)state;
	run(tries_longest, NULL);
}

static void
mixes_reads(void *argument)
{
	struct view v;
	char four[4];

	(void)argument;
	peer_sends(VIEW("line\r\nabcdefgh"));
	expect_line("line", true);
	stream_unread(s, 2); /* with the line end behind them */
	expect_line("ne", true);
	assert_int_equal(stream_read_some(s, 3, &v, soon()), STREAM_OK);
	assert_true(view_eq(v, VIEW("abc")));
	stream_unread(s, 1);
	stream_unread(s, 1);
	assert_int_equal(stream_buffered(s), 7);
	assert_int_equal(stream_read_exact(s, four, 4, soon()), STREAM_OK);
	assert_memory_equal(four, "bcde", 4);
	assert_int_equal(
	    stream_read_exact(s, four, 4, clock_deadline(MILLISECOND)), STREAM_TIMEOUT);
	peer_sends(VIEW("tail without end"));
	assert_int_equal(stream_wait_input(s, soon()), STREAM_OK);
	assert_int_equal(shutdown(peer, SHUT_WR), 0);
	assert_int_equal(stream_read_line(s, 100, &v, NULL, soon()), STREAM_EOF);
	assert_int_equal(stream_buffered(s), 16);
	assert_int_equal(stream_wait_input(s, soon()), STREAM_OK);
	assert_int_equal(stream_read_some(s, 100, &v, soon()), STREAM_OK);
	assert_int_equal(stream_wait_input(s, soon()), STREAM_EOF);
	assert_int_equal(stream_read_some(s, 100, &v, soon()), STREAM_EOF);
	done++;
}

static void
reads_of_all_kinds(void **state)
{
	(void)state;
	run(mixes_reads, NULL);
}

#define BIG (1000 * 1000)

static void
sends_big(void *argument)
{
	char *p = mem_alloc(BIG);

	(void)argument;
	for (size_t i = 0; i < BIG; i++)
		p[i] = (char)(i * 7 + i / 256);
	assert_int_equal(stream_write(s, VIEW("head"), soon()), STREAM_OK);
	assert_int_equal(stream_write(s, (struct view){ p, BIG }, soon()), STREAM_OK);
	assert_int_equal(stream_printf(s, soon(), "%0*d", 40000, 1), STREAM_OK);
	assert_int_equal(stream_flush(s, soon()), STREAM_OK);
	assert_int_equal(stream_unsent(s), 0);
	assert_true(stream_bytes_out(s) == 4 + BIG + 40000);
	mem_free(p);
}

static void
reads_big(void *argument)
{
	struct stream *in = argument;
	char *p = mem_alloc(BIG);

	assert_int_equal(stream_read_exact(in, p, 4, soon()), STREAM_OK);
	assert_memory_equal(p, "head", 4);
	assert_int_equal(stream_read_exact(in, p, BIG, soon()), STREAM_OK);
	for (size_t i = 0; i < BIG; i++)
		assert_true(p[i] == (char)(i * 7 + i / 256));
	assert_int_equal(stream_read_exact(in, p, 40000, soon()), STREAM_OK);
	for (size_t i = 0; i < 40000; i++)
		assert_true(p[i] == (i == 39999 ? '1' : '0'));
	mem_free(p);
	stream_free(&in);
	done++;
}

static void
a_large_transfer(void **state)
{
	(void)state;
	assert_true(task_spawn("sends", sends_big, NULL));
	run(reads_big, stream_new(peer));
	peer = -1;
}

static void
writes_in_vain(void *argument)
{
	char *p = mem_zero(BIG, 1);
	struct view line;

	(void)argument;
	assert_int_equal(stream_write(s, (struct view){ p, BIG }, clock_deadline(MILLISECOND)),
	    STREAM_TIMEOUT);
	/* A small write after it waits too, and never grows anything. */
	for (int i = 0; i < 1000; i++)
		if (stream_write(s, (struct view){ p, 1000 }, clock_deadline(MILLISECOND)) !=
		    STREAM_OK)
			break;
	assert_true(stream_unsent(s) <= STREAM_OUTPUT_SIZE);
	/* And a read must flush before it waits. */
	assert_int_equal(
	    stream_read_line(s, 100, &line, NULL, clock_deadline(MILLISECOND)), STREAM_TIMEOUT);
	mem_free(p);
	file_close(&peer);
	assert_int_equal(stream_flush(s, soon()), STREAM_ERROR);
	assert_int_equal(stream_errno(s), EPIPE); /* and no SIGPIPE */
	done++;
}

static void
a_peer_that_never_reads(void **state)
{
	(void)state;
	run(writes_in_vain, NULL);
}

static void
is_cancelled(void *argument)
{
	struct view line;

	(void)argument;
	assert_int_equal(stream_read_line(s, 100, &line, NULL, soon()), STREAM_CANCELLED);
	done++;
}

static void
cancels(void *argument)
{
	task_sleep(MILLISECOND);
	task_cancel(argument);
	task_release(argument);
}

static void
cancellation(void **state)
{
	(void)state;
	run(cancels, task_start("reads", is_cancelled, NULL));
}

/* A peer that always has more cannot keep a session beyond its deadline, nor others waiting. */
static void
floods(void *argument)
{
	static const char bytes[65536];
	struct stream *out = argument;

	while (stream_write(out, (struct view){ bytes, sizeof(bytes) }, soon()) == STREAM_OK)
		continue;
	stream_free(&out);
}

static void
is_flooded(void *argument)
{
	nanoseconds end = clock_deadline(20 * MILLISECOND);
	enum stream_result r;
	struct view v;

	(void)argument;
	(void)task_set_deadline(end);
	while ((r = stream_read_some(s, 1000, &v, DEADLINE_NEVER)) == STREAM_OK)
		continue;
	assert_int_equal(r, STREAM_TIMEOUT);
	assert_true(clock_now() < end + 5 * SECOND);
	stream_free(&s);
	done++;
}

static void
a_flood_ends_at_the_deadline(void **state)
{
	(void)state;
	assert_true(task_spawn("floods", floods, stream_new(peer)));
	peer = -1;
	run(is_flooded, NULL);
}

static void
looks_at_buffers(void *argument)
{
	struct view line;

	(void)argument;
	task_sleep(MILLISECOND);
	assert_null(s->in.data); /* it waits */
	assert_null(s->out.data);
	assert_int_equal(read(peer, (char[10]){ 0 }, 10), 5); /* flushed before the wait */
	peer_sends(VIEW("part"));
	task_sleep(MILLISECOND);
	assert_non_null(s->in.data); /* it waits for the rest */
	peer_sends(VIEW("y\n"));
	(void)line;
}

static void
waits_idle(void *argument)
{
	(void)argument;
	assert_int_equal(stream_write(s, VIEW("hello"), soon()), STREAM_OK);
	assert_int_equal(stream_unsent(s), 5);
	expect_line("party", false);
	done++;
}

static void
an_idle_stream_has_no_buffers(void **state)
{
	(void)state;
	assert_true(task_spawn("waits", waits_idle, NULL));
	run(looks_at_buffers, NULL);
}

/* A layer that turns letters around, gives one byte at a time, and sometimes wants to write. */

struct layer_state {
	unsigned reads;
	bool closed;
};

static char
turned(char c)
{
	return char_is_alpha(c) ? (char)(c ^ 0x20) : c;
}

static ssize_t
layer_read(struct stream *st, void *p, size_t n)
{
	struct layer_state *state = stream_layer_data(st);
	ssize_t rc;

	assert_true(n > 0);
	if (++state->reads % 3 == 0) {
		stream_layer_wants(st, TASK_WRITE); /* is possible at once */
		errno = EAGAIN;
		return -1;
	}
	rc = read(stream_fd(st), p, 1);
	if (rc == 1)
		*(char *)p = turned(*(char *)p);
	return rc;
}

static ssize_t
layer_write(struct stream *st, const void *p, size_t n)
{
	char c = turned(*(const char *)p);

	assert_true(n > 0);
	return write(stream_fd(st), &c, 1);
}

static void
layer_close(struct stream *st)
{
	struct layer_state *state = stream_layer_data(st);

	state->closed = true;
}

static const struct stream_layer turning = { layer_read, layer_write, layer_close };

static void
changes_layers(void *argument)
{
	char got[10] = { 0 };

	/* What came before the change is not seen after it, in either direction. */
	peer_sends(VIEW("start\r\ninjected\r\n"));
	expect_line("start", true);
	assert_int_equal(stream_write(s, VIEW("unsent"), soon()), STREAM_OK);
	stream_set_layer(s, &turning, argument);
	assert_int_equal(stream_buffered(s), 0);
	assert_int_equal(stream_unsent(s), 0);
	peer_sends(VIEW("hELLO\r\nmore\r\n"));
	expect_line("Hello", true);
	expect_line("MORE", true);
	assert_int_equal(stream_printf(s, soon(), "%s", "aBc"), STREAM_OK);
	assert_int_equal(stream_flush(s, soon()), STREAM_OK);
	assert_int_equal(read(peer, got, sizeof(got)), 3);
	assert_string_equal(got, "AbC");
	stream_free(&s);
	assert_true(((struct layer_state *)argument)->closed);
	done++;
}

static void
the_layer_can_be_replaced(void **state)
{
	struct layer_state layer = { 0 };

	(void)state;
	run(changes_layers, &layer);
}

static void
uses_a_pipe(void *argument)
{
	struct stream *in, *out;
	struct view line;
	int fds[2];

	(void)argument;
	assert_int_equal(pipe(fds), 0);
	in = stream_new(fds[0]);
	out = stream_new(fds[1]);
	assert_int_equal(stream_printf(out, soon(), "through\n"), STREAM_OK);
	assert_int_equal(stream_flush(out, soon()), STREAM_OK);
	assert_int_equal(stream_read_line(in, 100, &line, NULL, soon()), STREAM_OK);
	assert_true(view_eq(line, VIEW("through")));
	stream_free(&out);
	assert_int_equal(stream_read_line(in, 100, &line, NULL, soon()), STREAM_EOF);
	stream_free(&in);
	done++;
}

static void
pipes_work(void **state)
{
	(void)state;
	run(uses_a_pipe, NULL);
	uses_a_pipe(NULL); /* and outside a task */
}

/* Before anything was read, between reads, and after one that took everything. */
static void
asks_for_input(void *argument)
{
	(void)argument;
	assert_false(stream_has_input(s));
	peer_sends(VIEW("a\nb\n"));
	assert_true(stream_has_input(s));
	expect_line("a", false);
	assert_true(stream_has_input(s));
	expect_line("b", false);
	assert_false(stream_has_input(s));
	peer_sends(VIEW("c\n"));
	assert_int_equal(task_sleep(MILLISECOND), TASK_OK);
	assert_true(stream_has_input(s));
	assert_int_equal(stream_wait_input(s, soon()), STREAM_OK);
	assert_true(stream_has_input(s));
	expect_line("c", false);
	file_close(&peer);
	assert_int_equal(task_sleep(MILLISECOND), TASK_OK);
	assert_false(stream_has_input(s));
	done++;
}

static void
input_is_seen_without_a_read(void **state)
{
	(void)state;
	run(asks_for_input, NULL);
}

static void
input_is_seen_outside_a_task(void **state)
{
	(void)state;
	peer_sends(VIEW("a\n"));
	assert_true(stream_has_input(s));
	expect_line("a", false);
	assert_false(stream_has_input(s));
	peer_sends(VIEW("b\n"));
	assert_true(stream_has_input(s));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lines_at_every_cut),
		TEST(many_lines),
		TEST(lines_that_are_too_long),
		TEST(the_longest_line),
		TEST(reads_of_all_kinds),
		TEST(a_large_transfer),
		TEST(a_peer_that_never_reads),
		TEST(cancellation),
		TEST(a_flood_ends_at_the_deadline),
		TEST(an_idle_stream_has_no_buffers),
		TEST(the_layer_can_be_replaced),
		TEST(pipes_work),
		TEST(input_is_seen_without_a_read),
		TEST(input_is_seen_outside_a_task),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
