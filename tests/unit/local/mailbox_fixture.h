/* SPDX-License-Identifier: Apache-2.0 */
/* A mailbox below a directory of the test's own, and a queue file to put into it. */
#ifndef TESTS_UNIT_LOCAL_MAILBOX_FIXTURE_H
#define TESTS_UNIT_LOCAL_MAILBOX_FIXTURE_H

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/crc32c.h"
#include "base/file.h"
#include "local/deliver_file.h"
#include "tests/unit/conf_text.h"

#define PREFIX "Return-Path: <s@example.org>\n"
#define HEADER "Subject: x\r\n"

struct fixture {
	char directory[32];
	struct conf *conf;
	struct mailbox mailbox;
	struct mailbox_job job;
	struct deliver_file d;
};

/* The mailbox is `path` below the directory; a slash at its end makes it a Maildir. */
static inline void
fixture_open(struct fixture *f, const char *path, const char *settings)
{
	char *text = mem_printf("home_mailbox = %s\ndeliver_lock_attempts = 2\n"
				"deliver_lock_delay = 1s\n%s",
	    path, settings);

	*f = (struct fixture){ .job.message = -1, .job.prefix = VIEW(PREFIX) };
	test_directory(f->directory);
	f->conf = conf_of(text);
	mailbox_init(&f->mailbox, conf_values_of(f->conf), WORKER_HOME, "reader", f->directory);
	f->d.mailbox = &f->mailbox;
	f->d.job = &f->job;
	buf_init(&f->d.reason, DELIVER_REASON_MAX);
	mem_free(text);
}

/* As in a queue file: something, the body, the header block, something. */
static inline void
fixture_message(struct fixture *f, struct view body)
{
	char *path = mem_printf("%s/queue-file", f->directory);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	file_close(&f->job.message);
	f->job.message = fd;
	f->job.body_offset = 7;
	f->job.body_length = body.n;
	f->job.header_offset = 7 + body.n;
	f->job.header_length = strlen(HEADER);
	f->job.body_crc = crc32c(0, body.p, body.n);
	if (!file_write_all(fd, "1234567", 7) || !file_write_all(fd, body.p, body.n) ||
	    !file_write_all(fd, HEADER "the rest", strlen(HEADER "the rest")))
		abort();
	unlink(path);
	mem_free(path);
}

static inline enum deliver_result
fixture_deliver(struct fixture *f)
{
	deliver_file_run(&f->d);
	return f->d.result;
}

static inline void
fixture_close(struct fixture *f)
{
	char *remove = mem_printf("%s", f->directory);

	file_close(&f->job.message);
	mailbox_done(&f->mailbox);
	conf_free(&f->conf);
	buf_done(&f->d.reason);
	test_directory_remove(remove);
	mem_free(remove);
}

/* The contents of a file below the fixture's directory; the caller frees them. */
static inline char *
fixture_read(const struct fixture *f, const char *name)
{
	struct buf text = BUF_INIT(64 * 1024 * 1024);
	char *path = mem_printf("%s/%s", f->directory, name);

	if (!file_read_at(AT_FDCWD, path, &text)) {
		mem_free(path);
		buf_done(&text);
		return mem_strdup("(no such file)");
	}
	mem_free(path);
	buf_append(&text, "", 0);
	return buf_steal(&text);
}

static inline void
fixture_write(const struct fixture *f, const char *name, const char *text)
{
	mem_free(test_file(f->directory, name, text));
}

#endif
