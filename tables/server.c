/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One task per connection: a question, its answer, the next question. The name service is asked
 * from the pool of threads, so a slow directory holds up the tasks that wait for it and nobody
 * else. Its answers are remembered for a few seconds: during a burst of mail the same
 * recipients are asked for by each process.
 *
 * Only tables that the administrator named may be asked for; a peer cannot make this process
 * open anything.
 */
#include <grp.h>
#include <pwd.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "table/lookup_cache.h"
#include "table/lookup_proto.h"
#include "table/table.h"
#include "tables/tables.h"
#include "task/task.h"

#define CACHE_ENTRIES  4096
#define CACHE_LIFETIME (3 * SECOND)
#define IDLE_MAX       (300 * SECOND)
#define ANSWER_MAX     (60 * SECOND) /* until the peer has taken it */

static struct hash *tables; /* name -> struct table */
static struct lookup_cache *cache;

static void
open_one(struct view name, const struct conf *c)
{
	char *text;

	if (hash_find(tables, name) != NULL)
		return;
	text = mem_dup(name.p, name.n);
	hash_put(tables, name, table_open(text, c));
	mem_free(text);
}

/* Loads what the name service needs while files can still be opened. */
static void
warm_up_name_service(void)
{
	(void)getpwnam("root");
	(void)getgrnam("root");
}

void
tables_open(const struct conf *c)
{
	struct view rest = view_of(conf_values_of(c)->proxy_read_maps), word;

	table_set_direct(true);
	tables = hash_new();
	cache = lookup_cache_new(CACHE_ENTRIES, CACHE_LIFETIME);
	warm_up_name_service();
	open_one(VIEW("unix:passwd.byname"), c);
	open_one(VIEW("unix:passwd.byuid"), c);
	open_one(VIEW("unix:group.byname"), c);
	while (view_next_braced(&rest, ", \t\r\n", &word)) {
		while (word.n > 0 && word.p[0] == '!')
			word = view_sub(word, 1, word.n);
		if (view_has_prefix(word, VIEW("proxy:")))
			open_one(view_sub(word, 6, word.n), c);
	}
}

static void
free_table(void *value)
{
	struct table *t = value;

	table_free(&t);
}

void
tables_close(void)
{
	hash_free(&tables, free_table);
	lookup_cache_free(&cache);
	table_done();
}

static enum table_result
look_up(const struct lookup_find *question, struct buf *value, const char **why)
{
	struct table *t = hash_find(tables, question->table);
	bool may_cache = view_has_prefix(question->table, VIEW("unix:"));
	enum table_result result;

	if (t == NULL) {
		log_warn("%.*s is not named in proxy_read_maps", VIEW_ARG(question->table));
		*why = "this table is not named in proxy_read_maps";
		return TABLE_CANNOT_TELL;
	}
	if (may_cache && question->key.n <= TABLE_KEY_MAX &&
	    lookup_cache_find(cache, question->table, question->key, &result, value))
		return result;
	result = table_find(t, question->key, value, why);
	if (may_cache && question->key.n <= TABLE_KEY_MAX)
		lookup_cache_put(
		    cache, question->table, question->key, result, buf_view(value));
	return result;
}

static enum ipc_result
answer(struct ipc *connection, const struct lookup_find *question, struct buf *value)
{
	nanoseconds deadline = clock_deadline(ANSWER_MAX);
	struct lookup_answer reply = { 0 };
	enum ipc_result result;
	const char *why = "";

	buf_clear(value);
	reply.result = look_up(question, value, &why);
	if (reply.result == TABLE_FOUND)
		reply.value = buf_view(value);
	else if (reply.result == TABLE_CANNOT_TELL)
		reply.why = view_of(why);
	result = ipc_send(connection, &lookup_answer_message, &reply, deadline);
	return result == IPC_OK ? ipc_flush(connection, deadline) : result;
}

void
tables_serve(struct ipc *connection, tables_idle_fn *idle, void *context)
{
	struct buf value = BUF_INIT(TABLE_VALUE_MAX);
	struct lookup_find question;
	struct ipc_frame frame;
	enum ipc_result result;

	do {
		idle(context, true);
		result = ipc_receive(connection, &frame, clock_deadline(IDLE_MAX));
		idle(context, false);
		if (result == IPC_OK && !ipc_frame_is(&frame, &lookup_find_message)) {
			log_warn("unexpected message \"%.*s\"", VIEW_ARG(frame.message));
			break;
		}
		if (result == IPC_OK &&
		    !ipc_frame_decode(connection, &frame, &lookup_find_message, &question))
			result = IPC_PROTOCOL;
		if (result == IPC_OK)
			result = answer(connection, &question, &value);
	} while (result == IPC_OK);
	if (result == IPC_PROTOCOL)
		log_warn("unexpected request: %s", ipc_why(connection));
	buf_done(&value);
}
