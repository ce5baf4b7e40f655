/* SPDX-License-Identifier: Apache-2.0 */
/* DATA: 354, the content up to the end of data, and the end of the transaction. */
#include "smtpd/smtpd.h"

enum outcome
cmd_data(struct session *s, struct view argument)
{
	struct transaction *t = s->transaction;
	enum outcome outcome = REFUSED;
	const char *refused;

	if (argument.n) {
		reply(s, "501 5.5.4 Syntax: DATA");
		return REFUSED;
	}
	refused = access_data(s);
	if (refused) {
		reply_refusal(s, refused);
		return REFUSED;
	}
	reply(s, "354 End data with <CR><LF>.<CR><LF>");
	content_begin(s, t);
	s->in_content = true;
	if (!s->broken && content_read_data(s, t->content)) {
		s->in_content = false;
		outcome = content_finish(s, t, false);
	}
	session_reset(s);
	return outcome;
}
