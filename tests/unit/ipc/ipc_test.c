/* SPDX-License-Identifier: Apache-2.0 */
/* Connections: order, buffering, large frames, descriptors, and peers that break the rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "ipc/ipc_private.h"
#include "task/task.h"

struct note {
	struct view text;
	uint64_t number;
	int file;
};
static const struct ipc_field note_rows[] = {
	IPC_REQUIRED(IPC_VIEW, note, text),
	IPC_OPTIONAL(IPC_U64, note, number),
	IPC_OPTIONAL(IPC_FD, note, file),
};
static IPC_MESSAGE(note_message, "test/1.note", note, note_rows);

/* Two connected ends, and the raw descriptors below them for a peer that misbehaves. */
struct ends {
	struct ipc *a;
	struct ipc *b;
	unsigned done;
};

static size_t
open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t count = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count;
}

static size_t descriptors_before;

static int
setup(void **state)
{
	struct ends *e = NEW(struct ends);
	int fds[2];

	descriptors_before = open_descriptors();
	task_init();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	e->a = ipc_new(fds[0]);
	e->b = ipc_new(fds[1]);
	ipc_take_descriptors(e->a);
	ipc_take_descriptors(e->b);
	*state = e;
	return 0;
}

static int
teardown(void **state)
{
	struct ends *e = *state;

	ipc_free(&e->a);
	ipc_free(&e->b);
	mem_free(e);
	task_done();
	assert_int_equal(open_descriptors(), descriptors_before);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static nanoseconds
soon(void)
{
	return clock_deadline(20 * SECOND);
}

static void
run_two(struct ends *e, void (*first)(void *), void (*second)(void *))
{
	assert_true(task_spawn("first", first, e));
	assert_true(task_spawn("second", second, e));
	task_run();
	assert_int_equal(e->done, 2);
}

static void
send_note(struct ipc *c, struct view text, uint64_t number, int file)
{
	struct note n = { .text = text, .number = number, .file = file };

	assert_int_equal(ipc_send(c, &note_message, &n, soon()), IPC_OK);
}

/* Conversation. */

static void
asks(void *argument)
{
	struct ends *e = argument;

	for (uint64_t i = 1; i <= 1000; i++) {
		struct note answer;

		send_note(e->a, VIEW("ask"), i, -1);
		/* No flush: the receive does it before it waits. */
		assert_int_equal(ipc_expect(e->a, &note_message, &answer, soon()), IPC_OK);
		assert_true(view_eq(answer.text, VIEW("answer")));
		assert_true(answer.number == i * 2);
		assert_int_equal(answer.file, -1);
	}
	ipc_free(&e->a);
	e->done++;
}

static void
answers(void *argument)
{
	struct ends *e = argument;
	struct ipc_frame frame;
	struct note n;

	while (ipc_receive(e->b, &frame, soon()) == IPC_OK) {
		assert_true(ipc_frame_is(&frame, &note_message));
		assert_true(ipc_frame_decode(e->b, &frame, &note_message, &n));
		send_note(e->b, VIEW("answer"), n.number * 2, -1);
	}
	assert_int_equal(ipc_receive(e->b, &frame, soon()), IPC_EOF);
	e->done++;
}

static void
a_conversation(void **state)
{
	run_two(*state, asks, answers);
}

/* Frames of many sizes, with the content depending on the position. */

static const size_t sizes[] = { 1, 2, 4090, 4095, 4096, 16383, 16384, 16385, 16890, 32768,
	65535, 65536, 3, 65536, 65536, 1 };
#define ROUNDS 20

static void
fill(char *p, size_t n, size_t seed)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (char)(i * 31 + seed);
}

static void
sends_data(void *argument)
{
	struct ends *e = argument;
	char *p = mem_alloc(IPC_DATA_MAX);

	for (size_t i = 0; i < ROUNDS * ARRAY_LEN(sizes); i++) {
		size_t n = sizes[i % ARRAY_LEN(sizes)];

		fill(p, n, i);
		assert_int_equal(ipc_send_data(e->a, (struct view){ p, n }, soon()), IPC_OK);
		if (i % 7 == 0)
			send_note(e->a, (struct view){ p, n }, i, -1);
	}
	assert_int_equal(ipc_flush(e->a, soon()), IPC_OK);
	assert_int_equal(ipc_send_data(e->a, VIEW(""), soon()), IPC_PROTOCOL);
	assert_int_equal(
	    ipc_send_data(e->a, (struct view){ p, IPC_DATA_MAX + 1 }, soon()), IPC_PROTOCOL);
	mem_free(p);
	ipc_free(&e->a);
	e->done++;
}

