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
#include "tools/postsuper.h"

#define LOCK_NAME "pid/qmgr.lock" /* qmgr holds it while it runs, by whatever name */

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
	queue_index_doubt(".");
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

bool
postsuper_change(struct postsuper *p, const struct action *a, const char *id)
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
	switch (result.outcome) {
	case QUEUECTL_DONE:
		queue_tool_say(&p->tool, "%s: %s%s%.*s%s", id, a->done,
		    result.why.n ? " (" : "", VIEW_ARG(result.why), result.why.n ? ")" : "");
		p->counts[a->verb]++;
		return true;
	case QUEUECTL_NOT_FOUND:
		return false;
	case QUEUECTL_NOT_ALLOWED:
		queue_tool_fatal(
		    &p->tool, 1, "use of this command is reserved for the superuser");
	default:
		queue_tool_say(
		    &p->tool, "warning: %s: not %s: %.*s", id, a->done, VIEW_ARG(result.why));
		p->failed = true;
		return false;
	}
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
