/* SPDX-License-Identifier: Apache-2.0 */
/* Domains in their own script as A-labels: for main.cf expressions and for questions to the
 * DNS. */
#ifndef BASE_IDN_H
#define BASE_IDN_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/view.h"

/*
 * Appends the domain with every label that is not ASCII in its A-label form (RFC 3492); ASCII
 * labels stay as they are. Labels are taken as the administrator wrote them: no mapping of
 * letter case beyond ASCII. False when the text is not valid UTF-8 or a label is too long.
 */
bool idn_to_ascii(struct view domain, struct buf *out);

#endif
