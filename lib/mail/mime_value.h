/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of MIME values; private to this folder. */
#ifndef MAIL_MIME_VALUE_H
#define MAIL_MIME_VALUE_H

#include <stdbool.h>

#include "base/cursor.h"
#include "base/view.h"

bool mime_char_is_token(char c);

/* A token with the blanks and comments around it; empty when there is none. */
struct view mime_token_take(struct cursor *c);

#endif
