/* SPDX-License-Identifier: Apache-2.0 */
/* A queue in a temporary directory, and messages to put into it. */
#ifndef TESTS_QUEUE_FIXTURE_H
#define TESTS_QUEUE_FIXTURE_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "queue/queue.h"
#include "queue/queue_file.h"
#include "queue/queue_private.h"

#define HEADER "Subject: test\r\nFrom: a@example.com\r\n"

static char fixture_dir[64];
static struct queue *queue;

static inline int
fixture_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static inline int
fixture_setup(void **state)
{
	const char *why = NULL;

	(void)state;
	strcpy(fixture_dir, "/tmp/postern-queue-XXXXXX");
	assert_non_null(mkdtemp(fixture_dir));
	assert_true(queue_create(fixture_dir, &why));
	queue = queue_open(fixture_dir, true, &why);
	assert_non_null(queue);
	return 0;
}

static inline int
fixture_teardown(void **state)
{
	(void)state;
	queue_close(&queue);
	return nftw(fixture_dir, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* How many messages, or what looks like one, there are in a place. */
static inline unsigned
count_files(enum queue_place place)
{
	struct queue_scan *s = queue_scan_new(queue, place);
	char id[QUEUE_ID_SIZE];
	const char *why;
	microseconds due;
	unsigned n = 0;

	while (queue_scan_next(s, id, &due, &why))
		n++;
	assert_null(why);
	queue_scan_free(&s);
	return n;
}

static inline unsigned
count_all_files(void)
{
	unsigned n = 0;

	for (int i = 0; i < QUEUE_PLACES; i++)
		n += count_files((enum queue_place)i);
	return n;
}

/* A body of n bytes in lines of 78, with a line end at its end when n allows one. */
static inline char *
make_body(size_t n)
{
	char *body = mem_alloc(n + 1);

	for (size_t i = 0; i < n; i++) {
		size_t column = i % 80;

		body[i] = column == 78 ? '\r' : column == 79 ? '\n' : (char)('a' + i % 23);
	}
	if (n >= 2)
		memcpy(body + n - 2, "\r\n", 2);
	body[n] = '\0';
	return body;
}

static inline void
add_envelope(struct queue_writer *w, unsigned recipients)
{
	char address[64], original[64];

	queue_writer_sender(w, VIEW("sender@example.com"));
	queue_writer_attribute(w, VIEW("client_name"), VIEW("mail.example.com"));
	for (unsigned i = 0; i < recipients; i++) {
		struct queue_recipient r = { .notify = i % 16 };

		snprintf(address, sizeof(address), "user%u@example.net", i);
		snprintf(original, sizeof(original), "alias%u@example.org", i);
		r.address = view_of(address);
		r.original = view_of(original);
		queue_writer_recipient(w, &r);
	}
}

static inline enum queue_result
write_message(
    struct queue_writer *w, const char *body, size_t n, unsigned recipients, const char **why)
{
	enum queue_result r = QUEUE_OK;

	/* In pieces as they come from a network. */
	for (size_t at = 0; at < n && r == QUEUE_OK; at += 10000) {
		size_t piece = n - at < 10000 ? n - at : 10000;

		r = queue_writer_body(w, (struct view){ body + at, piece }, why);
	}
	queue_writer_header(w, VIEW(HEADER));
	add_envelope(w, recipients);
	return queue_writer_commit(w, NULL, why);
}

/* A committed message; its id goes to id. */
static inline void
put_message(enum queue_place place, size_t n, unsigned recipients, char id[QUEUE_ID_SIZE])
{
	struct queue_writer *w = queue_writer_new(queue, place);
	char *body = make_body(n);
	const char *why = NULL;

	assert_int_equal(write_message(w, body, n, recipients, &why), QUEUE_OK);
	strcpy(id, queue_writer_id(w));
	queue_writer_free(&w);
	mem_free(body);
}

static inline char *
message_path(enum queue_place place, const char *id)
{
	static char path[128];
	char relative[64];

	queue_path(place, id, relative, sizeof(relative));
	snprintf(path, sizeof(path), "%s/%s", fixture_dir, relative);
	return path;
}

#endif
