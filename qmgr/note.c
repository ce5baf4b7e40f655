/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is written about a message: its journal and its place. The work is done outside the
 * loop; the functions without a "run" in their names wait for it. The journal has a descriptor
 * of its own, opened when there is something to write, because agents get the other one and
 * must not be able to write.
 */
#include "base/log.h"
#include "base/mem.h"
#include "qmgr/qmgr.h"

struct job {
	struct message *m;
	const struct queue_journal_entry *entries;
	size_t count;
	microseconds due;
	enum queue_place to;
	bool expire;
	enum queue_result result;
	const char *why;
	struct indexing_note *note;
};

enum queue_result
message_journal(struct message *m)
{
	const char *why = NULL;
	enum queue_result r;

	if (m->journal && !m->journal->journal_broken)
		return QUEUE_OK;
	if (m->journal)
		queue_message_done(m->journal);
	else
		m->journal = NEW(struct queue_message);
	r = queue_message_open(qmgr.queue, m->place, m->id, true, m->journal, &why);
	if (r == QUEUE_OK)
		return r;
	log_warn("%s: open queue file to note its state: %s", m->id,
	    why ? why : queue_result_text(r));
	mem_free(m->journal);
	m->journal = NULL;
	return r;
}

static void
append_run(void *argument)
{
	struct job *j = argument;

	j->result = message_journal(j->m);
	if (j->result != QUEUE_OK)
		return;
	if (j->expire)
		j->result = queue_journal_expire(qmgr.queue, j->m->journal, &j->why);
	if (j->result == QUEUE_OK && j->count)
		j->result = queue_journal_append(
		    qmgr.queue, j->m->journal, j->entries, j->count, false, &j->why);
	if (j->result != QUEUE_OK)
		log_warn("%s: note the state of the message: %s", j->m->id, j->why);
}

static void
warned_run(void *argument)
{
	struct job *j = argument;

	j->result = message_journal(j->m);
	if (j->result == QUEUE_OK)
		j->result = queue_journal_warned(qmgr.queue, j->m->journal, &j->why);
	if (j->result != QUEUE_OK)
		log_warn(
		    "%s: note that the sender was warned: %s", j->m->id, j->why ? j->why : "");
}

/* The attempt is counted before the move: the file's time goes with it. */
static void
defer_run(void *argument)
{
	struct job *j = argument;
	struct message *m = j->m;

	j->result = message_journal(m);
	if (j->result != QUEUE_OK)
		return;
	j->result = queue_journal_attempt(qmgr.queue, m->journal, j->due, &j->why);
	if (j->result == QUEUE_OK && m->place != j->to)
		j->result = queue_move(qmgr.queue, m->id, m->place, j->to, &j->why);
	if (j->result == QUEUE_OK)
		j->note = indexing_put(m->journal, j->to, j->due);
	else
		log_warn("%s: move to %s: %s", m->id, queue_place_name(j->to), j->why);
}

/* It was not tried, so nothing is to be counted; the file's time alone says when it is due. */
static void
postpone_run(void *argument)
{
	struct job *j = argument;
	struct message *m = j->m;

	j->result = QUEUE_OK;
	if (m->place != j->to)
		j->result = queue_move(qmgr.queue, m->id, m->place, j->to, &j->why);
	if (j->result == QUEUE_OK) {
		m->place = j->to;
		j->result = queue_set_due(qmgr.queue, m->id, j->due, &j->why);
	}
	if (j->result == QUEUE_OK)
		j->note = indexing_put(m->journal ? m->journal : &m->file, j->to, j->due);
	else
		log_warn("%s: move to %s: %s", m->id, queue_place_name(j->to), j->why);
}

static void
hold_run(void *argument)
{
	struct job *j = argument;

	j->result = queue_move(qmgr.queue, j->m->id, j->m->place, j->to, &j->why);
	if (j->result == QUEUE_OK)
		j->note = indexing_put(j->m->journal ? j->m->journal : &j->m->file, j->to, 0);
	else
		log_warn("%s: move to hold: %s", j->m->id, j->why);
}

/* ---- waiting for it ---- */

/* Of a message that somebody took away while it was active nothing needs to be kept. */
static bool
is_noted(const struct job *j)
{
	return j->result == QUEUE_OK || j->result == QUEUE_GONE;
}

bool
note_outcomes(
    struct message *m, const struct queue_journal_entry *entries, size_t count, bool expire)
{
	struct job j = { .m = m, .entries = entries, .count = count, .expire = expire };

	task_offload(append_run, &j);
	return is_noted(&j);
}

bool
message_change_states(struct message *m, bool (*from)(enum queue_rcpt_state state),
    enum queue_rcpt_state to, bool expire)
{
	uint32_t n = m->file.recipient_count;
	struct queue_journal_entry *list = mem_zero(n, sizeof(*list));
	size_t count = 0;
	bool done;

	for (uint32_t i = 0; i < n; i++) {
		const struct queue_rcpt_status *s =
		    m->journal ? &m->journal->status[i] : &m->file.status[i];

		if (from(s->state))
			list[count++] = (struct queue_journal_entry){ i, to, s->when, s->dsn,
				s->reason, s->remote_host };
	}
	done = note_outcomes(m, list, count, expire);
	mem_free(list);
	return done;
}

bool
note_warned(struct message *m)
{
	struct job j = { .m = m };

	task_offload(warned_run, &j);
	return is_noted(&j);
}

bool
note_attempt(struct message *m, microseconds due)
{
	struct job j = { .m = m, .to = QUEUE_DEFERRED, .due = due };

	indexing_wait_for_room();
	task_offload(defer_run, &j);
	indexing_add(j.note);
	return is_noted(&j);
}

static void
own_file_run(void *argument)
{
	struct job *j = argument;

	j->result = message_journal(j->m);
}

bool
note_own_file(struct message *m)
{
	struct job j = { .m = m };

	task_offload(own_file_run, &j);
	return is_noted(&j);
}

bool
note_postponed(struct message *m, microseconds due)
{
	struct job j = { .m = m, .to = QUEUE_DEFERRED, .due = due };

	indexing_wait_for_room();
	task_offload(postpone_run, &j);
	indexing_add(j.note);
	return is_noted(&j);
}

bool
note_held(struct message *m)
{
	struct job j = { .m = m, .to = QUEUE_HOLD };

	task_offload(hold_run, &j);
	indexing_add(j.note);
	return j.result == QUEUE_OK;
}
