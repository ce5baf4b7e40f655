/* SPDX-License-Identifier: Apache-2.0 */
/* What the address parsers of this folder share; private to it. */
#ifndef MAIL_MAILBOX_H
#define MAIL_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cursor.h"
#include "base/view.h"
#include "mail/address.h"

/* atext of RFC 5322 3.2.3, or a byte of a UTF-8 character (RFC 6532). */
bool char_is_atext(char c);
bool char_is_control(char c); /* C0 or DEL */

/* An address in internal form while it is put together. */
struct mailbox {
	char text[ADDRESS_MAX];
	size_t n;
	bool has_domain;
	size_t at; /* where the separating '@' stands, when has_domain */
};

/*
 * Takes local part, '@' and domain off the cursor, up to a blank, '>' or any byte that cannot
 * be in it. NULL, or why it is no address.
 */
const char *mailbox_take(struct cursor *c, bool utf8, struct mailbox *m);

/* NULL when text keeps the promises of address.h, or why not. */
const char *mailbox_check(struct view text, bool has_domain, size_t at, bool utf8);

#endif
