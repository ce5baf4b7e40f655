/* SPDX-License-Identifier: Apache-2.0 */
/* Messages handed to cleanup's functions directly, and what lies in a queue of the test's own.
 */
#ifndef TESTS_CLEANUP_FIXTURE_H
#define TESTS_CLEANUP_FIXTURE_H

#include <ftw.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../conf_text.h"
#include "base/log.h"
#include "cleanup/cleanup.h"
#include "ipc/ipc_pool.h"
#include "mail/header.h"
#include "route/route.h"

#define NO_SPLIT ((size_t)-1)

static char fixture_directory[32];
static struct conf *fixture_conf;

static inline int
fixture_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static inline void
fixture_open(const char *main_cf)
{
	const char *why = NULL;

	test_directory(fixture_directory);
	assert_true(queue_create(fixture_directory, &why));
	fixture_conf = conf_of(main_cf);
	cleanup.conf = conf_values_of(fixture_conf);
	cleanup.queue = queue_open(fixture_directory, false, &why);
	assert_non_null(cleanup.queue);
	cleanup.qmgr = ipc_pool_new("/nonexistent/qmgr", 1, SECOND);
	cleanup.drop_headers = header_names_new(cleanup.conf->message_drop_headers);
	if (*cleanup.conf->virtual_alias_maps)
		cleanup.router = router_open(fixture_conf);
}

static inline void
fixture_close(void)
{
	router_free(&cleanup.router);
	hash_free(&cleanup.drop_headers, NULL);
	ipc_pool_free(&cleanup.qmgr);
	queue_close(&cleanup.queue);
	conf_free(&fixture_conf);
	nftw(fixture_directory, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* What is submitted. Zero means a stranger's message to <to@example.org>. */
struct deal {
	struct submit_begin begin;
	bool hold;
	const struct submit_recipient *recipients; /* until one without address */
	struct view content;
	size_t split; /* bytes of the first frame; 0: one frame; NO_SPLIT: a frame a byte */
};

/* What came of it. */
struct outcome {
	uint64_t result;
	char dsn[16], text[100];
	bool stored;
	struct queue_message message;
	char *header, *body;
};

static inline void
frames_feed(struct message *m, struct view bytes)
{
	for (; bytes.n; bytes = view_sub(bytes, IPC_DATA_MAX, SIZE_MAX))
		message_content(m, view_sub(bytes, 0, IPC_DATA_MAX));
}

static inline void
deal_feed(struct message *m, const struct deal *d)
{
	static const struct submit_recipient to[] = { { .address = { "to@example.org", 14 } },
		{ { NULL, 0 } } };
	const struct submit_recipient *r = d->recipients ? d->recipients : to;
	size_t first = d->split == 0 ? d->content.n : d->split;

	for (; r->address.n; r++)
		message_recipient(m, r);
	if (d->split == NO_SPLIT) {
		for (size_t i = 0; i < d->content.n; i++)
			message_content(m, view_sub(d->content, i, 1));
		return;
	}
	frames_feed(m, view_sub(d->content, 0, first));
	frames_feed(m, view_sub(d->content, first, SIZE_MAX));
}

static inline char *
file_part(int fd, uint64_t offset, uint64_t length)
{
	char *text = mem_alloc(length + 1);

	assert_int_equal(pread(fd, text, length, (off_t)offset), length);
	text[length] = '\0';
	return text;
}

static inline struct outcome
deal_run(const struct deal *d)
{
	struct submit_begin begin = d->begin;
	struct submit_status status = { 0 };
	struct outcome o = { 0 };
	struct message m;
	char id[QUEUE_ID_SIZE];
	const char *why = NULL;

	if (!begin.source)
		begin.source = SUBMIT_SMTP;
	if (!begin.queue_id.n) {
		queue_id_new(clock_wall(), id);
		begin.queue_id = view_of(id);
	}
	message_begin(&m, &begin);
	deal_feed(&m, d);
	m.hold = d->hold;
	message_end(&m, &status);
	o.result = status.result;
	snprintf(o.dsn, sizeof(o.dsn), "%.*s", VIEW_ARG(status.dsn));
	snprintf(o.text, sizeof(o.text), "%.*s", VIEW_ARG(status.text));
	message_done(&m);
	if (begin.queue_id.p != id)
		snprintf(id, sizeof(id), "%.*s", VIEW_ARG(begin.queue_id));
	o.stored = queue_message_open(cleanup.queue, d->hold ? QUEUE_HOLD : QUEUE_INCOMING, id,
		       false, &o.message, &why) == QUEUE_OK;
	assert_int_equal(o.stored, o.result == SUBMIT_OK);
	if (o.stored) {
		o.header =
		    file_part(o.message.fd, o.message.header_offset, o.message.header_length);
		o.body = file_part(o.message.fd, o.message.body_offset, o.message.body_length);
		assert_int_equal(status.size, o.message.size);
		queue_remove(cleanup.queue, id, d->hold ? QUEUE_HOLD : QUEUE_INCOMING, &why);
	}
	return o;
}

static inline void
outcome_done(struct outcome *o)
{
	if (o->stored)
		queue_message_done(&o->message);
	mem_free(o->header);
	mem_free(o->body);
}

/* The value of the n-th field of that name (from 0) on one line, or NULL; the caller frees. */
static inline char *
field_value(const struct outcome *o, const char *name, unsigned n)
{
	struct view block = view_of(o->header);
	struct header_field f;
	struct buf value = BUF_INIT(1 << 20);

	while (header_next(&block, &f)) {
		if (!header_is(&f, view_of(name)) || n-- > 0)
			continue;
		header_unfold(&value, f.value);
		return buf_steal(&value);
	}
	return NULL;
}

static inline bool
field_matches(const struct outcome *o, const char *name, const char *expected)
{
	char *value = field_value(o, name, 0);
	bool same = value && expected ? strcmp(value, expected) == 0 : value == expected;

	if (!same)
		fprintf(stderr, "%s is %s, not %s\n", name, value ? value : "absent",
		    expected ? expected : "absent");
	mem_free(value);
	return same;
}

/* All recipients in order, "address<original notify orcpt" each, with blanks between. */
static inline char *
recipients_text(const struct outcome *o)
{
	struct buf out = BUF_INIT(1 << 20);
	struct queue_recipient r;
	size_t position = 0;

	while (queue_message_recipient(&o->message, &position, &r))
		buf_printf(&out, "%s%.*s<%.*s %u %.*s", out.len ? "; " : "",
		    VIEW_ARG(r.address), VIEW_ARG(r.original), r.notify, VIEW_ARG(r.dsn_orcpt));
	return buf_steal(&out);
}

#endif
