/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of qmgr. A message is taken up (intake), its recipients are resolved in portions
 * and become entries of destinations (resolve), workers give entries to agents (dispatch), what
 * became of each recipient is recorded (outcome), and when nothing is outstanding the message
 * is settled: journal, notices, and then removal or a later attempt.
 *
 *   transport -> destinations -> entries -> recipients of one message
 *
 * Everything runs in the one thread of the loop, except what task_offload is given: that works
 * on messages which the loop leaves alone meanwhile.
 */
#ifndef QMGR_QMGR_H
#define QMGR_QMGR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/heap.h"
#include "base/list.h"
#include "conf/conf.h"
#include "ipc/ipc.h"
#include "ipc/ipc_pool.h"
#include "proto/deliver.h"
#include "proto/queuectl.h"
#include "qmgr/destination.h"
#include "qmgr/jobs.h"
#include "qmgr/retry.h"
#include "queue/filter.h"
#include "queue/index.h"
#include "queue/queue.h"
#include "queue/queue_file.h"
#include "route/route.h"
#include "service/service.h"
#include "task/task.h"

/* ---- a message in memory ---- */

enum message_step {
	MESSAGE_WAITING,    /* in an intake list, not yet opened */
	MESSAGE_OPENING,    /* an intake task has it */
	MESSAGE_DELIVERING, /* its recipients are with destinations and agents */
	MESSAGE_SETTLING,   /* nothing is outstanding; what became of it is being noted */
	MESSAGE_REMOVING,   /* delivered or returned: only the file is left */
	MESSAGE_RESERVED,   /* a command works on its file */
};

/* What somebody asked to be done with it instead of going on. */
enum message_wish {
	WISH_NOTHING,
	WISH_HOLD,
	WISH_DELETE,
	WISH_REQUEUE, /* back through resolution, at once */
	WISH_EXPIRE,
};

/* Somebody who waits until a wish has come true: lives on the stack of that task. */
struct wish_waiter {
	struct list link;
	struct task_cond done;
	enum message_wish wish; /* of this one; the message has only the first of several */
	bool is_done;
	bool succeeded;
};

/* What is known and not yet in the journal. */
struct outcomes {
	struct queue_journal_entry *list;
	size_t count, room;
	struct arena text;
};

struct message {
	char id[QUEUE_ID_SIZE];
	enum queue_place place;
	enum message_step step;
	struct list link;              /* in the list that the step names */
	struct list settle_link;       /* has something to be noted */
	struct queue_message file;     /* read-only; fd -1: not opened yet */
	struct queue_message *journal; /* the same, for appending; NULL until needed */
	microseconds taken;            /* when it was taken up */

	size_t position;      /* in the envelope, of the recipient next_index */
	uint32_t next_index;  /* the first recipient that was not looked at */
	struct list entries;  /* of destinations, through entry.of_message */
	struct list jobs;     /* through transport_job.of_message */
	uint32_t outstanding; /* recipients in memory without an outcome */
	nanoseconds filled;   /* when the last portion was read */

	uint32_t pending; /* recipients that are still to be delivered */
	uint32_t owed;    /* the sender is to be told of them, and does not know yet */
	struct outcomes outcomes;
	struct list journal_link; /* waits for outcomes to be noted while others are pending */
	nanoseconds journal_due;
	bool settling, settle_again;
	bool filling;           /* a portion is being resolved */
	bool refilling;         /* it waits for that, through link */
	bool traced;            /* the report of its first attempt is on disk */
	bool untried;           /* a recipient was left out of this attempt */
	struct view verp;       /* its delimiters: every recipient has a sender */
	microseconds postponed; /* for its sake, until then; 0: not */
	bool is_leaving;        /* of crowding.c */
	struct list slot_link;  /* of lingering.c */
	nanoseconds slot_since;
	bool leave_slot;                 /* it is to get a file of its own */
	struct deliver_request *request; /* what every delivery of it says; lazily made */

	enum message_wish wish;
	struct list waiters;
	bool flush;       /* asked for: suspended destinations are tried */
	bool announced;   /* again, while it was being opened */
	bool is_due;      /* came from deferred */
	microseconds due; /* what its file says, then */
};

/* Recipients that were read together: their memory, until no entry is left of them. */
struct portion {
	struct arena arena;
	unsigned entries;
};