static void
receives_data(void *argument)
{
	struct ends *e = argument;
	char *p = mem_alloc(IPC_DATA_MAX);
	struct ipc_frame frame;

	for (size_t i = 0; i < ROUNDS * ARRAY_LEN(sizes); i++) {
		size_t n = sizes[i % ARRAY_LEN(sizes)];
		struct note note;

		fill(p, n, i);
		assert_int_equal(ipc_receive(e->b, &frame, soon()), IPC_OK);
		assert_int_equal(frame.message.n, 0);
		assert_int_equal(frame.data.n, n);
		assert_memory_equal(frame.data.p, p, n);
		if (i % 7 != 0)
			continue;
		assert_int_equal(ipc_expect(e->b, &note_message, &note, soon()), IPC_OK);
		assert_true(note.number == i);
		assert_int_equal(note.text.n, n);
		assert_memory_equal(note.text.p, p, n);
	}
	assert_int_equal(ipc_receive(e->b, &frame, soon()), IPC_EOF);
	mem_free(p);
	e->done++;
}

static void
frames_of_every_size(void **state)
{
	run_two(*state, sends_data, receives_data);
}

/* Descriptors. */

static int
temporary_file(unsigned size)
{
	char path[] = "/tmp/postern-ipc-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(ftruncate(fd, size), 0);
	return fd;
}

static off_t
file_size(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_size;
}

#define FILES 50

/* Every third message has a file, between others with and without; sizes tell them apart. */
static void
sends_files(void *argument)
{
	struct ends *e = argument;
	char *big = mem_zero(IPC_VALUE_MAX, 1);

	for (unsigned i = 0; i < FILES; i++) {
		int fd = i % 3 == 0 ? temporary_file(i + 1) : -1;
		size_t n = i % 5 == 0 ? IPC_VALUE_MAX : 10;

		send_note(e->a, (struct view){ big, n }, i, fd);
		if (i % 4 == 0)
			assert_int_equal(
			    ipc_send_data(e->a, (struct view){ big, 20000 }, soon()), IPC_OK);
		file_close(&fd);
	}
	assert_int_equal(ipc_flush(e->a, soon()), IPC_OK);
	mem_free(big);
	e->done++;
}

static void
receives_files(void *argument)
{
	struct ends *e = argument;
	struct ipc_frame frame;
	struct note n;

	for (unsigned i = 0; i < FILES; i++) {
		assert_int_equal(ipc_expect(e->b, &note_message, &n, soon()), IPC_OK);
		assert_true(n.number == i);
		if (i % 3 == 0) {
			assert_int_equal(file_size(n.file), i + 1);
			assert_true(fcntl(n.file, F_GETFD) & FD_CLOEXEC);
			file_close(&n.file);
		}
		assert_int_equal(n.file, -1);
		if (i % 4 == 0)
			assert_int_equal(ipc_receive(e->b, &frame, soon()), IPC_OK);
	}
	e->done++;
}

static void
descriptors_travel_with_their_frame(void **state)
{
	run_two(*state, sends_files, receives_files);
}

/* A peer that speaks by hand. */

static void
raw_send(int fd, struct view bytes, const int *fds, size_t count)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(16 * sizeof(int))];
	} control = { 0 };
	struct iovec part = { (void *)(uintptr_t)bytes.p, bytes.n };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };

	if (count > 0) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
		m.msg_control = control.bytes;
		m.msg_controllen = CMSG_SPACE(count * sizeof(int));
	}
	assert_int_equal(sendmsg(fd, &m, 0), (ssize_t)bytes.n);
}

