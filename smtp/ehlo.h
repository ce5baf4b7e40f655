/* SPDX-License-Identifier: Apache-2.0 */
/* What a server offers in its reply to EHLO or LHLO (RFC 5321 4.1.1.1). Pure. */
#ifndef SMTP_EHLO_H
#define SMTP_EHLO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/view.h"

enum ehlo_feature {
	EHLO_PIPELINING = 1,
	EHLO_SIZE = 2,
	EHLO_8BITMIME = 4,
	EHLO_DSN = 8,
	EHLO_ENHANCEDSTATUSCODES = 16,
	EHLO_SMTPUTF8 = 32,
	EHLO_CHUNKING = 64,
	EHLO_XFORWARD = 128,
	EHLO_STARTTLS = 256,
	EHLO_AUTH = 512,
};

enum ehlo_xforward {
	XFORWARD_NAME = 1,
	XFORWARD_ADDR = 2,
	XFORWARD_PORT = 4,
	XFORWARD_PROTO = 8,
	XFORWARD_HELO = 16,
	XFORWARD_IDENT = 32,
	XFORWARD_SOURCE = 64,
};

struct ehlo {
	unsigned features; /* of enum ehlo_feature */
	unsigned xforward; /* of enum ehlo_xforward */
	uint64_t size;     /* of SIZE; 0: no limit known */
};

/* One line behind code and separator, not the first, which is the server's name. */
void ehlo_line(struct ehlo *e, struct view line);

/*
 * The features that a list of keywords names; what is no feature is passed over, and
 * "silent-discard" sets *is_silent.
 */
unsigned ehlo_features_of_list(struct view list, bool *is_silent);

/* Whether a line of a greeting has the word ESMTP in it. */
bool ehlo_banner_has_esmtp(struct view line);

/* The bit of a keyword, any case; 0: none that means anything here. */
unsigned ehlo_feature_find(struct view keyword);

#endif
