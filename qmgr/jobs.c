/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The preemption of large messages. Each entry of a job that is handed out earns 1/slot_cost of
 * a slot, and a job with m entries may go first when the current one has m slots, so however
 * many small ones come, a large message is slowed down by no more than the factor
 * cost / (cost - 1). Loan and discount let the small one go earlier, on credit: the slots are
 * taken off at once and have to be earned before the next one may go.
 *
 * The candidate is the job that has waited longest for its size, among those that fit into what
 * the current job has earned and still can earn. It may be preempted itself by a smaller one,
 * with the slots of its own.
 *
 * The order of jobs is a number, so that destinations can keep their jobs in heaps. A job that
 * preempts gets the number below that of the current one.
 */
#include "qmgr/jobs.h"

#define SEARCH_AGAIN SECOND

void
jobs_init(struct jobs *all, bool (*can_run)(const struct message_job *j))
{
	*all = (struct jobs){ .can_run = can_run };
	list_init(&all->by_time);
}

/* How many entries it has, or may come to have. */
static unsigned
entries_most(const struct message_job *j)
{
	return j->read + j->unread;
}

static unsigned
entries_left(const struct message_job *j)
{
	return entries_most(j) - j->selected;
}

static bool
is_preempting(const struct message_job *j)
{
	return j->parent || !list_is_empty(&j->children);
}

/* ---- the candidate ---- */

/* Larger is better; 0: it may not go. */
static double
score_of(const struct jobs *all, const struct message_job *current, const struct message_job *j,
    nanoseconds now)
{
	int64_t slots = (int64_t)entries_left(current) + current->slots_available;

	if (j == current || is_preempting(j) || entries_left(j) == 0 ||
	    (int64_t)entries_left(j) * all->rules.slot_cost > slots)
		return 0;
	return (double)((now - j->since) / SECOND + 1) / entries_most(j);
}

static void
consider(struct jobs *all, struct message_job *j, nanoseconds now)
{
	double score = score_of(all, all->searched_for, j, now);

	if (score > all->score) {
		all->score = score;
		all->candidate = j;
	}
}

static void
search(struct jobs *all, struct message_job *current, nanoseconds now)
{
	all->searched_for = current;
	all->searched = now;
	all->candidate = NULL;
	all->score = 0;
	list_for_each (link, &all->by_time) {
		struct message_job *j = LIST_ITEM(link, struct message_job, by_time);

		/* Those that came later cannot have a better one, however small. */
		if ((double)((now - j->since) / SECOND + 1) <= all->score)
			break;
		if (all->can_run(j))
			consider(all, j, now);
	}
}

static struct message_job *
find_candidate(struct jobs *all, struct message_job *current, nanoseconds now)
{
	if (all->searched_for != current || now - all->searched >= SEARCH_AGAIN)
		search(all, current, now);
	if (all->candidate && score_of(all, current, all->candidate, now) > 0 &&
	    all->can_run(all->candidate))
		return all->candidate;
	return NULL;
}

static void
forget_search(struct jobs *all, const struct message_job *j)
{
	if (all->searched_for == j || all->candidate == j) {
		all->searched_for = NULL;
		all->candidate = NULL;
	}
}

/* ---- jobs ---- */

void
job_add(struct jobs *all, struct message_job *j, nanoseconds now)
{
	*j = (struct message_job){ .since = now };
	list_init(&j->children);
	list_init(&j->sibling);
	list_append(&all->by_time, &j->by_time);
	all->last_order += JOB_ORDER_STEP;
	j->order = all->last_order;
}

void
job_entry_made(struct message_job *j)
{
	j->read++;
}

void
job_entry_withdrawn(struct message_job *j)
{
	j->read--;
}

void
job_entry_selected(struct message_job *j)
{
	j->selected++;
	j->slots_used++;
	j->slots_available++;
}

void
jobs_consider(struct jobs *all, struct message_job *j, nanoseconds now)
{
	if (all->searched_for)
		consider(all, j, now);
}

static bool
is_large_enough(const struct jobs *all, const struct message_job *j)
{
	return (int64_t)entries_most(j) >=
	    (int64_t)all->rules.minimum_slots * all->rules.slot_cost;
}

static bool
can_pay(const struct jobs *all, const struct message_job *current, unsigned slots)
{
	double earned = (double)current->slots_available / all->rules.slot_cost;

	return earned + all->rules.slot_loan >=
	    slots * (100 - all->rules.slot_discount) / 100.0;
}

struct message_job *
jobs_preempt(struct jobs *all, struct message_job *current, nanoseconds now)
{
	struct message_job *j;
	unsigned slots;

	if (all->rules.slot_cost < 2 || current->slots_available <= 0 ||
	    !is_large_enough(all, current) || current->order % JOB_ORDER_STEP == 1)
		return NULL;
	j = find_candidate(all, current, now);
	if (!j)
		return NULL;
	slots = entries_left(j);
	if (!can_pay(all, current, slots))
		return NULL;
	current->slots_available -= (int)slots * all->rules.slot_cost;
	j->slots_used = -(int)slots;
	j->slots_available = 0;
	j->parent = current;
	list_append(&current->children, &j->sibling);
	j->order = current->order - 1;
	all->searched_for = NULL;
	return j;
}

/*
 * What was paid for it and not used goes back to its parent, who also gets those that have
 * preempted it and are still there.
 */
void
job_remove(struct jobs *all, struct message_job *j)
{
	struct list *link;

	if (j->parent)
		j->parent->slots_available -= j->slots_used * all->rules.slot_cost;
	while ((link = list_pop(&j->children)) != NULL) {
		struct message_job *child = LIST_ITEM(link, struct message_job, sibling);

		child->parent = j->parent;
		if (j->parent)
			list_append(&j->parent->children, link);
	}
	list_remove(&j->sibling);
	list_remove(&j->by_time);
	forget_search(all, j);
}
