/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frame of a report: its header, the text for people, the status part, and the opening of
 * the part that holds the original. The boundary carries the notice's own queue id, 64 random
 * bits of it, so what is returned cannot hold it.
 */
#include "bounce/report.h"

#include "mail/address.h"
#include "mail/header.h"

#define BOUNDARY_MAX 70 /* RFC 2046 5.1.1 */
#define OUT_MAX      (REPORT_PIECE + 128 * 1024 + 2 * BOUNCE_TEMPLATE_FILE_MAX)

void
report_out_init(
    struct report_out *o, bool (*send)(void *context, struct view piece), void *context)
{
	*o = (struct report_out){ .send = send, .context = context };
	buf_init(&o->text, OUT_MAX);
}

void
report_out_flush(struct report_out *o)
{
	if (o->text.overflow)
		o->failed = true;
	if (!o->failed && o->text.len && !o->send(o->context, buf_view(&o->text)))
		o->failed = true;
	buf_clear(&o->text);
}

void
report_out_pass(struct report_out *o)
{
	if (o->text.len >= REPORT_PIECE || o->text.overflow)
		report_out_flush(o);
}

void
report_out_done(struct report_out *o)
{
	buf_done(&o->text);
}

static void
append_boundary(struct buf *out, const struct report *r)
{
	size_t start = out->len;

	buf_printf(out, "%.*s.%lld/", VIEW_ARG(r->id), (long long)(r->now / 1000000));
	for (const char *p = r->hostname; *p && out->len - start < BOUNDARY_MAX; p++)
		buf_append_char(out, char_is_alnum(*p) || *p == '.' || *p == '-' ? *p : '_');
}

static void
delimiter(struct buf *out, const struct report *r, const char *end)
{
	buf_append_str(out, "\r\n--");
	append_boundary(out, r);
	buf_append_str(out, end);
	buf_append_str(out, "\r\n");
}

static void
thread_fields(struct buf *out, const struct report *r)
{
	struct buf references = BUF_INIT(16 * 1024);

	if (r->thread_id.n == 0)
		return;
	header_build(out, "In-Reply-To", r->thread_id);
	if (r->thread.n) {
		buf_append_view(&references, r->thread);
		buf_append_char(&references, ' ');
	}
	buf_append_view(&references, r->thread_id);
	header_build(out, "References", buf_view(&references));
	buf_done(&references);
}

/* The external form, safe for a line of ours. */
static void
append_address(struct buf *out, struct view address, bool utf8)
{
	struct buf external = BUF_INIT(4 * ADDRESS_MAX);

	address_quote(&external, address);
	report_text(out, buf_view(&external), utf8, external.len);
	buf_done(&external);
}

static bool
words_are_8bit(const struct report *r)
{
	return r->words->is_8bit && !r->kind->text;
}

bool
report_has_8bit(const struct report *r)
{
	return r->utf8 || r->is_8bit || words_are_8bit(r);
}

static void
top_fields(struct buf *out, const struct report *r)
{
	struct buf value = BUF_INIT(4 * ADDRESS_MAX);

	header_build(out, "From", r->words->from);
	header_build(
	    out, "Subject", r->kind->text ? r->words->postmaster_subject : r->words->subject);
	append_address(&value, r->to, r->utf8);
	report_field(out, "To", buf_view(&value));
	header_build(out, "Auto-Submitted", VIEW("auto-replied"));
	thread_fields(out, r);
	buf_append_str(out,
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; report-type=delivery-status;\r\n"
	    "\tboundary=\"");
	append_boundary(out, r);
	buf_append_str(out, "\"\r\n");
	if (report_has_8bit(r))
		header_build(out, "Content-Transfer-Encoding", VIEW("8bit"));
	buf_append_str(out, "\r\nThis is a MIME-encapsulated message.\r\n");
	buf_done(&value);
}

/* The fields on top of a part, and the empty line. */
static void
part_fields(struct buf *out, const char *description, const char *type, bool is_8bit)
{
	header_build(out, "Content-Description", view_of(description));
	header_build(out, "Content-Type", view_of(type));
	if (is_8bit)
		header_build(out, "Content-Transfer-Encoding", VIEW("8bit"));
	buf_append_str(out, "\r\n");
}

