/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What postqueue, postsuper and smtpd (ETRN) ask for: a row for each verb says who may and what
 * is done. A message that lies on disk is changed there (change.c). One that is active gets a
 * wish: what waits is withdrawn, a delivery that runs is let run to its end, and then the wish
 * comes true. So a deleted message may still have been delivered to those recipients whose
 * delivery was running. A caller who would have to wait long is told that it will be done.
 */
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "qmgr/qmgr.h"
#include "queue/filter.h"
#include "service/authorize.h"
#include "table/match_list.h"

#define PATIENCE (10 * SECOND)
#define TRIES    3

/* ---- who may ---- */

static struct authorize *flushers;
static struct match_list *fast_flush;

void
commands_prepare(void)
{
	flushers = authorize_open(
	    "authorized_flush_users", qmgr.values->authorized_flush_users, qmgr.conf);
	fast_flush =
	    match_list_open("fast_flush_domains", qmgr.values->fast_flush_domains, qmgr.conf);
}

static bool
is_administrator(uid_t uid)
{
	return uid == 0 || uid == geteuid();
}

static bool
may_flush(uid_t uid)
{
	struct buf name = BUF_INIT(1000);
	const char *why = NULL;
	bool may;

	if (is_administrator(uid))
		return true;
	may = authorize_uid(flushers, uid, &name, &why) == TABLE_FOUND;
	buf_done(&name);
	return may;
}

/* ---- a message in memory ---- */

static enum message_wish
wish_of(enum queuectl_verb verb)
{
	switch (verb) {
	case QUEUECTL_HOLD:
		return WISH_HOLD;
	case QUEUECTL_DELETE:
		return WISH_DELETE;
	case QUEUECTL_REQUEUE:
		return WISH_REQUEUE;
	case QUEUECTL_EXPIRE:
		return WISH_EXPIRE;
	default:
		return WISH_NOTHING;
	}
}

/* False: the message has left memory without it; look on disk. */
static bool
change_in_memory(struct message *m, enum queuectl_verb verb, enum queuectl_outcome *outcome,
    const char **why)
{
	struct wish_waiter waiter = { .wish = wish_of(verb) };

	if (verb == QUEUECTL_FLUSH_ID || verb == QUEUECTL_RELEASE) {
		m->flush = true;
		*outcome = verb == QUEUECTL_FLUSH_ID ? QUEUECTL_DONE : QUEUECTL_NOT_FOUND;
		*why = "";
		return true;
	}
	if (m->wish == WISH_NOTHING)
		m->wish = waiter.wish;
	task_cond_init(&waiter.done);
	list_append(&m->waiters, &waiter.link);
	if (m->wish == waiter.wish && m->step == MESSAGE_DELIVERING)
		message_withdraw(m);
	if (!waiter.is_done)
		task_cond_wait(&waiter.done, clock_deadline(PATIENCE));
	if (!waiter.is_done) {
		bool is_first = m->wish == waiter.wish;

		list_remove(&waiter.link);
		*outcome = is_first ? QUEUECTL_DONE : QUEUECTL_FAILED;
		*why = is_first ? "a delivery is running; it will be done when that ends"
				: "something else was asked for before and is not done yet";
		return true;
	}
	*outcome = QUEUECTL_DONE;
	*why = "";
	return waiter.succeeded;
}

static enum queuectl_outcome
change_message(const char *id, enum queuectl_verb verb, const char **why)
{
	enum queuectl_outcome outcome;
	struct message *m;

	for (int i = 0; i < TRIES && (m = message_find(id)); i++) {
		if (change_in_memory(m, verb, &outcome, why))
			return outcome;
	}
	if (!message_find(id))
		return change_on_disk(id, verb, why);
	*why = "the message is being changed";
	return QUEUECTL_FAILED;
}

/* ---- all of them ---- */

/* The filters of a command. NULL with *why. */
static struct queue_filter *
filter_of(const struct queuectl_command *c, const char **why)
{
	const struct view texts[FILTER_KINDS] = { c->from, c->to, c->destination, c->reason,
		c->older, c->larger };
	struct queue_filter *f = NEW(struct queue_filter);
	bool ok = true;

	for (size_t i = 0; ok && i < FILTER_KINDS; i++) {
		if (texts[i].n)
			ok = queue_filter_add(f, (enum filter_kind)i, texts[i], why);
	}
	if (ok)
		return f;
	queue_filter_done(f);
	mem_free(f);
	return NULL;
}

static enum queuectl_outcome
flush_some(const struct queuectl_command *c, const char **why)
{
	struct queue_filter *f = filter_of(c, why);

	if (!f)
		return QUEUECTL_FAILED;
	if (flush_start(f))
		return QUEUECTL_DONE;
	*why = "too many flushes are waiting already";
	return QUEUECTL_FAILED;
}

