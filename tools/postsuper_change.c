/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One change to one message: asked of qmgr, or made in its place. What qmgr does it logs
 * itself; what is done here is logged here.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "proto/maildrop.h"
#include "queue/index.h"
#include "queue/queue_file.h"
#include "queue/walk.h"
#include "tools/postsuper.h"

#define WALKED      ((size_t)QUEUECTL_MANY_MAX)
#define ANSWER_TIME (600 * SECOND)
#define LOCK_NAME   "pid/qmgr.lock" /* qmgr holds it while it runs, by whatever name */

void
postsuper_connect(struct postsuper *p)
{
	int error;

	p->lock = -1;
	p->qmgr = queue_tool_connect(p->tool.values->queue_service_name);
	if (p->qmgr)
		return;
	error = errno;
	if (error != ENOENT && error != ECONNREFUSED)
		queue_tool_fatal(&p->tool, 1, "connect to the %s service: %s",
		    p->tool.values->queue_service_name, strerror(error));
	p->lock = open(LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (p->lock < 0 && (errno == EACCES || errno == EPERM))
		queue_tool_fatal(
		    &p->tool, 1, "use of this command is reserved for the superuser");
	if (p->lock < 0)
		queue_tool_fatal(&p->tool, 1, "open %s: %s", LOCK_NAME, strerror(errno));
	if (flock(p->lock, LOCK_EX | LOCK_NB) < 0)
		queue_tool_fatal(&p->tool, 1,
		    "lock %s: %s: the queue manager is starting or "
		    "ending: try again",
		    LOCK_NAME, strerror(errno));
}

void
postsuper_done(struct postsuper *p)
{
	ipc_free(&p->qmgr);
	queue_close(&p->queue);
	file_close(&p->lock);
	queue_tool_done(&p->tool);
}

/* ---- in qmgr's place ---- */

static unsigned
place_bit(enum queue_place place)
{
	switch (place) {
	case QUEUE_INCOMING:
		return IN_INCOMING;
	case QUEUE_DEFERRED:
		return IN_DEFERRED;
	case QUEUE_HOLD:
		return IN_HOLD;
	default:
		return 0;
	}
}

bool
postsuper_is_at(struct postsuper *p, const char *id, unsigned places)
{
	enum queue_place place;

	return queue_find(p->queue, id, &place) && (place_bit(place) & places) != 0;
}

bool
postsuper_is_held(struct postsuper *p, const char *id)
{
	return postsuper_is_at(p, id, IN_HOLD);
}

/* To where a queue run finds it at once. */
static enum queue_result
make_due(struct postsuper *p, const char *id, enum queue_place from, const char **why)
{
	enum queue_result r = QUEUE_OK;

	if (from == QUEUE_INCOMING)
		return QUEUE_OK;
	if (from == QUEUE_HOLD)
		r = queue_move(p->queue, id, from, QUEUE_DEFERRED, why);
	return r == QUEUE_OK ? queue_set_due(p->queue, id, clock_wall(), why) : r;
}

static enum queue_result
expire(struct postsuper *p, const char *id, enum queue_place place, const char **why)
{
	struct queue_message m;
	enum queue_result r = queue_message_open(p->queue, place, id, true, &m, why);

	if (r != QUEUE_OK)
		return r;
	r = queue_journal_expire(p->queue, &m, why);
	queue_message_done(&m);
	if (r == QUEUE_OK && place == QUEUE_DEFERRED)
		r = queue_set_due(p->queue, id, clock_wall(), why);
	return r;
}

static enum queue_result
change_file(struct postsuper *p, enum queuectl_verb verb, const char *id, const char **why)
{
	enum queue_place place;

	if (!queue_find(p->queue, id, &place) || place == QUEUE_CORRUPT)
		return QUEUE_GONE;
	switch (verb) {
	case QUEUECTL_DELETE:
		return queue_remove(p->queue, id, place, why);
	case QUEUECTL_EXPIRE:
		return expire(p, id, place, why);
	case QUEUECTL_HOLD:
		return place == QUEUE_HOLD ? QUEUE_OK
					   : queue_move(p->queue, id, place, QUEUE_HOLD, why);
	case QUEUECTL_RELEASE:
		return place == QUEUE_HOLD ? make_due(p, id, place, why) : QUEUE_GONE;
	case QUEUECTL_REQUEUE:
		return make_due(p, id, place, why);
	default:
		return QUEUE_ERROR;
	}
}

static enum queuectl_outcome
change_directly(struct postsuper *p, const struct action *a, const char *id, const char **why)
{
	switch (change_file(p, a->verb, id, why)) {
	case QUEUE_OK:
		log_info("%s: %s", id, a->done);
		return QUEUECTL_DONE;
	case QUEUE_GONE:
	case QUEUE_INCOMPLETE:
		return QUEUECTL_NOT_FOUND;
	default:
		return QUEUECTL_FAILED;
	}
}

/* ---- both ways ---- */

static bool
change_outcome(struct postsuper *p, const struct action *a, struct view id,
    const struct queuectl_result *r)
{
	switch (r->outcome) {
	case QUEUECTL_DONE:
		queue_tool_say(&p->tool, "%.*s: %s%s%.*s%s", VIEW_ARG(id), a->done,
		    r->why.n ? " (" : "", VIEW_ARG(r->why), r->why.n ? ")" : "");
		p->counts[a->verb]++;
		return true;
	case QUEUECTL_NOT_FOUND:
		return false;
	case QUEUECTL_NOT_ALLOWED:
		queue_tool_fatal(
		    &p->tool, 1, "use of this command is reserved for the superuser");
	default:
		queue_tool_say(&p->tool, "warning: %.*s: not %s: %.*s", VIEW_ARG(id), a->done,
		    VIEW_ARG(r->why));
		p->failed = true;
		return false;
	}
}

static bool
change_one(struct postsuper *p, const struct action *a, const char *id)
{
	struct queuectl_result result = { .outcome = QUEUECTL_FAILED };
	const char *why = "";

	if (!p->qmgr) {
		result.outcome = change_directly(p, a, id, &why);
		result.why = view_of(why);
	} else if (!queue_tool_ask(p->qmgr, a->verb, id, &result)) {
		queue_tool_fatal(&p->tool, 1, "lost connection with the queue manager: %s",
		    ipc_why(p->qmgr));
	}
	return change_outcome(p, a, view_of(id), &result);
}

bool
postsuper_change(struct postsuper *p, const struct action *a, const char *id)
{
	static const struct action release = { 'H', QUEUECTL_RELEASE, "released from hold",
		"Released from hold", IN_HOLD, IN_HOLD };

	if (!change_one(p, a, id))
		return false;
	if (a->letter == 'f' && postsuper_is_held(p, id))
		return change_one(p, &release, id);
	return true;
}

/* ---- many ---- */

static void
change_alone(struct postsuper *p, const struct action *a, struct view id)
{
	char name[QUEUE_ID_SIZE];

	memcpy(name, id.p, id.n);
	name[id.n] = '\0';
	(void)postsuper_change(p, a, name);
}

/* What could not be done is asked for once more, alone, to learn why. */
static void
take_outcomes(
    struct postsuper *p, const struct action *a, struct view ids, struct view outcomes)
{
	struct view id;

	for (size_t i = 0; i < outcomes.n && view_next_word(&ids, " ", &id); i++) {
		struct queuectl_result r = { .outcome = (uint64_t)(outcomes.p[i] - '0') };

		if (r.outcome == QUEUECTL_ALONE || r.outcome == QUEUECTL_FAILED)
			change_alone(p, a, id);
		else
			(void)change_outcome(p, a, id, &r);
	}
}

void
postsuper_change_many(struct postsuper *p, const struct action *a, struct view ids)
{
	struct queuectl_many many = { .verb = a->verb, .ids = ids };
	nanoseconds deadline = clock_deadline(ANSWER_TIME);
	struct queuectl_many_result result;
	struct buf outcomes = BUF_INIT(QUEUECTL_MANY_MAX);
	struct view id;

	if (!p->qmgr || a->letter == 'f') {
		while (view_next_word(&ids, " ", &id))
			change_alone(p, a, id);
		return;
	}
	if (ipc_send(p->qmgr, &queuectl_many_message, &many, deadline) != IPC_OK ||
	    ipc_expect(p->qmgr, &queuectl_many_result_message, &result, deadline) != IPC_OK)
		queue_tool_fatal(&p->tool, 1, "lost connection with the queue manager: %s",
		    ipc_why(p->qmgr));
	buf_append_view(&outcomes, result.outcomes);
	take_outcomes(p, a, ids, buf_view(&outcomes));
	buf_done(&outcomes);
}

/* The index, when it can be believed: this program, in qmgr's place, makes it doubtful. */
static struct queue_index *
index_open(struct postsuper *p)
{
	struct queuectl_result result = { 0 };
	const char *why;

	if (!p->qmgr || !queue_tool_ask(p->qmgr, QUEUECTL_INDEX, "", &result) ||
	    result.outcome != QUEUECTL_DONE)
		return NULL;
	return queue_index_open_reader(".", &why);
}

static unsigned
walk_places(unsigned places)
{
	return (places & IN_HOLD ? WALK_HOLD : 0U) |
	    (places & IN_INCOMING ? WALK_INCOMING : 0U) |
	    (places & IN_DEFERRED ? WALK_DEFERRED : 0U);
}

/*
 * In one pass over the queue, as it is now: what a change moves behind the place where the walk
 * is must not be met again. So held mail, which a release moves into deferred, is gone through
 * last, and what is deferred by then was looked at before.
 */
void
postsuper_change_places(struct postsuper *p, const struct action *a, unsigned places)
{
	struct queue_index *index = index_open(p);
	struct queue_walk *walk =
	    queue_walk_new(p->queue, index, walk_places(places), &p->filter);
	struct buf ids = BUF_INIT(QUEUECTL_MANY_MAX * QUEUE_ID_SIZE);
	size_t count, gathered = 0;
	const char *why = NULL;

	do {
		if (!queue_walk_read(walk, &count, &why)) {
			queue_tool_say(&p->tool, "warning: not all of the queue: %s", why);
			p->failed = true;
			count = 1;
			continue;
		}
		for (size_t i = 0; i < count; i++, gathered++)
			buf_printf(&ids, "%s ", queue_walk_at(walk, i).entry->id);
		if (gathered > 0 && (count == 0 || gathered + WALK_BATCH > WALKED)) {
			postsuper_change_many(p, a, buf_view(&ids));
			buf_clear(&ids);
			gathered = 0;
		}
	} while (count > 0);
	buf_done(&ids);
	queue_walk_free(&walk);
	queue_index_close(&index);
}

void
postsuper_rebuild(struct postsuper *p)
{
	struct queuectl_result result;

	if (!p->qmgr) {
		queue_index_forget(".");
		queue_tool_say(&p->tool, "the index will be made anew when the system starts");
		return;
	}
	if (!queue_tool_ask(p->qmgr, QUEUECTL_REBUILD, "", &result))
		queue_tool_fatal(&p->tool, 1, "lost connection with the queue manager: %s",
		    ipc_why(p->qmgr));
	if (result.outcome != QUEUECTL_DONE)
		queue_tool_fatal(
		    &p->tool, 1, "use of this command is reserved for the superuser");
	queue_tool_say(&p->tool, "the index is being made anew from the queue files");
}

/* Whole submissions and partial ones alike. */
void
postsuper_delete_maildrop(struct postsuper *p)
{
	DIR *directory = opendir("maildrop");
	struct dirent *entry;

	if (!directory) {
		queue_tool_say(&p->tool, "warning: maildrop: %s", strerror(errno));
		p->failed = true;
		return;
	}
	while ((entry = readdir(directory)) != NULL) {
		if (!maildrop_name_is_valid(view_of(entry->d_name)) ||
		    unlinkat(dirfd(directory), entry->d_name, 0) < 0)
			continue;
		log_info("maildrop/%.*s: removed", MAILDROP_SHOWN_LENGTH, entry->d_name);
		queue_tool_say(
		    &p->tool, "maildrop/%.*s: removed", MAILDROP_SHOWN_LENGTH, entry->d_name);
		p->counts[QUEUECTL_DELETE]++;
	}
	closedir(directory);
}

void
postsuper_report(const struct postsuper *p, const struct action *actions, size_t count)
{
	bool told[VERBS] = { false };

	for (size_t i = 0; i < count; i++) {
		const struct action *a = &actions[i];
		unsigned long n = p->counts[a->verb];

		if (n == 0 || told[a->verb])
			continue;
		told[a->verb] = true;
		log_info("%s: %lu message%s", a->count, n, n == 1 ? "" : "s");
		queue_tool_say(&p->tool, "%s: %lu message%s", a->count, n, n == 1 ? "" : "s");
	}
}
