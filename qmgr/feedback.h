/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far one delivery moves the concurrency of its destination: the values of
 * ..._destination_concurrency_positive_feedback and ..._negative_feedback. Pure.
 */
#ifndef QMGR_FEEDBACK_H
#define QMGR_FEEDBACK_H

#include <stdbool.h>

#include "base/view.h"

enum feedback_kind {
	FEEDBACK_FIXED,                /* "0.5" */
	FEEDBACK_PER_CONCURRENCY,      /* "1/concurrency" */
	FEEDBACK_PER_SQRT_CONCURRENCY, /* "1/sqrt_concurrency" */
};

struct feedback {
	enum feedback_kind kind;
	double amount;
};

/* Blanks around '/' are allowed; a fixed amount is at most 1. *out is untouched on failure. */
bool feedback_parse(struct view text, struct feedback *out);

/* For a window of at least 1. */
double feedback_value(const struct feedback *f, unsigned window);

#endif
