/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receiving side of DATA (RFC 5321 4.5.2): finds the end of data and undoes dot-stuffing.
 * Only CRLF "." CRLF ends a message (the CRLF of the DATA command counts as the first). What
 * comes out has CRLF line ends and no other CR or LF: a bare LF becomes CRLF, a stray CR a
 * blank, and neither takes part in the end of data or in dot-stuffing; NUL stays. The notes say
 * what was met, and the edge decides by them (smtpd_forbid_bare_newline): accept or refuse the
 * message. A refusal must also close the connection, because the client's idea of where the
 * message ended may be another one.
 */
#ifndef SMTP_DATA_DECODER_H
#define SMTP_DATA_DECODER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/view.h"

enum data_notes { DATA_BARE_LF = 1, DATA_BARE_CR = 2, DATA_NUL = 4 }; /* bits */

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