static void
receives_in_test(void *argument)
{
	struct ends *e = argument;
	int fds[16];
	struct ipc_frame frame;
	struct note n;

	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = 0;
	/* With raw data, with a message that has no descriptor, and in the middle of a frame.
	 */
	raw_send(ipc_fd(e->a), VIEW("\0\0\0\4dabc"), fds, 2);
	assert_int_equal(ipc_receive(e->b, &frame, soon()), IPC_OK);
	assert_true(view_eq(frame.data, VIEW("abc")));
	raw_send(
	    ipc_fd(e->a), VIEW("\0\0\0\035m\0\13test/1.note\0\0\0\0\0\4text\0\0\0\1x"), fds, 1);
	assert_int_equal(ipc_expect(e->b, &note_message, &n, soon()), IPC_OK);
	assert_int_equal(n.file, -1);
	raw_send(ipc_fd(e->a), VIEW("\0\0\0\4da"), NULL, 0);
	raw_send(ipc_fd(e->a), VIEW("b"), fds, 8);
	raw_send(ipc_fd(e->a), VIEW("c"), NULL, 0);
	assert_int_equal(ipc_receive(e->b, &frame, soon()), IPC_OK);
	assert_true(view_eq(frame.data, VIEW("abc")));
	/* One message, two descriptors: the second is closed with the next receive. */
	raw_send(ipc_fd(e->a),
	    VIEW("\0\0\0\047m\0\13test/1.note\0\0\0\0\0\4text\0\0\0\1x\0\4file\0\0\0\0"), fds,
	    2);
	assert_int_equal(ipc_expect(e->b, &note_message, &n, soon()), IPC_OK);
	assert_true(n.file > 0);
	file_close(&n.file);
	/* More than any message has. */
	raw_send(ipc_fd(e->a), VIEW("\0\0\0\4dabc"), fds, 16);
	assert_int_equal(ipc_receive(e->b, &frame, soon()), IPC_PROTOCOL);
	assert_string_equal(ipc_why(e->b), "too many descriptors");
	e->done = 2;
}

/* That none stays open is checked in teardown. */
static void
unexpected_descriptors_are_closed(void **state)
{
	struct ends *e = *state;

	assert_true(task_spawn("receiver", receives_in_test, e));
	task_run();
	assert_int_equal(e->done, 2);
}

static void
breaks_rules(void *argument)
{
	static const struct view rules[] = { VIEW("\xff\xff\xff\xffm"), VIEW("\0\0\0\5x1234"),
		VIEW("\0\0\0\0d"), VIEW("\0\0\0\3m\0\1") };
	struct ends *e = argument;

	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		struct ipc_frame frame;
		struct ipc *c;
		int fds[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
		c = ipc_new(fds[0]);
		raw_send(fds[1], rules[i], NULL, 0);
		assert_int_equal(ipc_receive(c, &frame, soon()), IPC_PROTOCOL);
		ipc_free(&c);
		file_close(&fds[1]);
	}
	/* Gone in the middle of a frame. */
	raw_send(ipc_fd(e->a), VIEW("\0\0\0\4dab"), NULL, 0);
	ipc_free(&e->a);
	struct ipc_frame frame;

	assert_int_equal(ipc_receive(e->b, &frame, soon()), IPC_PROTOCOL);
	assert_string_equal(ipc_why(e->b), "connection closed within a frame");
	e->done = 2;
}

static void
broken_rules_are_told(void **state)
{
	struct ends *e = *state;

	assert_true(task_spawn("receiver", breaks_rules, e));
	task_run();
	assert_int_equal(e->done, 2);
}

