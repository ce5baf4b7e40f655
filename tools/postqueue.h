/* SPDX-License-Identifier: Apache-2.0 */
/* The forms in which postqueue prints a listing or a summary. */
#ifndef TOOLS_POSTQUEUE_H
#define TOOLS_POSTQUEUE_H

#include "tools/queue_listing.h"

/* Everything goes to standard output. */

/* postqueue_print.c: the listing of mailq, and JSON lines. */
extern const struct queue_listing_reader postqueue_text, postqueue_json;

/* postqueue_summary.c: the summary, for people and as JSON lines. */
extern const struct queue_listing_reader postqueue_summary_text, postqueue_summary_json;
#define SUMMARY_TOP 20
/* How many destinations and reasons are told of; 0: all. */
void postqueue_summary_top(uint64_t top);

#endif
