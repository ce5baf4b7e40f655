/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table whose answers come from the `tables` service over one of a few kept connections. The
 * asking task waits, the loop goes on. Whatever goes wrong on the way is "cannot tell".
 *
 * Answers about system users are remembered for a moment: a busy server asks about the same few
 * recipients again and again, and such accounts do not change by the second.
 */
#include "table/proxy_table.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "ipc/ipc_pool.h"
#include "table/lookup_cache.h"
#include "table/lookup_proto.h"
#include "table/table_private.h"
#include "task/task.h"

#define CONNECTIONS_KEPT 16
#define CONNECTION_IDLE  (60 * SECOND)
#define CACHE_ENTRIES    512
#define CACHE_LIFETIME   (2 * SECOND)
#define TIMEOUT_DEFAULT  (60 * SECOND)

struct proxy_table {
	char *name; /* as the other side knows it */
	bool may_cache;
};

static char *socket_path;
static nanoseconds timeout = TIMEOUT_DEFAULT;
static struct ipc_pool *pool;
static struct lookup_cache *cache;

void
table_set_proxy(const char *path, nanoseconds new_timeout)
{
	proxy_table_done();
	mem_free(socket_path);
	socket_path = path == NULL ? NULL : mem_strdup(path);
	timeout = new_timeout;
}

void
proxy_table_done(void)
{
	ipc_pool_free(&pool);
	lookup_cache_free(&cache);
	mem_free(socket_path);
	socket_path = NULL;
}

static void *
proxy_open(const char *name, struct table_error *e)
{
	struct view full = view_of(name);
	struct proxy_table *p;

	if (view_find(full, ':') == full.n) {
		table_error_set(
		    e, "expecting \"proxy:type:name\" form instead of \"proxy:%s\"", name);
		return NULL;
	}
	p = NEW(struct proxy_table);
	p->name = mem_strdup(name);
	p->may_cache = view_has_prefix(full, VIEW("unix:"));
	return p;
}

static void
proxy_close(void *state)
{
	struct proxy_table *p = state;

	mem_free(p->name);
	mem_free(p);
}

/* The answer in *out borrows from the connection, which stays the caller's. */
static enum ipc_result
ask(struct ipc *connection, const struct lookup_find *question, struct lookup_answer *out,
    nanoseconds deadline)
{
	enum ipc_result result;

	result = ipc_send(connection, &lookup_find_message, question, deadline);
	if (result == IPC_OK)
		result = ipc_expect(connection, &lookup_answer_message, out, deadline);
	return result;
}

static enum table_result
answer_take(const struct lookup_answer *answer, struct buf *value, struct table_error *e)
{
	switch (answer->result) {
	case TABLE_FOUND:
		buf_append_view(value, answer->value);
		return TABLE_FOUND;
	case TABLE_NOT_FOUND:
		return TABLE_NOT_FOUND;
	default:
		table_error_set(e, "%.*s", VIEW_ARG(answer->why));
		return TABLE_CANNOT_TELL;
	}
}

static const char *
failure_text(enum ipc_result result)
{
	switch (result) {
	case IPC_TIMEOUT:
		return "timeout";
	case IPC_CANCELLED:
		return "cancelled";
	case IPC_EOF:
		return "lost connection";
	case IPC_PROTOCOL:
		return "malformed answer";
	default:
		return "connection failed";
	}
}

/* A kept connection may have died since; only the failure of a new one counts. */
static enum table_result
ask_service(const struct lookup_find *question, struct buf *value, struct table_error *e)
{
	nanoseconds deadline = clock_deadline(timeout);
	struct lookup_answer answer;
	enum table_result found;
	enum ipc_result result;
	struct ipc *connection;
	bool reused;

	do {
		reused = false;
		connection = ipc_pool_take(pool, deadline, &reused);
		if (connection == NULL) {
			table_error_set(e, "connect to %s: %s", socket_path, strerror(errno));
			return TABLE_CANNOT_TELL;
		}
		result = ask(connection, question, &answer, deadline);
		if (result == IPC_OK) {
			found = answer_take(&answer, value, e);
			ipc_pool_give(pool, &connection);
			return found;
		}
		ipc_free(&connection);
	} while (reused && (result == IPC_EOF || result == IPC_ERROR));
	table_error_set(e, "tables service: %s", failure_text(result));
	return TABLE_CANNOT_TELL;
}

static enum table_result
proxy_find(void *state, struct view key, struct buf *value, struct table_error *e)
{
	struct proxy_table *p = state;
	struct lookup_find question = { .table = view_of(p->name), .key = key };
	enum table_result result;

	if (socket_path == NULL || task_current() == NULL) {
		table_error_set(e, "%s: no tables service in this process", p->name);
		return TABLE_CANNOT_TELL;
	}
	if (pool == NULL) {
		pool = ipc_pool_new(socket_path, CONNECTIONS_KEPT, CONNECTION_IDLE);
		cache = lookup_cache_new(CACHE_ENTRIES, CACHE_LIFETIME);
	}
	if (p->may_cache && lookup_cache_find(cache, question.table, key, &result, value))
		return result;
	result = ask_service(&question, value, e);
	if (p->may_cache && cache != NULL && !value->overflow)
		lookup_cache_put(cache, question.table, key, result, buf_view(value));
	return result;
}

const struct table_type table_type_proxy = {
	.name = "proxy",
	.open = proxy_open,
	.close = proxy_close,
	.find = proxy_find,
};
