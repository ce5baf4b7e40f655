/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A streaming view of MIME structure (RFC 2045, 2046): which lines are headers, which are body,
 * which are boundaries, and whether limits were passed. Fed line by line; no recursion, memory
 * bounded by the nesting limit times the boundary length limit.
 */
#ifndef MAIL_MIME_H
#define MAIL_MIME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/view.h"

struct mime_limits {
	unsigned nesting;       /* mime_nesting_limit */
	size_t boundary_length; /* mime_boundary_length_limit */
	size_t header_size;     /* header_size_limit: bytes of one logical header kept */
};

enum mime_error {
	MIME_ERROR_NESTING = 1, /* deeper than the limit */
	MIME_ERROR_TRUNCATED_HEADER = 2,
	MIME_ERROR_8BIT_IN_HEADER = 4,
	MIME_ERROR_8BIT_IN_7BIT = 8, /* 8-bit body of a part that does not say 8bit or binary */
	MIME_ERROR_ENCODING_DOMAIN =
	    16, /* composite type with an encoding other than 7/8bit, binary */
};

enum mime_line {
	MIME_PRIMARY_HEADER, /* of the message */
	MIME_PART_HEADER,    /* of a part of a multipart */
	MIME_NESTED_HEADER,  /* of a message/rfc822 inside */
	MIME_SEPARATOR,      /* the empty line behind a header block */
	MIME_BOUNDARY,       /* a boundary line of an open multipart */
	MIME_BODY,           /* all else, preambles and epilogues too */
};

struct mime_state;

struct mime_state *mime_new(const struct mime_limits *limits);
void mime_free(struct mime_state **m);
void mime_reset(struct mime_state *m);

/*
 * One line without its end, in order, starting with the primary header. A header block also
 * ends before a line that is neither a field nor a continuation: that line is body already.
 * Primary headers may be fed alone (with their empty line) and the body later.
 */
enum mime_line mime_feed(struct mime_state *m, struct view line);
/*
 * Whether body lines belong to a part that holds no other parts: not a multipart's preamble or
 * epilogue, nor what is inside a message. And whether its encoding is other than 7bit, 8bit and
 * binary; of the header block read last.
 */
bool mime_in_leaf(const struct mime_state *m);
bool mime_is_encoded(const struct mime_state *m);

unsigned mime_errors(const struct mime_state *m); /* of enum mime_error */
bool mime_has_8bit(const struct mime_state *m);

/*
 * "type/subtype" and one parameter of a Content-Type value; false when absent or malformed. Of
 * a quoted parameter *out is what stands between the quotes, backslashes still in. The first of
 * several parameters with the name counts. Values may still be folded.
 */
bool mime_content_type(struct view value, struct view *type, struct view *subtype);
bool mime_parameter(struct view value, struct view name, struct view *out);

#endif
