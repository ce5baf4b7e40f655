/* SPDX-License-Identifier: Apache-2.0 */
/* The comparisons of ${{a} op {b} ...} and the order of compatibility levels. */
#ifndef CONF_EXPAND_COMPARE_H
#define CONF_EXPAND_COMPARE_H

#include <stdbool.h>

#include "base/view.h"

/* "3.11", "3.6.2" or "2": numbers below 1000000, missing ones are 0. */
bool compatibility_level_parse(struct view text, unsigned out[3]);

/* True when text is an operator: == != < <= > >=, each also with "level" behind it. */
bool comparison_is_operator(struct view op);

/*
 * Numbers when both sides are whole numbers, text otherwise, levels with a level operator.
 * False when a level is malformed: *bad is that side.
 */
bool comparison_evaluate(
    struct view left, struct view op, struct view right, bool *result, struct view *bad);

#endif
