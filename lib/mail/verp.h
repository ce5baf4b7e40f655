/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Variable envelope return path: a list's mail has for each recipient a sender of its own,
 * owner-list+user=example.org@lists.example.net, so that a bounce says who it is about.
 */
#ifndef MAIL_VERP_H
#define MAIL_VERP_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/view.h"

/* Two characters, both in the filter (verp_delimiter_filter). */
bool verp_delimiters_are_valid(struct view delimiters, const char *filter);

/*
 * Appends the sender for this recipient; both in internal form. A recipient without a domain
 * has none in the result either. delimiters has two characters.
 */
void verp_sender(
    struct buf *out, struct view sender, struct view delimiters, struct view recipient);

#endif
