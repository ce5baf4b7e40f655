/* SPDX-License-Identifier: Apache-2.0 */
/* Files of maildrop/: what was written comes back, and nothing else passes for a submission. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "proto/maildrop.h"
#include "proto/submit.h"

static int
file_of(struct view bytes)
{
	int fd = memfd_create("maildrop", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_true(file_write_all(fd, bytes.p, bytes.n));
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void
submission_write(struct buf *out, size_t content_size)
{
	struct submit_begin begin = { .source = SUBMIT_LOCAL, .sender = VIEW("a@example.com") };
	struct submit_recipient r = { .address = VIEW("b@example.com"), .notify = 3 };
	struct submit_end end = { 0 };
	char *content = mem_zero(content_size, 1);

	maildrop_begin(out);
	maildrop_message(out, &submit_begin_message, &begin);
	maildrop_message(out, &submit_recipient_message, &r);
	maildrop_data(out, (struct view){ content, content_size });
	maildrop_message(out, &submit_end_message, &end);
	mem_free(content);
	assert_false(out->overflow);
}

static void
test_round_trip(void **state)
{
	struct buf file = BUF_INIT(1 << 20);
	struct submit_begin begin;
	struct submit_recipient r;
	struct maildrop_reader reader;
	struct ipc_frame frame;
	size_t content = 0;
	const char *why;
	int fd;

	(void)state;
	submission_write(&file, 200000);
	fd = file_of(buf_view(&file));
	maildrop_reader_init(&reader, fd);
	assert_int_equal(maildrop_next(&reader, &frame), MAILDROP_FRAME);
	assert_true(ipc_frame_is(&frame, &submit_begin_message));
	assert_true(ipc_decode(&submit_begin_message, frame.payload, NULL, 0, &begin, &why));
	assert_true(view_eq(begin.sender, VIEW("a@example.com")));
	assert_int_equal(maildrop_next(&reader, &frame), MAILDROP_FRAME);
	assert_true(ipc_decode(&submit_recipient_message, frame.payload, NULL, 0, &r, &why));
	assert_int_equal(r.notify, 3);
	while (maildrop_next(&reader, &frame) == MAILDROP_FRAME && frame.data.n) {
		assert_true(frame.data.n <= IPC_DATA_MAX);
		content += frame.data.n;
	}
	assert_int_equal(content, 200000);
	assert_true(ipc_frame_is(&frame, &submit_end_message));
	assert_int_equal(maildrop_next(&reader, &frame), MAILDROP_EOF);
	maildrop_reader_done(&reader);
	close(fd);
	buf_done(&file);
}

/* How a file ends: the first answer that is no frame. */
static enum maildrop_result
read_all(struct view bytes, size_t *frames)
{
	struct maildrop_reader reader;
	struct ipc_frame frame;
	enum maildrop_result result;
	int fd = file_of(bytes);

	*frames = 0;
	maildrop_reader_init(&reader, fd);
	while ((result = maildrop_next(&reader, &frame)) == MAILDROP_FRAME)
		(*frames)++;
	maildrop_reader_done(&reader);
	close(fd);
	return result;
}

/* Cut anywhere, it is never a whole submission. */
static void
test_every_cut(void **state)
{
	struct buf file = BUF_INIT(1 << 20);
	size_t frames;

	(void)state;
	submission_write(&file, 100);
	assert_int_equal(read_all(buf_view(&file), &frames), MAILDROP_EOF);
	assert_int_equal(frames, 4);
	for (size_t n = 0; n < file.len; n++) {
		enum maildrop_result result =
		    read_all(view_sub(buf_view(&file), 0, n), &frames);

		assert_true(frames < 4);
		assert_true(result == MAILDROP_WRONG || (result == MAILDROP_EOF && n >= 12));
	}
	buf_done(&file);
}

static void
test_wrong_files(void **state)
{
	static const struct {
		struct view bytes;
		size_t frames;
	} rows[] = {
		{ { "PosternM\0\0\0\2", 12 }, 0 },
		{ { "PosternQ\0\0\0\1", 12 }, 0 },
		{ { "PosternM\0\0\0\1\0\0\0\0m", 17 }, 0 },
		{ { "PosternM\0\0\0\1\0\0\0\1m", 17 }, 0 },
		{ { "PosternM\0\0\0\1\0\0\0\2xa", 18 }, 0 },
		{ { "PosternM\0\0\0\1\0\0\0\2ma", 18 }, 0 },
		{ { "PosternM\0\0\0\1\0\0\0\2dad", 19 }, 1 },
		{ { "PosternM\0\0\0\1\xff\xff\xff\xff"
		    "d",
		      17 },
		    0 },
		{ { "PosternM\0\0\0\1\0\1\0\2d", 17 }, 0 },
		{ { "PosternM\0\0\0\1\0\4\0\2m", 17 }, 0 },
	};
	size_t frames;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(read_all(rows[i].bytes, &frames), MAILDROP_WRONG);
		assert_int_equal(frames, rows[i].frames);
	}
}

static void
test_names(void **state)
{
	static const char *const wrong[] = { "", "0123456789abcdef0123456789abcde",
		"0123456789abcdef0123456789abcdef0", "0123456789ABCDEF0123456789abcdef",
		"../3456789abcdef0123456789abcdef", "g123456789abcdef0123456789abcdef" };
	char a[MAILDROP_NAME_LENGTH + 1], b[MAILDROP_NAME_LENGTH + 1];

	(void)state;
	maildrop_name_new(a);
	maildrop_name_new(b);
	assert_true(maildrop_name_is_valid(view_of(a)));
	assert_string_not_equal(a, b);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_false(maildrop_name_is_valid(view_of(wrong[i])));
}

/* Only a regular file with one name and exactly the mode of a whole one is opened. */
static void
test_open(void **state)
{
	char dir[] = "/tmp/maildrop-test-XXXXXX";
	struct stat st;
	int at, fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	at = open(dir, O_RDONLY | O_DIRECTORY);
	fd = openat(at, "file", O_WRONLY | O_CREAT, 0600);
	assert_int_equal(maildrop_open(at, "file", &st), -1);
	assert_int_equal(errno, ESTALE);
	for (unsigned mode = 0; mode < 01000; mode++) {
		int opened;

		assert_int_equal(fchmod(fd, mode), 0);
		opened = maildrop_open(at, "file", &st);
		assert_int_equal(opened >= 0, mode == MAILDROP_MODE_READY);
		file_close(&opened);
	}
	assert_int_equal(fchmod(fd, MAILDROP_MODE_READY), 0);
	assert_int_equal(symlinkat("file", at, "link"), 0);
	assert_int_equal(maildrop_open(at, "link", &st), -1);
	assert_int_equal(mkfifoat(at, "fifo", 0600), 0);
	assert_int_equal(fchmodat(at, "fifo", MAILDROP_MODE_READY, 0), 0);
	assert_int_equal(maildrop_open(at, "fifo", &st), -1);
	assert_int_equal(linkat(at, "file", at, "second", 0), 0);
	assert_int_equal(maildrop_open(at, "file", &st), -1);
	assert_int_equal(maildrop_open(at, "none", &st), -1);
	assert_int_equal(errno, ENOENT);
	for (size_t i = 0; i < 4; i++)
		unlinkat(at, ((const char *[]){ "file", "link", "fifo", "second" })[i], 0);
	close(fd);
	close(at);
	rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_wrong_files),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
