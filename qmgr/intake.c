/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking messages up. Names come from cleanup's announcements, from the scan of incoming and
 * from deferred; tasks open and verify the files in batches, outside the loop what is not in
 * memory, and resolve the recipients. Announcements for which there is no room are remembered,
 * the last ones: new mail is not to wait until a scan comes across it. While one task opens,
 * what arrives meanwhile gathers into the next batch; while one waits for a table, another
 * opens.
 */
#include <stdio.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/mem.h"
#include "qmgr/qmgr.h"
#include "queue/attributes.h"
#include "queue/flow.h"

#define BATCH       32
#define TASKS_MAX   32
#define RETRY_AFTER (10 * SECOND)

#define TURNED_AWAY_MAX 256

struct announcement {
	char id[QUEUE_ID_SIZE];
	uint64_t slot;
};

static struct intake {
	/* Those that came while there was no room: the last ones, in a ring. */
	struct announcement turned_away[TURNED_AWAY_MAX];
	size_t turned_away_end, turned_away_count;
	struct list fresh;  /* names that are new */
	struct list due;    /* names from deferred */
	struct list refill; /* messages whose next portion is to be resolved */
	bool due_turn;
	bool opening;  /* a task is in the offload */
	bool starting; /* a task has not run yet */
	unsigned tasks;
	struct task_timer *retry;
} intake;

struct opening {
	struct message *messages[BATCH];
	enum queue_result results[BATCH];
	const char *why[BATCH];
	enum queue_result cleared[BATCH]; /* of what had to be put away */
	bool is_open[BATCH];              /* at once, in the loop */
	size_t count;
};

/* ---- outside the loop ---- */

/*
 * Agents compare the body with its checksum while they read it, and defer when it is wrong. So
 * before a message is tried again its body is looked at here.
 */
static enum queue_result
open_checked(struct message *m, const char **why)
{
	enum queue_result r =
	    queue_message_open(qmgr.queue, m->place, m->id, false, &m->file, why);
	struct stat st;

	if (r == QUEUE_OK && m->is_due && fstat(m->file.fd, &st) == 0)
		m->due = (microseconds)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000;
	if (r != QUEUE_OK || m->file.attempts == 0)
		return r;
	r = queue_message_check_body(&m->file, why);
	if (r != QUEUE_OK)
		queue_message_done(&m->file);
	return r;
}

/* What is no message is put where it belongs at once. */
static void
open_one(struct opening *o, size_t i)
{
	struct message *m = o->messages[i];
	const char *why = NULL;

	o->results[i] = open_checked(m, &o->why[i]);
	if (o->results[i] == QUEUE_INCOMPLETE)
		o->cleared[i] = queue_remove_incomplete(qmgr.queue, m->id, m->place, &why);
	else if (o->results[i] == QUEUE_DAMAGED)
		o->cleared[i] = queue_move(qmgr.queue, m->id, m->place, QUEUE_CORRUPT, &why);
}

static void
open_rest(void *argument)
{
	struct opening *o = argument;

	for (size_t i = 0; i < o->count; i++) {
		if (!o->is_open[i])
			open_one(o, i);
	}
}

/* ---- in the loop ---- */

/*
 * What has just been written is in memory still: for most messages a look is cheaper than a
 * thread that looks. True when that was all of them.
 */
static bool
open_now(struct opening *o)
{
	size_t open = 0;

	for (size_t i = 0; i < o->count; i++) {
		struct message *m = o->messages[i];

		o->is_open[i] = m->place == QUEUE_INCOMING &&
		    queue_message_open_now(qmgr.queue, m->id, &m->file);
		o->results[i] = QUEUE_OK;
		open += o->is_open[i];
	}
	return open == o->count;
}

static void
log_damaged(const struct message *m, const char *why, enum queue_result moved)
{
	log_error("%s: damaged queue file in %s: %s; %s", m->id, queue_place_name(m->place),
	    why ? why : "",
	    moved == QUEUE_OK ? "moved to corrupt, for you to look at"
			      : "it could not be moved to corrupt");
}

