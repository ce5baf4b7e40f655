/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding line ends in a piece of text while copying it, for the codecs of this folder; private
 * to it. What needs no change is copied in runs over many lines; each byte is looked at a fixed
 * number of times whatever stands in it.
 */
#ifndef SMTP_LINE_SCAN_H
#define SMTP_LINE_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/view.h"

struct line_scan {
	const char *p; /* the next byte */
	const char *end;
	const char *run; /* from here to p: to be copied as it is */
	const char *cr;  /* the next CR and LF, or end; stale when before p */
	const char *lf;
	struct buf *out;
};

enum line_end {
	LINE_NO_END, /* the piece ended before the line */
	LINE_CRLF,
	LINE_LF, /* bare: CRLF was written */
	LINE_CR, /* nothing was written: line_scan_cr with the next byte */
};

/* input is not empty. */
void line_scan_init(struct line_scan *s, struct view input, struct buf *out);

/* Text up to and with the next line end. */
enum line_end line_scan_text(struct line_scan *s);

/* True when the byte at p makes a line end of the CR before it; else a blank is written. */
bool line_scan_cr(struct line_scan *s);

/* Leaves n bytes of the input out and writes text in their place. */
void line_scan_replace(struct line_scan *s, size_t n, struct view text);

/* Copies the run so far. */
void line_scan_flush(struct line_scan *s);

#endif
