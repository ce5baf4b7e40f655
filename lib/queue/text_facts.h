/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a reader of the message will want to know about its lines, gathered while they pass in
 * pieces of any size. Pure.
 */
#ifndef QUEUE_TEXT_FACTS_H
#define QUEUE_TEXT_FACTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/view.h"

#define TEXT_LINE_MAX 998 /* RFC 5322 2.1.1, without the line end */

/* All zero at the start. */
struct text_facts {
	bool has_8bit;
	bool has_dot_line;
	bool has_long_line;
	bool mid_line; /* the last byte was not a line feed */
	bool after_cr; /* the last byte was a CR */
	bool ends_in_crlf;
	size_t line_length; /* of the line so far, without a CR at its end */
};

void text_facts_add(struct text_facts *f, struct view text);

#endif