/* ETRN and postqueue -s: for the domains that main.cf says. */
static enum queuectl_outcome
flush_site(const struct queuectl_command *c, const char **why)
{
	struct queuectl_command only = { .destination = c->destination };

	if (c->destination.n == 0 || view_find(c->destination, '*') < c->destination.n) {
		*why = "not a domain";
		return QUEUECTL_FAILED;
	}
	switch (match_list_has_name(fast_flush, c->destination, why)) {
	case TABLE_FOUND:
		return flush_some(&only, why);
	case TABLE_NOT_FOUND:
		return QUEUECTL_NOT_ALLOWED;
	case TABLE_CANNOT_TELL:
		break;
	}
	return QUEUECTL_FAILED;
}

static enum queuectl_outcome
flush_everything(const struct queuectl_command *c, const char **why)
{
	(void)c;
	transport_revive_all();
	transport_kick_all();
	scan_incoming();
	if (flush_start(NEW(struct queue_filter)))
		return QUEUECTL_DONE;
	*why = "too many flushes are waiting already";
	return QUEUECTL_FAILED;
}

static enum queuectl_outcome
index_written(const struct queuectl_command *c, const char **why)
{
	(void)c;
	if (indexing_flush())
		return QUEUECTL_DONE;
	*why = "the index is being compared with the queue files";
	return QUEUECTL_FAILED;
}

static enum queuectl_outcome
index_rebuild(const struct queuectl_command *c, const char **why)
{
	(void)c, (void)why;
	indexing_lost("as asked for");
	return QUEUECTL_DONE;
}

static enum queuectl_outcome
one_message(const struct queuectl_command *c, const char **why)
{
	char id[QUEUE_ID_SIZE];

	if (!queue_id_is_valid(c->queue_id))
		return QUEUECTL_NOT_FOUND;
	memcpy(id, c->queue_id.p, c->queue_id.n);
	id[c->queue_id.n] = '\0';
	return change_message(id, (enum queuectl_verb)c->verb, why);
}

static bool
may_ask_for_sites(uid_t uid)
{
	return sandbox_uid_is_ours(qmgr.conf, uid) || may_flush(uid);
}

static const struct verb {
	bool (*may)(uid_t uid);
	enum queuectl_outcome (*run)(const struct queuectl_command *c, const char **why);
} verbs[] = {
	[QUEUECTL_FLUSH] = { may_flush, flush_everything },
	[QUEUECTL_FLUSH_ID] = { may_flush, one_message },
	[QUEUECTL_HOLD] = { is_administrator, one_message },
	[QUEUECTL_RELEASE] = { is_administrator, one_message },
	[QUEUECTL_DELETE] = { is_administrator, one_message },
	[QUEUECTL_REQUEUE] = { is_administrator, one_message },
	[QUEUECTL_EXPIRE] = { is_administrator, one_message },
	[QUEUECTL_INDEX] = { is_administrator, index_written },
	[QUEUECTL_REBUILD] = { is_administrator, index_rebuild },
	[QUEUECTL_FLUSH_SITE] = { may_ask_for_sites, flush_site },
	[QUEUECTL_FLUSH_SOME] = { may_flush, flush_some },
};

static enum queuectl_outcome
command_check(uint64_t verb, uid_t uid, const char **why)
{
	*why = "";
	if (verb >= ARRAY_LEN(verbs) || !verbs[verb].run) {
		*why = "unknown command";
		return QUEUECTL_FAILED;
	}
	if (!verbs[verb].may(uid))
		return QUEUECTL_NOT_ALLOWED;
	if (qmgr.finishing) {
		*why = "the queue manager is ending";
		return QUEUECTL_FAILED;
	}
	return QUEUECTL_DONE;
}

enum queuectl_outcome
command_run(const struct queuectl_command *command, uid_t uid, const char **why)
{
	enum queuectl_outcome outcome = command_check(command->verb, uid, why);

	return outcome == QUEUECTL_DONE ? verbs[command->verb].run(command, why) : outcome;
}

bool
command_run_many(const struct queuectl_many *many, uid_t uid, struct buf *outcomes)
{
	struct view rest = many->ids, id;
	const char *why;
	enum queuectl_outcome may = command_check(many->verb, uid, &why);
	size_t count = 0;

	if (may == QUEUECTL_DONE && verbs[many->verb].run == one_message)
		return change_many(many->ids, (enum queuectl_verb)many->verb, outcomes);
	while (count++ < QUEUECTL_MANY_MAX && view_next_word(&rest, " ", &id))
		buf_append_char(
		    outcomes, (char)('0' + (may == QUEUECTL_DONE ? QUEUECTL_FAILED : may)));
	return true;
}
