/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MAIL and RCPT with what the server can use of the DSN parameters (RFC 3461). Addresses are
 * printed by the one function that quotes them, and every other text from outside as xtext, so
 * that no value ends a line.
 */
#include "mail/address.h"
#include "queue/queue_file.h"
#include "smtp/client.h"

void
command_mail(struct buf *out, const struct delivery *d, const struct session *s)
{
	const struct deliver_request *r = &d->job->request;
	unsigned offered = s->ehlo.features;

	buf_append_str(out, "MAIL FROM:<");
	address_quote(out, r->sender);
	buf_append_char(out, '>');
	if (offered & EHLO_SIZE)
		buf_printf(out, " SIZE=%llu", (unsigned long long)r->size);
	if ((offered & EHLO_8BITMIME) &&
	    (r->flags & (QUEUE_FLAG_8BIT | QUEUE_FLAG_8BIT_HEADER)))
		buf_append_str(out, " BODY=8BITMIME");
	if ((offered & EHLO_DSN) && r->dsn_ret.n)
		buf_printf(
		    out, " RET=%s", view_eq_nocase(r->dsn_ret, VIEW("FULL")) ? "FULL" : "HDRS");
	if ((offered & EHLO_DSN) && r->envelope_id.n) {
		buf_append_str(out, " ENVID=");
		xtext_encode(out, r->envelope_id);
	}
	buf_append_str(out, "\r\n");
}

/* "rfc822;user@host": the type stays, the rest is xtext. Without one the recipient as given. */
static void
orcpt_print(struct buf *out, const struct deliver_recipient *r)
{
	struct buf plain = BUF_INIT(4 * ADDRESS_MAX);
	struct view orcpt = r->dsn_orcpt;
	size_t semicolon;

	if (orcpt.n == 0 && r->original.n > 0) {
		buf_append_str(&plain, "rfc822;");
		address_quote(&plain, r->original);
		orcpt = buf_view(&plain);
	}
	semicolon = view_find(orcpt, ';');
	if (semicolon < orcpt.n) {
		buf_append_str(out, " ORCPT=");
		xtext_encode(out, view_sub(orcpt, 0, semicolon));
		buf_append_char(out, ';');
		xtext_encode(out, view_sub(orcpt, semicolon + 1, orcpt.n));
	}
	buf_done(&plain);
}

void
command_rcpt(struct buf *out, const struct delivery *d, const struct session *s, size_t i)
{
	const struct deliver_recipient *r = &d->job->recipients[i];

	buf_append_str(out, "RCPT TO:<");
	address_quote(out, r->address);
	buf_append_char(out, '>');
	if (s->ehlo.features & EHLO_DSN) {
		if (r->notify) {
			buf_append_str(out, " NOTIFY=");
			dsn_notify_print(out, (unsigned)r->notify);
		}
		orcpt_print(out, r);
	}
	buf_append_str(out, "\r\n");
}