static void
explain_recipient(struct buf *out, const struct report *r, const struct notice_recipient *n)
{
	struct buf line = BUF_INIT(4 * ADDRESS_MAX + 4 * REPORT_REASON);

	buf_append_char(&line, '<');
	append_address(&line, report_recipient_shown(r, n), r->utf8);
	buf_append_char(&line, '>');
	if (r->shows_final && n->original.n && !address_eq_nocase(n->original, n->address)) {
		buf_append_str(&line, " (expanded from <");
		append_address(&line, n->original, r->utf8);
		buf_append_str(&line, ">)");
	}
	buf_append_str(&line, ": ");
	report_reason(&line, r, n);
	report_paragraph(out, buf_view(&line));
	buf_append_str(out, "\r\n");
	buf_done(&line);
}

/* What $name brought in may be too long for a line. */
static void
append_lines(struct buf *out, struct view text)
{
	while (text.n) {
		struct view line = view_sub(text, 0, view_find(text, '\n'));

		text = view_sub(text, line.n + 1, text.n);
		while (line.n > REPORT_LINE) {
			size_t n = report_whole_characters(line, REPORT_LINE);

			buf_append_view(out, view_sub(line, 0, n));
			buf_append_str(out, "\r\n");
			line = view_sub(line, n, line.n);
		}
		buf_append_view(out, line);
		buf_append_str(out, "\r\n");
	}
}

static void
text_part(struct report_out *o, const struct report *r)
{
	struct buf type = BUF_INIT(2000);
	struct view charset = r->kind->text ? VIEW("us-ascii") : r->words->charset;

	delimiter(&o->text, r, "");
	buf_printf(
	    &type, "text/plain; charset=%.*s", VIEW_ARG(r->utf8 ? VIEW("utf-8") : charset));
	part_fields(&o->text, "Notification", buf_str(&type), r->utf8 || words_are_8bit(r));
	buf_done(&type);
	if (r->kind->text)
		buf_printf(&o->text,
		    "This report comes from the mail system at host %s.\r\n\r\n%s", r->hostname,
		    r->kind->text);
	else
		append_lines(&o->text, r->words->text);
	buf_append_str(&o->text, "\r\n");
	report_out_pass(o);
	for (size_t i = 0; i < r->recipient_count && !o->failed; i++) {
		explain_recipient(&o->text, r, &r->recipients[i]);
		report_out_pass(o);
	}
}

static void
status_part(struct report_out *o, const struct report *r)
{
	delimiter(&o->text, r, "");
	part_fields(&o->text, "Delivery report",
	    r->utf8 ? "message/global-delivery-status" : "message/delivery-status", r->utf8);
	report_message_fields(&o->text, r);
	for (size_t i = 0; i < r->recipient_count && !o->failed; i++) {
		buf_append_str(&o->text, "\r\n");
		report_recipient_fields(&o->text, r, &r->recipients[i]);
		report_out_pass(o);
	}
}

static void
original_part(struct buf *out, const struct report *r)
{
	static const char *const types[2][2] = {
		[REPORT_HEADER] = { "text/rfc822-headers", "message/global-headers" },
		[REPORT_WHOLE] = { "message/rfc822", "message/global" },
	};
	struct buf description = BUF_INIT(100);
	struct buf sender = BUF_INIT(4 * ADDRESS_MAX);

	buf_append_str(&description, r->kind->description);
	if (r->original == REPORT_HEADER)
		buf_append_str(&description, " Headers");
	delimiter(out, r, "");
	part_fields(
	    out, buf_str(&description), types[r->original][r->utf8], r->utf8 || r->is_8bit);
	buf_append_char(&sender, '<');
	append_address(&sender, r->sender, r->utf8);
	buf_append_char(&sender, '>');
	report_field(out, "Return-Path", buf_view(&sender));
	buf_done(&sender);
	buf_done(&description);
}

void
report_begin(struct report_out *o, const struct report *r)
{
	top_fields(&o->text, r);
	text_part(o, r);
	status_part(o, r);
	original_part(&o->text, r);
	report_out_pass(o);
}

void
report_end(struct report_out *o, const struct report *r)
{
	delimiter(&o->text, r, "--");
	report_out_flush(o);
}
