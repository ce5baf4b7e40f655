/* SPDX-License-Identifier: Apache-2.0 */
/* What showq tells, for the commands that show it. */
#ifndef TOOLS_QUEUE_LISTING_H
#define TOOLS_QUEUE_LISTING_H

#include <stdbool.h>

#include "proto/showq.h"
#include "tools/queue_tool.h"

/* Called in the order of the stream. All but end may be NULL: that is passed over. */
struct queue_listing_reader {
	void (*message)(const struct showq_message *m);
	void (*recipient)(const struct showq_recipient *r);
	void (*end)(void);
	void (*row)(const struct showq_row *row);
};

/*
 * Reads the listing, or the summary, of what the filter lets through. Ends the program when
 * that is not allowed, is not complete, or the output cannot be written. While the system is
 * down, showq is run when the caller owns the queue.
 */
void queue_listing(const struct queue_tool *t, const struct queue_filter *f, bool is_summary,
    const struct queue_listing_reader *reader);

#endif