/* Whether the file is still there, as far as can be told. */
static bool
is_kept(const struct opening *o, size_t i)
{
	switch (o->results[i]) {
	case QUEUE_GONE:
		return false;
	case QUEUE_DAMAGED:
	case QUEUE_INCOMPLETE:
		return o->cleared[i] != QUEUE_OK;
	default:
		return true;
	}
}

/* The index was behind, or the file's time was set since. */
static bool
is_too_early(struct message *m)
{
	if (!m->is_due || m->flush || m->wish != WISH_NOTHING ||
	    retry_is_due(&qmgr.retry, m->due, clock_wall()))
		return false;
	indexing_set_due(m->id, m->due);
	message_forget(m);
	return true;
}

/* The file cannot be had. A name that was announced meanwhile is looked at again. */
static void
open_failed(struct opening *o, size_t i)
{
	struct message *m = o->messages[i];

	if (m->place == QUEUE_DEFERRED && !is_kept(o, i))
		indexing_remove(m->id, m->place);
	switch (o->results[i]) {
	case QUEUE_DAMAGED:
		log_damaged(m, o->why[i], o->cleared[i]);
		break;
	case QUEUE_INCOMPLETE:
		if (o->cleared[i] == QUEUE_OK)
			log_info("%s: removed what an interrupted writer left in %s", m->id,
			    queue_place_name(m->place));
		break;
	case QUEUE_BUSY:
	case QUEUE_GONE:
		break;
	default:
		log_warn("%s: open queue file: %s", m->id, o->why[i]);
		intake_retry_later();
	}
	if (m->announced &&
	    (o->results[i] == QUEUE_BUSY || o->results[i] == QUEUE_GONE ||
		o->results[i] == QUEUE_INCOMPLETE)) {
		m->announced = false;
		m->step = MESSAGE_WAITING;
		list_append(&intake.fresh, &m->link);
		return;
	}
	message_forget(m);
}

static void
opened(struct message *m)
{
	char what[80];

	m->taken = clock_wall();
	m->pending = m->file.pending_count;
	if (m->file.flags & QUEUE_FLAG_VERP)
		m->verp = queue_message_attribute(&m->file, VIEW(ATTR_VERP));
	if (m->verp.n != 2)
		m->verp = VIEW_NONE;
	for (uint32_t i = 0; i < m->file.recipient_count; i++) {
		if (notice_is_owed_state(m->file.status[i].state))
			m->owed++;
	}
	snprintf(what, sizeof(what), "size=%llu, nrcpt=%u (queue active)",
	    (unsigned long long)m->file.size, m->pending);
	message_log_from(m, what);
	m->step = MESSAGE_DELIVERING;
	if (m->file.in_slot)
		lingering_add(m);
	message_fill(m);
}

static struct list *
names_list(void)
{
	struct list *first = intake.due_turn ? &intake.due : &intake.fresh;
	struct list *second = intake.due_turn ? &intake.fresh : &intake.due;

	intake.due_turn = !intake.due_turn;
	return list_is_empty(first) ? second : first;
}

static void kick(void);

static bool
open_batch(struct opening *o)
{
	struct list *names = names_list(), *link;

	o->count = 0;
	while (o->count < BATCH && (link = list_pop(names))) {
		struct message *m = LIST_ITEM(link, struct message, link);

		m->step = MESSAGE_OPENING;
		o->messages[o->count++] = m;
	}
	if (o->count == 0)
		return false;
	if (open_now(o))
		return true;
	intake.opening = true;
	task_offload(open_rest, o);
	intake.opening = false;
	if (!list_is_empty(&intake.fresh) || !list_is_empty(&intake.due))
		kick();
	return true;
}

static void
take_batch(struct opening *o)
{
	for (size_t i = 0; i < o->count; i++) {
		if (o->results[i] != QUEUE_OK)
			open_failed(o, i);
		else if (qmgr.finishing)
			message_forget(o->messages[i]);
		else if (!is_too_early(o->messages[i]))
			opened(o->messages[i]);
	}
}

