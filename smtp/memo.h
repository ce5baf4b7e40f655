/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was found a moment ago about a destination, so that a burst of messages to it costs one
 * look at the DNS and not one each. Only what was found whole is kept, never longer than its
 * records may be, and a few seconds at most.
 */
#ifndef SMTP_MEMO_H
#define SMTP_MEMO_H

#include "smtp/lookup.h"

#define MEMO_TIME (2 * SECOND)
#define MEMO_MAX  1000 /* destinations */

/* Fills the candidates of l, in its delivery's arena. False: nothing is known. */
bool memo_find(struct view key, struct lookup *l);
void memo_keep(struct view key, const struct lookup *l);

#endif
