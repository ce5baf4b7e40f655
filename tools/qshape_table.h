/* SPDX-License-Identifier: Apache-2.0 */
/* Ages of mail by domain: how the counts are kept, and the table that is printed. Pure. */
#ifndef TOOLS_QSHAPE_TABLE_H
#define TOOLS_QSHAPE_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/view.h"

#define QSHAPE_BUCKETS_MAX 100 /* with equal steps */
#define QSHAPE_DOUBLES_MAX 40  /* when each bucket is twice the one before */
#define QSHAPE_TICK_MAX    1000000
#define QSHAPE_WIDTH_MIN   80
#define QSHAPE_WIDTH_MAX   10000

struct qshape_shape {
	uint64_t buckets;    /* 1 to the maximum above; the last one has no age limit */
	uint64_t tick;       /* minutes, the age limit of the first bucket */
	bool is_linear;      /* limits grow by tick, and do not double */
	bool has_parents;    /* domains are counted for their parents too */
	uint64_t subdomains; /* a parent with fewer of them is not shown */
	uint64_t width;      /* columns of the output */
	uint64_t domains;    /* rows that are kept at most, parents included */
};

struct qshape_table;

/* The shape is copied. */
struct qshape_table *qshape_table_new(const struct qshape_shape *shape);
void qshape_table_free(struct qshape_table **t);

/* 0 is the first bucket. age in seconds; as old as a limit belongs to the next bucket. */
unsigned qshape_bucket(const struct qshape_shape *shape, uint64_t age);

/* Counts one sender or recipient, in internal form. The empty address is MAILER-DAEMON. */
void qshape_table_add(struct qshape_table *t, struct view address, uint64_t age);

/* How many were counted in TOTAL alone, because there were too many domains. */
uint64_t qshape_table_left_out(const struct qshape_table *t);

/* Heading, TOTAL, and the first domains of those with the highest counts (top 0: all). */
void qshape_table_print(const struct qshape_table *t, uint64_t top, struct buf *out);

#endif