/* A conversation whose messages bring none is not made to hold any. */
static void
descriptors_are_refused(void *argument)
{
	size_t before = open_descriptors();
	struct ends *e = argument;
	struct ipc_frame frame;
	int ends[2], sent[2];
	struct ipc *c;

	assert_int_equal(pipe(sent), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	c = ipc_new(ends[0]);
	raw_send(ends[1], VIEW("\0"), sent, 2);
	assert_int_equal(ipc_receive(c, &frame, soon()), IPC_PROTOCOL);
	assert_string_equal(ipc_why(c), "descriptors are not expected");
	assert_int_equal(open_descriptors(), before + 4);
	ipc_free(&c);
	file_close(&ends[1]);
	file_close(&sent[0]);
	file_close(&sent[1]);
	e->done = 2;
}

static void
unexpected_descriptors_end_it(void **state)
{
	struct ends *e = *state;

	assert_true(task_spawn("receiver", descriptors_are_refused, e));
	task_run();
	assert_int_equal(e->done, 2);
}

static void
waits_in_vain(void *argument)
{
	struct ends *e = argument;
	char *p = mem_zero(IPC_DATA_MAX, 1);
	struct ipc_frame frame;
	enum ipc_result result;

	assert_int_equal(
	    ipc_receive(e->b, &frame, clock_deadline(5 * MILLISECOND)), IPC_TIMEOUT);
	/* A peer that never reads stops the writer, and half a frame ends the connection. */
	do
		result = ipc_send_data(
		    e->a, (struct view){ p, IPC_DATA_MAX }, clock_deadline(5 * MILLISECOND));
	while (result == IPC_OK);
	assert_int_equal(result, IPC_TIMEOUT);
	task_cancel(task_current());
	assert_int_equal(ipc_receive(e->a, &frame, soon()), IPC_CANCELLED);
	mem_free(p);
	e->done = 2;
}

static void
timeouts_and_cancellation(void **state)
{
	struct ends *e = *state;

	assert_true(task_spawn("waiter", waits_in_vain, e));
	task_run();
	assert_int_equal(e->done, 2);
}

static void
idles(void *argument)
{
	struct ends *e = argument;
	struct note n;

	assert_int_equal(ipc_expect(e->b, &note_message, &n, soon()), IPC_OK);
	assert_int_equal(ipc_expect(e->b, &note_message, &n, soon()), IPC_OK);
	e->done++;
}

static void
looks_at_idle(void *argument)
{
	struct ends *e = argument;

	send_note(e->a, VIEW("x"), 0, -1);
	assert_int_equal(ipc_flush(e->a, soon()), IPC_OK);
	task_sleep(5 * MILLISECOND);
	assert_null(e->b->in);
	assert_null(e->a->out.data);
	send_note(e->a, VIEW("y"), 0, -1);
	assert_int_equal(ipc_flush(e->a, soon()), IPC_OK);
	e->done++;
}

static void
an_idle_connection_holds_no_buffers(void **state)
{
	run_two(*state, idles, looks_at_idle);
}

/* Outside any task the same calls block the thread. */
static void
works_without_a_task(void **state)
{
	struct ends *e = *state;
	struct note n;
	uid_t uid;
	pid_t pid;

	send_note(e->a, VIEW("plain"), 7, -1);
	assert_int_equal(ipc_flush(e->a, soon()), IPC_OK);
	assert_true(ipc_has_input(e->b));
	assert_true(ipc_is_stale(e->b));
	assert_false(ipc_is_stale(e->a));
	assert_int_equal(ipc_expect(e->b, &note_message, &n, soon()), IPC_OK);
	assert_true(n.number == 7);
	assert_false(ipc_has_input(e->b));
	assert_int_equal(
	    ipc_expect(e->b, &note_message, &n, clock_deadline(MILLISECOND)), IPC_TIMEOUT);
	assert_true(ipc_peer(e->a, &uid, &pid));
	assert_int_equal(uid, getuid());
	assert_int_equal(pid, getpid());
	ipc_free(&e->b);
	assert_true(ipc_is_stale(e->a));
	send_note(e->a, VIEW("lost"), 7, -1);
	assert_int_equal(ipc_flush(e->a, soon()), IPC_ERROR);
	assert_string_equal(ipc_why(e->a), "Broken pipe");
}

static void
connecting_to_nothing(void **state)
{
	char path[200];

	(void)state;
	assert_null(ipc_connect("/nonexistent/socket", soon()));
	assert_int_equal(errno, ENOENT);
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_null(ipc_connect(path, soon()));
	assert_int_equal(errno, ENAMETOOLONG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_conversation),
		TEST(frames_of_every_size),
		TEST(descriptors_travel_with_their_frame),
		TEST(unexpected_descriptors_are_closed),
		TEST(broken_rules_are_told),
		TEST(unexpected_descriptors_end_it),
		TEST(timeouts_and_cancellation),
		TEST(an_idle_connection_holds_no_buffers),
		TEST(works_without_a_task),
		TEST(connecting_to_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
