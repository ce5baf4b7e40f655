/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine-readable part (RFC 3464): a block about the message and one for each recipient.
 * A value is made safe in a buffer of its own and then folded like a header field.
 */
#include "base/mem.h"
#include "bounce/report.h"
#include "mail/address.h"
#include "mail/date.h"
#include "mail/dsn.h"
#include "mail/header.h"

#define VALUE_MAX 8000

static void
field_text(struct buf *out, const char *name, const char *type, struct view text, bool utf8)
{
	struct buf value = BUF_INIT(VALUE_MAX);

	buf_append_str(&value, type);
	report_text(&value, text, utf8, VALUE_MAX / 2);
	report_field(out, name, buf_view(&value));
	buf_done(&value);
}

static void
field_address(
    struct buf *out, const char *name, struct view address, const char *separator, bool utf8)
{
	struct buf value = BUF_INIT(VALUE_MAX);

	report_address(&value, address, separator, utf8);
	report_field(out, name, buf_view(&value));
	buf_done(&value);
}

static void
field_date(struct buf *out, const char *name, microseconds when)
{
	char date[DATE_SIZE];

	date_print(when, date);
	header_build(out, name, view_of(date));
}

/* "X-Postfix": mail_name as a token. */
static char *
extension_name(const struct report *r, const char *suffix)
{
	char *name = mem_printf("X-%s%s", r->mail_name, suffix);

	for (char *p = name; *p; p++)
		if (!char_is_alnum(*p) && *p != '-')
			*p = '-';
	return name;
}

void
report_message_fields(struct buf *out, const struct report *r)
{
	char *queue_id = extension_name(r, "-Queue-ID");
	char *sender = extension_name(r, "-Sender");

	field_text(out, "Reporting-MTA", "dns; ", view_of(r->hostname), r->utf8);
	if (r->envelope_id.n)
		field_text(out, "Original-Envelope-Id", "", r->envelope_id, r->utf8);
	field_text(out, queue_id, "", r->queue_id, false);
	if (r->sender.n)
		field_address(out, sender, r->sender, "; ", r->utf8);
	if (r->arrival)
		field_date(out, "Arrival-Date", r->arrival);
	mem_free(queue_id);
	mem_free(sender);
}

/* The part of an ORCPT behind its type is the sender's own; the type says how it is written. */
static void
original_recipient(struct buf *out, const struct report *r, const struct notice_recipient *n)
{
	size_t semicolon = view_find(n->dsn_orcpt, ';');
	struct view address = view_sub(n->dsn_orcpt, semicolon + 1, SIZE_MAX);

	if (semicolon == n->dsn_orcpt.n && n->original.n)
		field_address(out, "Original-Recipient", n->original, ";", r->utf8);
	else if (view_eq_nocase(view_sub(n->dsn_orcpt, 0, semicolon), VIEW("utf-8")))
		field_address(out, "Original-Recipient", address, ";", r->utf8);
	else if (n->dsn_orcpt.n)
		field_text(out, "Original-Recipient", "", n->dsn_orcpt, r->utf8);
}

/* "host mx.example.org[192.0.2.1]:25" as a name, or as an address literal when it has none. */
static void
remote_mta(struct buf *out, const struct report *r, struct view host)
{
	struct view name, address;
	size_t bracket;
	struct buf value = BUF_INIT(VALUE_MAX);

	if (view_has_prefix(host, VIEW("host ")))
		host = view_sub(host, 5, host.n);
	bracket = view_find(host, '[');
	name = view_sub(host, 0, bracket);
	address = view_sub(host, bracket, view_find(host, ']') - bracket + 1);
	if (view_eq(name, VIEW("unknown")))
		name = VIEW_NONE;
	report_text(&value, name.n ? name : address, r->utf8, DOMAIN_MAX);
	if (value.len)
		field_text(out, "Remote-MTA", "dns; ", buf_view(&value), r->utf8);
	buf_done(&value);
}

static bool
begins_with_code(struct view v)
{
	return v.n >= 3 && char_is_digit(v.p[0]) && char_is_digit(v.p[1]) &&
	    char_is_digit(v.p[2]);
}

/*
 * Of "host X said: 550 5.1.1 no such user (in reply to RCPT TO command)" the reply alone, which
 * for success is all of the reason; false when that is not what a server said.
 */
static bool
server_reply(const struct notice_recipient *n, struct view reason, struct view *reply)
{
	static const struct view said = { " said: ", 7 }, in_reply = { " (in reply to ", 14 };
	size_t at = 0, end;

	*reply = reason;
	if (n->remote_host.n > 0 && begins_with_code(reason))
		return true;
	while (at + said.n <= reason.n && !view_eq(view_sub(reason, at, said.n), said))
		at++;
	if (n->remote_host.n == 0 || at + said.n > reason.n)
		return false;
	*reply = view_sub(reason, at + said.n, reason.n);
	for (end = reply->n; end > 0; end--)
		if (view_has_prefix(view_sub(*reply, end, in_reply.n), in_reply))
			break;
	if (end)
		*reply = view_sub(*reply, 0, end);
	return begins_with_code(*reply);
}

static void
diagnostic_code(struct buf *out, const struct report *r, const struct notice_recipient *n)
{
	struct buf reason = BUF_INIT(VALUE_MAX);
	char *name = extension_name(r, ""), *ours = mem_printf("%s; ", name);
	struct view reply;

	report_reason(&reason, r, n);
	if (server_reply(n, buf_view(&reason), &reply))
		field_text(out, "Diagnostic-Code", "smtp; ", reply, r->utf8);
	else if (reason.len)
		field_text(out, "Diagnostic-Code", ours, buf_view(&reason), r->utf8);
	mem_free(ours);
	mem_free(name);
	buf_done(&reason);
}

void
report_recipient_fields(
    struct buf *out, const struct report *r, const struct notice_recipient *n)
{
	field_address(out, "Final-Recipient", report_recipient_shown(r, n), "; ", r->utf8);
	original_recipient(out, r, n);
	field_text(out, "Action", "", n->action, false);
	field_text(out, "Status", "",
	    dsn_is_valid(n->dsn) ? n->dsn : view_of(r->kind->default_status), false);
	remote_mta(out, r, n->remote_host);
	diagnostic_code(out, r, n);
	if (n->when)
		field_date(out, "Last-Attempt-Date", (microseconds)n->when);
	if (r->kind->will_retry && r->retry_until)
		field_date(out, "Will-Retry-Until", r->retry_until);
}
