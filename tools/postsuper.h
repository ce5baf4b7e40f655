/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the postsuper command share. */
#ifndef TOOLS_POSTSUPER_H
#define TOOLS_POSTSUPER_H

#include "base/mem.h"
#include "queue/queue.h"
#include "tools/queue_tool.h"

enum places { IN_HOLD = 1, IN_INCOMING = 2, IN_DEFERRED = 4, IN_MAILDROP = 8 };
#define IN_QUEUE (IN_HOLD | IN_INCOMING | IN_DEFERRED)

struct action {
	char letter;
	enum queuectl_verb verb;
	const char *done;  /* "ID: removed" */
	const char *count; /* "Deleted: 1 message" */
	unsigned places;   /* what the command line may choose from */
	unsigned default_places;
};

#define VERBS (QUEUECTL_FLUSH_SOME + 1)

struct postsuper {
	struct queue_tool tool;
	struct queue *queue;
	struct ipc *qmgr; /* NULL: not running, and lock is held */
	int lock;
	unsigned places; /* named on the command line; 0: none were */
	struct queue_filter filter;
	unsigned long counts[VERBS];
	bool failed;
};

/* postsuper_change.c */

/* Finds qmgr, or takes its lock; ends the program when neither works. */
void postsuper_connect(struct postsuper *p);

/* One message; says what was done, or warns. Not finding it is no failure. */
bool postsuper_change(struct postsuper *p, const struct action *a, const char *id);
/* Many, whatever of them is still there; the ids are separated by blanks. */
void postsuper_change_many(struct postsuper *p, const struct action *a, struct view ids);
/* The messages of the places that the filters select, in batches. */
void postsuper_change_places(struct postsuper *p, const struct action *a, unsigned places);
/* The index is made anew: now, or when the system starts. */
void postsuper_rebuild(struct postsuper *p);
bool postsuper_is_at(struct postsuper *p, const char *id, unsigned places);
bool postsuper_is_held(struct postsuper *p, const char *id);
void postsuper_delete_maildrop(struct postsuper *p);

/* "Deleted: N messages", for each thing that was done. */
void postsuper_report(const struct postsuper *p, const struct action *actions, size_t count);
void postsuper_done(struct postsuper *p);

#endif
