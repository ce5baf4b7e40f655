/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A transaction owns everything that belongs to one message: sender, recipients, DSN
 * parameters, the content on its way to cleanup. It is made by MAIL and destroyed as a whole,
 * so that nothing of one message can reach the next.
 */
#include "smtpd/smtpd.h"

struct transaction *
transaction_new(void)
{
	struct transaction *t = NEW(struct transaction);

	t->last_recipient = &t->recipients;
	return t;
}

void
transaction_free(struct transaction **t)
{
	if (!*t)
		return;
	content_free(&(*t)->content);
	arena_reset(&(*t)->arena);
	mem_free(*t);
	*t = NULL;
}
