/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receiving side of DATA (RFC 5321 4.5.2): finds the end of data and undoes dot-stuffing.
 * Only CRLF "." CRLF ends a message. What comes out has CRLF line ends and no other CR or LF.
 *
 * Bare LF and bare CR are the edge's decision (smtpd_forbid_bare_newline): NORMALIZE turns a bare
 * LF into CRLF but never lets it take part in the end of data; REJECT keeps decoding so that the
 * end is found, and says so in the notes; a stray CR is replaced by a blank.
 */
#ifndef SMTP_DATA_DECODER_H
#define SMTP_DATA_DECODER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/view.h"

enum data_notes { DATA_BARE_LF = 1, DATA_BARE_CR = 2, DATA_NUL = 4 };

struct data_decoder {
	int state;
	unsigned notes; /* of enum data_notes */
	bool done;
};

void data_decoder_init(struct data_decoder *d);

/*
 * Consumes input up to the end of data, which sets done; returns how many bytes were consumed.
 * Decoded bytes are appended to out, at most one byte more than twice the input.
 */
size_t data_decoder_feed(struct data_decoder *d, struct view input, struct buf *out);

/* BDAT and other framed input: the same line end rules, no dot handling, no end inside. */
struct line_normalizer {
	bool after_cr;
	unsigned notes;
};
void line_normalizer_init(struct line_normalizer *n);
void line_normalizer_feed(struct line_normalizer *n, struct view input, struct buf *out);
void line_normalizer_end(struct line_normalizer *n, struct buf *out); /* a CR that was last */

#endif
