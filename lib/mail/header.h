/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Header fields (RFC 5322): splitting a block into logical fields, and building fields whose
 * values come from outside. Pure; line ends inside a block are CRLF or LF.
 */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/view.h"

struct header_field {
	struct view raw;   /* all lines, with their line ends */
	struct view name;  /* without colon and blanks before it */
	struct view value; /* behind the colon, folding and line ends still in, trimmed */
};

/* True when the line (no line end) starts a header field: name of printable ASCII, colon. */
bool header_line_is_field(struct view line, struct view *name);

/*
 * Takes the next field with its continuation lines off *block. False at the end of the block or
 * when what follows is no field (*block then starts with it).
 */
bool header_next(struct view *block, struct header_field *out);
bool header_is(const struct header_field *f, struct view name); /* case-insensitive */

/*
 * The value with folding undone: line ends are dropped, any other CR, LF or NUL becomes a
 * blank, so that one line results.
 */
void header_unfold(struct buf *out, struct view value);

/*
 * Appends "Name: value" folded at blanks near 78 columns, ended with CRLF. CR, LF and NUL in
 * the value become blanks, so a value never makes a second field.
 */
void header_build(struct buf *out, const char *name, struct view value);

/*
 * One item of an address list (RFC 5322 3.4): a mailbox, or the start or the end of a group
 * (then address and spec are empty).
 */
struct header_address {
	struct view text;    /* the whole mailbox as written; "name:" or ";" of a group */
	struct view spec;    /* in text: what address_quote(another address) may replace */
	struct view address; /* internal form, in the walk until the next step */
	bool is_group_start, is_group_end;
};

#define HEADER_COMMENT_DEPTH 100     /* nested comments */
#define HEADER_ADDRESSES_MAX 1000000 /* items of one walk */

/*
 * Walks the addresses of a field value: comments, quoted strings, groups, routes, encoded
 * words, obsolete syntax. Iterative, one pass; nesting and count are bounded. Text that is no
 * address is skipped and counted, so that a caller who must not lose one (sendmail -t) can
 * refuse.
 */
struct header_address_walk {
	struct view value;
	size_t at;
	size_t count;   /* items handed out */
	size_t skipped; /* pieces of text that were no address */
	bool in_group;
	bool truncated;     /* stopped at HEADER_ADDRESSES_MAX */
	struct buf scratch; /* header_address_walk_done frees it */
};
void header_address_walk_init(struct header_address_walk *w, struct view value);
bool header_address_next(struct header_address_walk *w, struct header_address *out);
void header_address_walk_done(struct header_address_walk *w);

#endif