/* One recipient of a portion; the texts are the envelope's or the portion's. */
struct recipient {
	struct recipient *next; /* of the same entry */
	uint32_t index;
	bool has_outcome;
	struct queue_recipient envelope;
	struct route route;
};

/* Recipients of one message and one portion that share a delivery. */
struct entry {
	struct list link;       /* in peer.entries while it waits */
	struct list of_message; /* in message.entries */
	struct transport *transport;
	struct destination *destination; /* until the delivery is finished */
	struct peer *peer;               /* while it waits */
	struct message *message;
	struct portion *portion;
	struct recipient *first, *last;
	unsigned count;
	bool running;
};

/* ---- what all share ---- */

struct qmgr {
	struct queue *queue;
	struct router *router;
	const struct conf *conf;
	const struct conf_values *values;
	struct retry_rules retry;
	struct hash *active; /* id -> struct message */
	size_t active_limit;
	size_t due_active; /* of them, those from deferred */
	size_t recipients; /* outstanding ones of all messages */
	struct hash *transports;
	struct ipc_pool *bounce;
	int flow; /* of queue/flow.h; -1: none */
	bool finishing;
};
extern struct qmgr qmgr;

/* ---- active.c: the life of a struct message ---- */

struct message *message_find(const char *id);
struct message *message_new(const char *id, enum queue_place place);
void message_forget(struct message *m); /* out of memory; the files are closed */
void message_log_from(const struct message *m, const char *what);
void message_wishes_end(struct message *m, bool succeeded);
bool active_is_full(void);
/* For whom: in order of the room that there is for them. */
enum active_room { ROOM_FOR_DUE, ROOM_FOR_FOUND };
/* Waits until there is some; false when qmgr is finishing. */
bool active_wait_for_room(enum active_room whose);
void active_wake(void);

/* ---- intake.c ---- */

enum intake_result { INTAKE_TAKEN, INTAKE_KNOWN, INTAKE_FULL };

enum intake_result intake_add(const char *id, enum queue_place place, bool flush);
void intake_announced(struct view id, uint64_t slot); /* slot: of queue_slot_hint */
void intake_take_turned_away(void);                   /* there is room for one more */
void intake_refill(struct message *m); /* has recipients that were not looked at */
void intake_retry_later(void);         /* something in incoming could not be read now */
void intake_start(void);

/* ---- scan.c: incoming, for what nobody announced ---- */
void scan_incoming(void);
void scan_hold(void); /* for what dead writers left there; once */

/* ---- resolve.c ---- */

/* Resolves and queues the next portion. May wait. */
void message_fill(struct message *m);
bool message_wants_more(const struct message *m); /* recipients, and there is room for them */

/* ---- limits.c: the parameters of one transport ---- */

struct transport_limits {
	struct destination_limits destination;
	struct job_rules jobs;
	int destination_recipients; /* in one delivery; 0: no limit, 1: each has its own */
	int recipients;             /* in memory */
	int extra_recipients;       /* likewise, for messages that preempt others */
	int refill;                 /* read so many at a time... */
	nanoseconds refill_delay;   /* ...or fewer, that long after the last time */
	nanoseconds rate_delay;     /* between deliveries, whatever their destination */
	unsigned deliveries;        /* at a time, whatever their destination */
	bool is_deferred;           /* defer_transports */
};
void transport_limits_read(const char *transport, struct transport_limits *out);
void transport_limits_prepare(void); /* before the jail: reads master.cf */

/* ---- transport.c ---- */

struct transport {
	char *name;
	struct hash *destinations;
	struct heap ready; /* destinations with a waiting entry and room, by their first job */
	uint16_t turn;     /* of destinations with the same first job */
	struct jobs jobs;
	size_t recipients;  /* in memory, of all messages */
	struct list paused; /* those in a rate delay, the first to end first */
	struct list dead;   /* suspended ones, likewise */
	size_t dead_count, paused_count;
	struct ipc_pool *pool;
	unsigned workers;
	unsigned starting; /* workers that have not run yet */
	unsigned busy;     /* deliveries running */
	struct transport_limits limits;
	nanoseconds paused_until; /* of a rate delay */
	struct task_timer *resume;
	nanoseconds dead_until;
	struct suspension suspension;
};

struct transport *transport_named(struct view name, const char **why);
bool transport_is_dead(struct transport *t);
/* An agent that is not there or broke down: nothing is handed out for transport_retry_time. */
void transport_suspend(struct transport *t, const char *reason);
void transport_revive_all(void);

