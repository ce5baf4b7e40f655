/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and writing whole extents, and the errors that callers tell apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

struct scratch {
	char path[64];
	int dir;
};

static int
set_up(void **state)
{
	struct scratch *s = NEW(struct scratch);

	strncpy(s->path, "/tmp/postern-file-XXXXXX", sizeof(s->path) - 1);
	if (!mkdtemp(s->path))
		return -1;
	s->dir = open(s->path, O_RDONLY | O_DIRECTORY);
	*state = s;
	return s->dir < 0;
}

static int
tear_down(void **state)
{
	struct scratch *s = *state;

	unlinkat(s->dir, "f", 0);
	close(s->dir);
	rmdir(s->path);
	mem_free(s);
	return 0;
}

static int
create(const struct scratch *s)
{
	int fd = openat(s->dir, "f", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

static void
write_and_read_back(void **state)
{
	struct scratch *s = *state;
	int fd = create(s);
	char got[8] = "";

	assert_true(file_write_all(fd, "hello world", 11));
	assert_true(file_write_all(fd, "!", 0));
	assert_true(file_pwrite_all(fd, "J", 1, 0));
	assert_true(file_pwrite_all(fd, "end", 3, 20)); /* leaves a hole */
	assert_true(file_pread_all(fd, got, 5, 0));
	assert_string_equal(got, "Jello");
	assert_true(file_pread_all(fd, got, 5, 18));
	assert_memory_equal(got, "\0\0end", 5);
	errno = EIO;
	assert_false(file_pread_all(fd, got, 6, 18)); /* one byte too many */
	assert_int_equal(errno, 0);
	assert_true(file_pread_all(fd, got, 0, 1000));
	file_close(&fd);
	assert_int_equal(fd, -1);
	file_close(&fd);
	assert_false(file_write_all(-1, "x", 1));
	assert_int_equal(errno, EBADF);
	assert_false(file_pwrite_all(-1, "x", 1, 0));
	assert_int_equal(errno, EBADF);
	assert_false(file_pread_all(-1, got, 1, 0));
	assert_int_equal(errno, EBADF);
}

enum { PIPE_TOTAL = 1 << 20 };

static void *
drain(void *arg)
{
	int fd = *(int *)arg;
	char bytes[2048];
	size_t total = 0;
	ssize_t n;

	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		total += (size_t)n;
	return (void *)total;
}

/* A pipe takes a large write in many parts. */
static void
short_writes_go_on(void **state)
{
	(void)state;
	char *bytes = mem_zero(1, PIPE_TOTAL);
	pthread_t reader;
	void *total;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(pthread_create(&reader, NULL, drain, &fds[0]), 0);
	assert_true(file_write_all(fds[1], bytes, PIPE_TOTAL));
	close(fds[1]);
	assert_int_equal(pthread_join(reader, &total), 0);
	assert_int_equal((size_t)total, PIPE_TOTAL);
	close(fds[0]);
	mem_free(bytes);
}

static void
full_device_is_an_error(void **state)
{
	(void)state;
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		skip();
	assert_false(file_write_all(fd, "x", 1));
	assert_int_equal(errno, ENOSPC);
	close(fd);
}

static void
whole_files(void **state)
{
	static const size_t sizes[] = { 0, 1, 100, 16383, 16384, 16385, 100000 };
	struct scratch *s = *state;
	char *bytes = mem_alloc(100000);

	for (size_t i = 0; i < 100000; i++)
		bytes[i] = (char)(i * 31 + i / 256);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct buf exact = BUF_INIT(sizes[i] + 2);
		struct buf small = BUF_INIT(sizes[i] + 1);
		int fd = create(s);

		assert_true(file_write_all(fd, bytes, sizes[i]));
		file_close(&fd);
		buf_append_str(&exact, "ab");
		assert_true(file_read_at(s->dir, "f", &exact));
		assert_int_equal(exact.len, sizes[i] + 2);
		assert_memory_equal(exact.data, "ab", 2);
		assert_memory_equal(exact.data + 2, bytes, sizes[i]);
		if (sizes[i]) {
			buf_append_str(&small, "ab");
			assert_false(file_read_at(s->dir, "f", &small));
			assert_int_equal(errno, EFBIG);
			assert_string_equal(buf_str(&small), "ab"); /* as before */
		}
		buf_done(&exact);
		buf_done(&small);
	}
	mem_free(bytes);
}

static void
files_that_cannot_be_read(void **state)
{
	struct scratch *s = *state;
	struct buf out = BUF_INIT(10);

	assert_false(file_read_at(s->dir, "missing", &out));
	assert_int_equal(errno, ENOENT);
	assert_false(file_read_at(s->dir, ".", &out));
	assert_int_equal(errno, EISDIR);
	assert_int_equal(out.len, 0);
	buf_done(&out);
}

static void
flags(void **state)
{
	(void)state;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_true(fd_set_nonblocking(fds[0]));
	assert_true(fd_set_nonblocking(fds[0]));
	assert_true(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
	assert_false(fcntl(fds[1], F_GETFL) & O_NONBLOCK);
	assert_true(fd_set_cloexec(fds[0], true));
	assert_int_equal(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
	assert_true(fd_set_cloexec(fds[0], false));
	assert_int_equal(fcntl(fds[0], F_GETFD), 0);
	close(fds[0]);
	close(fds[1]);
	assert_false(fd_set_nonblocking(-1));
	assert_false(fd_set_cloexec(-1, true));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(write_and_read_back, set_up, tear_down),
		cmocka_unit_test(short_writes_go_on),
		cmocka_unit_test(full_device_is_an_error),
		cmocka_unit_test_setup_teardown(whole_files, set_up, tear_down),
		cmocka_unit_test_setup_teardown(files_that_cannot_be_read, set_up, tear_down),
		cmocka_unit_test(flags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
