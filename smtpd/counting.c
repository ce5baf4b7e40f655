/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One kept connection to anvil for all sessions of this process. Whoever asks puts a question
 * into a queue; while there are any, one task sends all that have gathered and takes the
 * answers, which come in the same order. A new connection first says which sessions are open,
 * and is made at once when the old one ends, so that neither an anvil that starts again nor a
 * lost answer makes a count wrong for long.
 *
 * When anvil cannot be asked, all who wait go on without an answer, and for some seconds nobody
 * asks again: mail must not wait for a service that is down.
 */
#include "smtpd/counting.h"

#include <errno.h>

#include "base/list.h"
#include "base/log.h"
#include "task/task.h"

#define ANSWER_WAIT  (10 * SECOND)
#define PAUSE        (5 * SECOND) /* after a failure */
#define LOG_INTERVAL (60 * SECOND)
#define TELL_PAUSE   (1 * SECOND) /* between connections that only say what is open */
#define ROUND_MAX    100          /* questions on the way: their answers fit into the socket */

enum question_kind { ASK_CONNECT, ASK_EVENT, TELL_STATE };

struct question {
	struct list link; /* in counting.queue or counting.sent, else alone */
	enum question_kind kind;
	enum anvil_kind event;
	uint64_t open;
	char range[ANVIL_CLIENT_MAX + 1];
	struct task_cond answered;
	struct anvil_counts counts;
	bool is_over, is_good;
	bool is_orphan; /* nobody waits: whoever ends it frees it */
};

struct counting {
	char *path;
	struct ipc *connection;   /* NULL: none */
	struct task_watch *watch; /* of its end */
	struct list queue;        /* not yet sent */
	struct list sent;         /* waiting for answers, in order */
	nanoseconds pause_end;
	nanoseconds next_log;
	nanoseconds next_tell;
	bool must_tell; /* what is open, though there may be no question */
	bool running;   /* the task that asks */
};

static void
question_end(struct question *q, bool is_good)
{
	list_remove(&q->link);
	q->is_over = true;
	q->is_good = is_good;
	if (q->is_orphan)
		mem_free(q);
	else
		task_cond_signal(&q->answered);
}

static void
end_all(struct list *questions)
{
	while (!list_is_empty(questions))
		question_end(LIST_ITEM(questions->next, struct question, link), false);
}

/* Those that were sent and not answered come first again. */
static void
take_back(struct counting *c)
{
	while (!list_is_empty(&c->sent)) {
		struct list *last = c->sent.prev;

		list_remove(last);
		list_prepend(&c->queue, last);
	}
}

static void
disconnect(struct counting *c)
{
	task_watch_free(&c->watch);
	ipc_free(&c->connection);
}

struct counting *
counting_new(const char *path)
{
	struct counting *c = NEW(struct counting);

	c->path = mem_strdup(path);
	list_init(&c->queue);
	list_init(&c->sent);
	return c;
}

void
counting_free(struct counting **c)
{
	if (*c == NULL)
		return;
	end_all(&(*c)->sent);
	end_all(&(*c)->queue);
	disconnect(*c);
	mem_free((*c)->path);
	mem_free(*c);
	*c = NULL;
}

/* ---- the task that asks ---- */

static struct view
own_service(void)
{
	return view_sub(view_of(service_name()), 0, ANVIL_SERVICE_MAX);
}

static enum ipc_result
send_state(struct ipc *to, const struct ipc_message *m, const char *range, uint64_t open,
    nanoseconds deadline)
{
	struct anvil_client state = {
		.service = own_service(),
		.client = view_of(range),
		.open = open < ANVIL_OPEN_MAX ? open : ANVIL_OPEN_MAX,
	};

	return ipc_send(to, m, &state, deadline);
}

/*
 * Sending may wait, and the table may change meanwhile: so a copy is sent, and what changes
 * later comes through the queue.
 */
static bool
send_all_states(struct ipc *to, nanoseconds deadline)
{
	struct list states;
	struct hash_iter it = { 0 };
	bool good = true;

	list_init(&states);
	while (hash_next(server.clients, &it)) {
		const struct client *client = it.value;
		struct question *q = NEW(struct question);

		q->open = client->connections;
		memcpy(q->range, client->range, sizeof(q->range));
		list_append(&states, &q->link);
	}
	while (!list_is_empty(&states)) {
		struct question *q = LIST_ITEM(list_pop(&states), struct question, link);

		good = good &&
		    send_state(to, &anvil_state_message, q->range, q->open, deadline) == IPC_OK;
		mem_free(q);
	}
	return good;
}

static void ask_all(void *argument);

/* Nothing comes unasked: anvil has closed, or is no anvil. */
static void
on_end(void *context)
{
	struct counting *c = context;
	nanoseconds now = clock_now();

	if (c->running)
		return;
	disconnect(c);
	if (hash_count(server.clients) == 0 || now < c->next_tell || now < c->pause_end)
		return;
	c->next_tell = now + TELL_PAUSE;
	c->must_tell = true;
	c->running = task_spawn("counting", ask_all, c);
}