struct destination *transport_destination(struct transport *t, struct view key);
bool transport_destination_is_dead(struct transport *t, struct destination *d);
void transport_destination_revive(struct transport *t, struct destination *d);
void transport_destination_suspend(
    struct transport *t, struct destination *d, struct view dsn, struct view reason);

void transport_drop_if_unused(struct destination *d);
void transport_resume(struct transport *t); /* looks which rate delays are over */
void transport_pause(struct transport *t, struct destination *d); /* behind a delivery */
void transport_kick(struct transport *t);
void transport_kick_all(void);

/* ---- notices.c: the sender of a message that has one for each recipient ---- */
struct view message_verp_sender(
    const struct message *m, const struct queue_recipient *r, struct buf *out);

/* ---- schedule.c: which entry is next ---- */

/* What one message has for one transport. */
struct transport_job {
	struct message_job job;
	struct transport *transport;
	struct message *message;
	struct list of_message; /* in message.jobs */
	struct list peers;      /* through peer.of_job */
};

/* What one job has for one destination; there may be more than one of them. */
struct peer {
	struct heap_node node; /* in destination.peers, by the order of the job */
	struct list of_job;
	struct transport_job *job;
	struct destination *destination;
	struct list entries; /* that wait */
};

void schedule_init(struct transport *t);

/* An entry for a recipient: the last one of this portion for the destination, or a new one. */
struct entry *schedule_entry(struct message *m, struct portion *p, struct destination *d);
/* All recipients that were read have their entry. */
void schedule_filled(struct message *m);
struct entry *schedule_select(struct transport *t); /* now running, or NULL */
/* After a delivery; the entry is not touched any more. */
void schedule_finished(struct destination *d);
void schedule_withdraw(struct entry *e); /* one that waits */
/* All that it has, as untried; others wait for the same destination. */
void schedule_withdraw_peer(struct peer *p);
/* Takes back what waits for a destination, and gives it the outcome of a suspension. */
void schedule_defer_waiting(struct destination *d, const struct suspension *s);
/* A destination's window, or what waits for it, has changed. */
void schedule_place(struct destination *d);
void schedule_forget(struct message *m); /* its jobs; no entry of it waits */

/* ---- crowding.c: slow destinations do not fill the memory ---- */

/* Whether a recipient of the message is not to wait there, for others need the room. */
bool crowding_keeps_out(const struct message *m, const struct destination *d);
/* Then the message is postponed: to be tried when those before it have gone. */
void crowding_postpone(struct message *m, struct destination *d);
void crowding_message_came(void);
void crowding_message_went(const struct message *m);
void crowding_warn(struct destination *d); /* more mail waits for it */

/* ---- lingering.c: messages that stay in slots for long ---- */
void lingering_add(struct message *m);
void lingering_remove(struct message *m); /* harmless when it is not there */

/* ---- dispatch.c ---- */
void dispatch_start(struct transport *t); /* one more worker */
void dispatch_cancel_all(void);

/* ---- outcome.c ---- */

/* These log nothing. The recipient is outstanding, and is not any more afterwards. */
void outcome_record(struct message *m, struct recipient *r, enum queue_rcpt_state state,
    struct view dsn, struct view reason);
/* What an agent said, which dsn fits. */
void outcome_take(
    struct message *m, struct recipient *r, const struct deliver_outcome *o, struct view dsn);
void outcome_untried(struct message *m, struct recipient *r);
/* What qmgr decides itself: recorded and logged. */
void outcome_defer(struct message *m, struct recipient *r, struct view dsn, struct view reason);
void outcome_defer_entry(struct entry *e, struct view dsn, struct view reason);
void entry_free(struct entry *e);
void portion_release(struct portion *p); /* when no entry is left of it */
/* Takes back what waits at destinations; what runs goes on. */
void message_withdraw(struct message *m);
/* Looks whether the message has anything outstanding left, and goes on with it if not. */
void message_progress(struct message *m);
void outcomes_clear(struct outcomes *o);
void outcome_start(void);

/* ---- note.c: what is written about a message ---- */
enum queue_result message_journal(struct message *m); /* opens it; blocks: for offloads */
/* These wait for the disk. */
bool note_outcomes(struct message *m, const struct queue_journal_entry *entries, size_t count,
    bool expire); /* expire: that it was asked for, too */