static bool
refill_one(void)
{
	struct list *link = list_pop(&intake.refill);
	struct message *m = link ? LIST_ITEM(link, struct message, link) : NULL;

	if (!m)
		return false;
	m->refilling = false;
	message_fill(m);
	return true;
}

static void
intake_run(void *argument)
{
	struct opening *o = NEW(struct opening);
	bool worked;

	(void)argument;
	intake.starting = false;
	do {
		worked = refill_one();
		if (!intake.opening && open_batch(o)) {
			take_batch(o);
			worked = true;
		}
	} while (worked && !qmgr.finishing);
	intake.tasks--;
	mem_free(o);
}

static void
kick(void)
{
	if (qmgr.finishing || intake.starting || intake.tasks >= TASKS_MAX)
		return;
	if (intake.opening && list_is_empty(&intake.refill))
		return;
	if (task_spawn("intake", intake_run, NULL)) {
		intake.starting = true;
		intake.tasks++;
	} else {
		intake_retry_later();
	}
}

enum intake_result
intake_add(const char *id, enum queue_place place, bool flush)
{
	struct message *m = message_find(id);

	if (m) {
		m->flush |= flush;
		return INTAKE_KNOWN;
	}
	if (qmgr.finishing || active_is_full())
		return INTAKE_FULL;
	m = message_new(id, place);
	m->flush = flush;
	list_append(place == QUEUE_DEFERRED ? &intake.due : &intake.fresh, &m->link);
	kick();
	return INTAKE_TAKEN;
}

/* The scan that follows says when everything has been taken up. */
static void
turn_away(const char *id, uint64_t slot)
{
	struct announcement *a = &intake.turned_away[intake.turned_away_end];

	memcpy(a->id, id, sizeof(a->id));
	a->slot = slot;
	intake.turned_away_end = (intake.turned_away_end + 1) % TURNED_AWAY_MAX;
	if (intake.turned_away_count < TURNED_AWAY_MAX)
		intake.turned_away_count++;
}

void
intake_announced(struct view id, uint64_t slot)
{
	char name[QUEUE_ID_SIZE];
	struct message *m;

	if (!queue_id_is_valid(id))
		return;
	memcpy(name, id.p, id.n);
	name[id.n] = '\0';
	m = message_find(name);
	if (m &&
	    (m->step == MESSAGE_OPENING || m->step == MESSAGE_WAITING ||
		m->step == MESSAGE_RESERVED))
		m->announced = true;
	if (!m)
		queue_slot_hint(qmgr.queue, name, slot);
	if (!m && intake_add(name, QUEUE_INCOMING, false) == INTAKE_FULL) {
		turn_away(name, slot);
		flow_slow_down(qmgr.flow, true);
		scan_incoming();
	}
}

/* The last one first: the others are old already, and the scan will find them. */
void
intake_take_turned_away(void)
{
	const struct announcement *a;

	if (intake.turned_away_count == 0 || qmgr.finishing)
		return;
	intake.turned_away_count--;
	intake.turned_away_end =
	    (intake.turned_away_end + TURNED_AWAY_MAX - 1) % TURNED_AWAY_MAX;
	a = &intake.turned_away[intake.turned_away_end];
	queue_slot_hint(qmgr.queue, a->id, a->slot);
	(void)intake_add(a->id, QUEUE_INCOMING, false);
}

void
intake_refill(struct message *m)
{
	m->refilling = true;
	list_append(&intake.refill, &m->link);
	kick();
}

static void
retry(void *context)
{
	(void)context;
	kick();
	transport_kick_all();
	scan_incoming();
}

void
intake_retry_later(void)
{
	task_timer_set(intake.retry, clock_deadline(RETRY_AFTER));
}

void
intake_start(void)
{
	list_init(&intake.fresh);
	list_init(&intake.due);
	list_init(&intake.refill);
	intake.retry = task_timer_new(retry, NULL);
}
