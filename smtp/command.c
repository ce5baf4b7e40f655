/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of a transaction, with the parameters that the server can use. Addresses are
 * printed by the one function that quotes them, and every other text from outside as xtext, so
 * that no value ends a line.
 */
#include "base/escape.h"
#include "mail/address.h"
#include "queue/queue_file.h"
#include "smtp/client.h"

#define XFORWARD_LINE_MAX 512

/* Without quotes what would end the path or the line is masked all the same. */
static void
path_print(struct buf *out, struct view address)
{
	if (client.options.quote_rfc821_envelope) {
		address_quote(out, address);
		return;
	}
	for (size_t i = 0; i < address.n; i++) {
		unsigned char c = (unsigned char)address.p[i];

		buf_append_char(out, c < ' ' || c == 0x7f || c == '>' ? '?' : (char)c);
	}
}

bool
command_needs_utf8(const struct delivery *d)
{
	const struct deliver_request *r = &d->job->request;

	if (!ascii_is_all(d->sender))
		return true;
	if ((r->flags & QUEUE_FLAG_SMTPUTF8) && (r->flags & QUEUE_FLAG_8BIT_HEADER))
		return true;
	for (size_t i = 0; i < d->job->count; i++)
		if (d->rcpts[i].state != RCPT_DONE && !ascii_is_all(d->rcpts[i].address))
			return true;
	return false;
}

void
command_mail(struct buf *out, const struct delivery *d, const struct session *s)
{
	const struct deliver_request *r = &d->job->request;
	unsigned offered = s->ehlo.features;

	buf_append_str(out, "MAIL FROM:<");
	path_print(out, d->sender);
	buf_append_char(out, '>');
	if (offered & EHLO_SIZE)
		buf_printf(out, " SIZE=%llu", (unsigned long long)delivery_size(d));
	if ((offered & EHLO_8BITMIME) &&
	    (r->flags & (QUEUE_FLAG_8BIT | QUEUE_FLAG_8BIT_HEADER)))
		buf_append_str(out, " BODY=8BITMIME");
	if ((offered & EHLO_SMTPUTF8) &&
	    ((r->flags & QUEUE_FLAG_SMTPUTF8) || command_needs_utf8(d)))
		buf_append_str(out, " SMTPUTF8");
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

	if (orcpt.n == 0 && r->original.n > 0 && ascii_is_all(r->original)) {
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
	path_print(out, d->rcpts[i].address);
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

/* One attribute; a new command when the line would be too long. */
static void
xforward_print(
    struct buf *out, const char *name, struct view value, size_t *line, size_t *count)
{
	struct buf text = BUF_INIT(XFORWARD_LINE_MAX);

	buf_printf(&text, " %s=", name);
	if (value.n == 0)
		buf_append_str(&text, "[UNAVAILABLE]");
	else
		xtext_encode(&text, value);
	if (*count == 0 || out->len - *line + text.len > XFORWARD_LINE_MAX - 2) {
		if (*count > 0)
			buf_append_str(out, "\r\n");
		*line = out->len;
		buf_append_str(out, "XFORWARD");
		++*count;
	}
	if (!text.overflow)
		buf_append_view(out, buf_view(&text));
	buf_done(&text);
}

void
command_xforward(
    struct buf *out, const struct delivery *d, const struct session *s, size_t *count)
{
	const struct deliver_request *r = &d->job->request;
	bool is_local = r->flags & QUEUE_FLAG_LOCAL;
	struct buf address = BUF_INIT(ENDPOINT_TEXT_SIZE);
	size_t line = 0;

	if (view_find(r->client_address, ':') < r->client_address.n)
		buf_append_str(&address, "IPv6:");
	buf_append_view(&address, r->client_address);
	const struct {
		unsigned bit;
		const char *name;
		struct view value;
	} attributes[] = {
		{ XFORWARD_NAME, "NAME", r->client_name },
		{ XFORWARD_ADDR, "ADDR", buf_view(&address) },
		{ XFORWARD_PORT, "PORT", r->client_port },
		{ XFORWARD_HELO, "HELO", r->helo_name },
		{ XFORWARD_PROTO, "PROTO", r->protocol_name },
		{ XFORWARD_IDENT, "IDENT", r->queue_id },
		{ XFORWARD_SOURCE, "SOURCE", is_local ? VIEW("LOCAL") : VIEW("REMOTE") },
	};

	*count = 0;
	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++)
		if (s->ehlo.xforward & attributes[i].bit)
			xforward_print(
			    out, attributes[i].name, attributes[i].value, &line, count);
	if (*count > 0)
		buf_append_str(out, "\r\n");
	buf_done(&address);
}