/* Gives the recipients in such a state another one; their texts stay. */
bool message_change_states(struct message *m, bool (*from)(enum queue_rcpt_state state),
    enum queue_rcpt_state to, bool expire);
bool note_attempt(struct message *m, microseconds due);   /* and moves it to deferred */
bool note_own_file(struct message *m);                    /* out of its slot */
bool note_postponed(struct message *m, microseconds due); /* only moves it */
bool note_warned(struct message *m);                      /* that a delay was told */
bool note_held(struct message *m);                        /* moves it to hold */

/* ---- settle.c, remove.c, notices.c ---- */
void message_settle(struct message *m);
void message_stall(struct message *m);
void settle_stalled(void); /* tries again what the disk did not take */
void settle_works(void);   /* it takes something again */
void message_remove(struct message *m);

/* Whether the sender is to be told something now. */
bool notice_is_due(const struct message *m);
/*
 * Tells of failures, successes and delays, whatever is due, and notes that it was done. May
 * wait for minutes. False: something could not be noted.
 */
bool notice_tell(struct message *m);
bool notice_is_owed_state(enum queue_rcpt_state state);
/* That what could not be told for so long is not tried any more. */
bool notice_is_given_up(const struct message *m);
/*
 * Whether the sender is to hear from us that this recipient, who was pending, has it.
 * passed_on: the next system tells those who asked for it.
 */
bool notice_wants_success(
    const struct message *m, const struct queue_recipient *r, bool passed_on);

/* ---- deferred.c: taking up what is due ---- */
void deferred_start(void);
/* The index says now that this one is due then. */
void deferred_indexed(const char *id, microseconds due);
/* There was no room for one whose turn it is. Few are remembered; the others wait. */
void deferred_want(const char *id);
void deferred_finish(void);

/* ---- indexing.c: the index and what is to be changed in it ---- */

/* One change of the index, made outside the loop, where files may be read. */
struct indexing_note {
	struct list link;
	struct index_change change;
};
struct indexing_note *indexing_put(
    const struct queue_message *m, enum queue_place place, microseconds due);
/* Takes the note (NULL: nothing) and gets it into the index soon. In the loop. */
void indexing_add(struct indexing_note *note);
void indexing_remove(const char *id, enum queue_place place);
void indexing_set_due(const char *id, microseconds due);
/* Waits while more is to be changed than the disk takes; and until all so far is changed. */
void indexing_wait_for_room(void);
bool indexing_flush(void); /* true: the index is complete */

/* For offloads that read the index: between take and give it stays open. NULL: there is none.
 */
struct queue_index *indexing_take(void);
void indexing_give(void);
/* It could not be read, or whoever is asked for thinks so: it is made anew. */
void indexing_lost(const char *why);
bool indexing_is_complete(void);

void indexing_start(void);
void indexing_finish(void);
void indexing_end(void); /* when all tasks have ended */

/* ---- reconcile.c: comparing the index with the files ---- */
void reconcile_start(bool is_empty);
/* For indexing.c: the ids that were changed while a batch is being compared. */
void reconcile_touched(const char *id);
bool reconcile_runs(void);
void indexing_completed(void);
uint64_t indexing_generation(void); /* another one, another index */

/* ---- change.c: messages on disk ---- */
enum queuectl_outcome change_on_disk(const char *id, enum queuectl_verb verb, const char **why);
/* ids: separated by blanks. Appends a digit for each. False: no ids, or too many. */
bool change_many(struct view ids, enum queuectl_verb verb, struct buf *outcomes);
void change_held(struct view id); /* cleanup has put it on hold */

/* ---- flush.c: deferred mail that is asked for ---- */
/* Takes the filter. False: too many wait. */
bool flush_start(struct queue_filter *filter);

/* ---- commands.c ---- */
void commands_prepare(void); /* before the jail: names to ids */
enum queuectl_outcome command_run(
    const struct queuectl_command *command, uid_t uid, const char **why);
/* Appends the outcomes. False: not a request. */
bool command_run_many(const struct queuectl_many *many, uid_t uid, struct buf *outcomes);

/* ---- qmgr.c: hooks of the service ---- */
void qmgr_prepare(void);
void qmgr_start(void);
void qmgr_wakeup(void);
void qmgr_finish(void);

/* ---- session.c ---- */
void session_run(const struct service_connection *c);

#endif