static bool
connect_now(struct counting *c, nanoseconds deadline)
{
	if (c->connection && ipc_is_stale(c->connection))
		disconnect(c);
	if (c->connection)
		return true;
	c->connection = ipc_connect(c->path, deadline);
	if (!c->connection)
		return false;
	c->watch = task_watch_new(ipc_fd(c->connection), TASK_READ, on_end, c);
	return send_all_states(c->connection, deadline);
}

static enum ipc_result
question_send(struct ipc *to, const struct question *q, nanoseconds deadline)
{
	struct anvil_event event = {
		.service = own_service(), .client = view_of(q->range), .kind = q->event
	};

	if (q->kind == ASK_EVENT)
		return ipc_send(to, &anvil_event_message, &event, deadline);
	return send_state(to,
	    q->kind == ASK_CONNECT ? &anvil_connect_message : &anvil_state_message, q->range,
	    q->open, deadline);
}

static bool
send_queue(struct counting *c, nanoseconds deadline)
{
	for (int i = 0; i < ROUND_MAX && !list_is_empty(&c->queue); i++) {
		struct question *q = LIST_ITEM(c->queue.next, struct question, link);

		list_remove(&q->link);
		list_append(&c->sent, &q->link);
		if (question_send(c->connection, q, deadline) != IPC_OK)
			return false;
		if (q->kind == TELL_STATE)
			question_end(q, true);
	}
	return ipc_flush(c->connection, deadline) == IPC_OK;
}

static bool
take_answers(struct counting *c, nanoseconds deadline)
{
	while (!list_is_empty(&c->sent)) {
		struct question *q = LIST_ITEM(c->sent.next, struct question, link);

		if (ipc_expect(c->connection, &anvil_counts_message, &q->counts, deadline) !=
		    IPC_OK)
			return false;
		question_end(q, true);
	}
	return true;
}

static bool
ask_round(struct counting *c, nanoseconds deadline)
{
	bool good =
	    connect_now(c, deadline) && send_queue(c, deadline) && take_answers(c, deadline);

	if (!good) {
		disconnect(c);
		take_back(c);
	}
	return good;
}

static void
give_up(struct counting *c)
{
	nanoseconds now = clock_now();

	c->pause_end = now + PAUSE;
	end_all(&c->queue);
	if (now < c->next_log || task_is_cancelled())
		return;
	c->next_log = now + LOG_INTERVAL;
	log_warn(
	    "problem talking to service %s: client limits are those of this process", c->path);
}

/* A kept connection may turn out dead: then a new one is tried, once. */
static void
ask_all(void *argument)
{
	struct counting *c = argument;

	while (c->must_tell || !list_is_empty(&c->queue)) {
		nanoseconds deadline = clock_deadline(ANSWER_WAIT);
		bool was_kept = c->connection != NULL;

		c->must_tell = false;
		if (!ask_round(c, deadline) && (!was_kept || !ask_round(c, deadline)))
			give_up(c);
	}
	c->running = false;
}

/* ---- those who ask ---- */

static struct question *
question_new(enum question_kind kind, const char *range)
{
	struct question *q = NEW(struct question);
	struct view v = view_sub(view_of(range), 0, ANVIL_CLIENT_MAX);

	q->kind = kind;
	memcpy(q->range, v.p, v.n);
	task_cond_init(&q->answered);
	return q;
}

static bool
question_queue(struct counting *c, struct question *q)
{
	if (!c->running)
		c->running = task_spawn("counting", ask_all, c);
	if (!c->running) {
		mem_free(q);
		return false;
	}
	list_append(&c->queue, &q->link);
	return true;
}

static bool
ask(struct counting *c, struct question *q, struct anvil_counts *answer)
{
	nanoseconds deadline = clock_deadline(ANSWER_WAIT);
	bool is_good;

	if (!question_queue(c, q))
		return false;
	while (!q->is_over && task_cond_wait(&q->answered, deadline) == TASK_OK)
		;
	if (!q->is_over) {
		q->is_orphan = true;
		return false;
	}
	is_good = q->is_good;
	*answer = q->counts;
	mem_free(q);
	return is_good;
}

static bool
can_ask(const struct counting *c)
{
	return c != NULL && clock_now() >= c->pause_end;
}

bool
counting_connect(struct counting *c, const struct client *client, struct anvil_counts *answer)
{
	struct question *q;

	if (!can_ask(c))
		return false;
	q = question_new(ASK_CONNECT, client->range);
	q->open = client->connections;
	return ask(c, q, answer);
}

bool
counting_event(
    struct counting *c, const char *range, enum anvil_kind kind, struct anvil_counts *answer)
{
	struct question *q;

	if (!can_ask(c))
		return false;
	q = question_new(ASK_EVENT, range);
	q->event = kind;
	return ask(c, q, answer);
}

/* Without a connection there is nothing to correct: a new one says it all. */
void
counting_disconnect(struct counting *c, const struct client *client)
{
	struct question *q;

	if (c == NULL || (!c->connection && !c->running))
		return;
	q = question_new(TELL_STATE, client->range);
	q->open = client->connections;
	q->is_orphan = true;
	(void)question_queue(c, q);
}
