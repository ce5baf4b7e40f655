/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which messages of the queue are meant: the filters of the queue tools. All that are given
 * must hold; those about recipients for one and the same recipient that is still to be
 * delivered.
 *
 *   from, to       an address, "@domain", or a pattern with "*"; "<>" is the null sender
 *   destination    a domain of a recipient, or a pattern with "*"
 *   reason         text that the reason contains, or a pattern for all of it with "*"
 *   older          than this: a number and s, m, h, d or w
 *   larger         than this: a number of bytes, or with k, M or G
 *
 * Letters match in either case. Pure.
 */
#ifndef QUEUE_FILTER_H
#define QUEUE_FILTER_H

#include "queue/index_entry.h"

enum filter_kind {
	FILTER_FROM,
	FILTER_TO,
	FILTER_DESTINATION,
	FILTER_REASON,
	FILTER_OLDER,
	FILTER_LARGER,
	FILTER_KINDS
};

struct queue_filter {
	char *texts[FILTER_KINDS]; /* NULL: not given */
	microseconds older;
	uint64_t larger;
};

/* "from" ... */
const char *queue_filter_name(enum filter_kind kind);

/* False with *why, which lives until the next call: not a filter of this kind, or given twice.
 */
bool queue_filter_add(
    struct queue_filter *f, enum filter_kind kind, struct view text, const char **why);
void queue_filter_done(struct queue_filter *f);
bool queue_filter_is_empty(const struct queue_filter *f);

/* The one domain that is asked for, lower case; or empty. */
struct view queue_filter_domain(const struct queue_filter *f);

enum filter_answer { FILTER_NO, FILTER_YES, FILTER_ASK_FILE };
enum filter_answer queue_filter_entry(
    const struct queue_filter *f, const struct index_entry *e, microseconds now);
bool queue_filter_message(
    const struct queue_filter *f, const struct queue_message *m, microseconds now);

/* "*" stands for any run of characters. Linear in text times pattern, no recursion. */
bool queue_filter_glob(struct view pattern, struct view text);

#endif
