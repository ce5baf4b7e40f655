/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sending side of DATA (RFC 5321 4.5.2): dot-stuffing and the end of data. What comes out
 * never has a bare CR or LF, whatever goes in: a bare LF becomes CRLF, a stray CR a blank.
 */
#ifndef SMTP_DATA_ENCODER_H
#define SMTP_DATA_ENCODER_H

#include "base/buf.h"
#include "base/view.h"

struct data_encoder {
	int state;
};

void data_encoder_init(struct data_encoder *e);

/* Appends at most one byte more than twice the input. */
void data_encoder_feed(struct data_encoder *e, struct view input, struct buf *out);

/* Ends the last line if need be and appends "." CRLF. */
void data_encoder_end(struct data_encoder *e, struct buf *out);

#endif
