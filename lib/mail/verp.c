/* SPDX-License-Identifier: Apache-2.0 */
/* "prefix@origin" for "user@domain" becomes "prefix+user=domain@origin". */
#include "mail/verp.h"

#include <string.h>

#include "mail/address.h"

bool
verp_delimiters_are_valid(struct view delimiters, const char *filter)
{
	return delimiters.n == 2 && delimiters.p[0] && delimiters.p[1] &&
	    strchr(filter, delimiters.p[0]) && strchr(filter, delimiters.p[1]);
}

void
verp_sender(struct buf *out, struct view sender, struct view delimiters, struct view recipient)
{
	struct view local, domain, user, host;

	address_split(sender, &local, &domain);
	address_split(recipient, &user, &host);
	buf_append_view(out, local);
	buf_append_char(out, delimiters.p[0]);
	buf_append_view(out, user);
	if (host.n) {
		buf_append_char(out, delimiters.p[1]);
		buf_append_view(out, host);
	}
	if (domain.n) {
		buf_append_char(out, '@');
		buf_append_view(out, domain);
	}
}
