/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logical lines, as main.cf, master.cf and the sources of lookup tables have them: a line that
 * begins with a blank continues the line before it; empty lines and lines whose first character
 * that is not a blank is # are skipped, between the parts of a continued line too. Line ends
 * are dropped, the blanks at the start of a continuation stay.
 */
#ifndef CONF_LOGICAL_LINE_H
#define CONF_LOGICAL_LINE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/view.h"

enum logical_line_result {
	LOGICAL_LINE_OK,
	LOGICAL_LINE_END,
	LOGICAL_LINE_BLANK_START, /* text before the first line begins with a blank: skip it */
	LOGICAL_LINE_NUL,         /* a NUL byte in the text */
	LOGICAL_LINE_LONG,        /* does not fit into the buffer */
};

struct logical_line {
	struct view rest;
	unsigned physical; /* number of the last physical line taken */
	unsigned first;    /* numbers of the physical lines of the last logical line */
	unsigned last;
};

void logical_line_init(struct logical_line *l, struct view text);

/* The next logical line in out, which is cleared first. */
enum logical_line_result logical_line_next(struct logical_line *l, struct buf *out);

#endif
