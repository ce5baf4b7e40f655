/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which message of a transport goes first. A job is what one message has for one transport.
 * Jobs go in the order in which they came, but a small one may preempt a large one: every few
 * deliveries of the large one earn it a slot, and the slots pay for the deliveries of the small
 * one. Postfix's rules and parameters (SCHEDULER_README names). Pure: entries, destinations and
 * what runs are the business of schedule.c.
 */
#ifndef QMGR_JOBS_H
#define QMGR_JOBS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/list.h"

struct job_rules {
	int slot_cost;     /* entries that earn one slot; below 2: no preemption */
	int slot_loan;     /* slots that may be missing at the time of preemption */
	int slot_discount; /* percent of the slots that need not be there at that time */
	int minimum_slots; /* a job that can earn fewer altogether is never preempted */
};

struct message_job {
	struct list by_time;
	int64_t order;              /* the job with the smallest goes first */
	nanoseconds since;          /* when it was added */
	struct message_job *parent; /* whose slots it uses; NULL: it preempted nobody */
	struct list children, sibling;
	unsigned selected;   /* entries handed out so far */
	unsigned read;       /* entries made so far */
	unsigned unread;     /* recipients that have not been read: as many entries at most */
	int slots_used;      /* by it, beyond those that its parent has paid in advance */
	int slots_available; /* earned and not spent, times slot_cost; negative: owed */
};

struct jobs {
	struct job_rules rules;
	struct list by_time;
	int64_t last_order;
	/* Whether it could have an entry handed out now: its destinations have room. */
	bool (*can_run)(const struct message_job *j);
	/* What the last search said; it is repeated when a second has passed. */
	struct message_job *searched_for, *candidate;
	double score;
	nanoseconds searched;
};

/* Room for that many jobs that preempt one another between any two orders. */
#define JOB_ORDER_STEP 64

void jobs_init(struct jobs *all, bool (*can_run)(const struct message_job *j));

/* The new job has counted no entry yet. */
void job_add(struct jobs *all, struct message_job *j, nanoseconds now);

/* One entry of it has been made, or handed out. */
void job_entry_made(struct message_job *j);
void job_entry_selected(struct message_job *j);
/* One that was made is taken back. */
void job_entry_withdrawn(struct message_job *j);

/* All entries that it has for now are made: it may be a candidate at once. */
void jobs_consider(struct jobs *all, struct message_job *j, nanoseconds now);

/*
 * The job to be served instead of the one whose turn it is, from now on in front of it (its
 * order has changed); or NULL.
 */
struct message_job *jobs_preempt(
    struct jobs *all, struct message_job *current, nanoseconds now);

/* Out of all lists: it has nothing left to be handed out. */
void job_remove(struct jobs *all, struct message_job *j);

#endif
