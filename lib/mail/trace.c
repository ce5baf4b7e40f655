/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trace headers. The client chooses HELO name and, through its DNS, its own name; a milter or a
 * proxy header may give the rest. So every value passes a mask that knows where it will stand:
 * a word, or the inside of a comment.
 */
#include "mail/trace.h"

#include "base/escape.h"
#include "mail/address.h"
#include "mail/date.h"
#include "mail/header.h"

#define VALUE_MAX     255
#define RECIPIENT_MAX 900 /* with the date, below 998 */

static void
append_masked(struct buf *out, struct view v, const char *refused)
{
	for (size_t i = 0; i < v.n && i < VALUE_MAX; i++) {
		char c = v.p[i];
		bool plain = c >= ' ' && c <= '~' && !strchr(refused, c);

		buf_append_char(out, plain ? c : '?');
	}
}

/* A name or an id: nothing in it may look like structure. */
static void
append_word(struct buf *out, struct view v)
{
	append_masked(out, v, " <>()\\\";@");
}

/* Text inside a comment. */
static void
append_comment(struct buf *out, struct view v)
{
	append_masked(out, v, "()\\");
}

/* The TLS note may hold balanced parentheses ("(256/256 bits)"). */
static void
append_note(struct buf *out, struct view v)
{
	size_t depth = 0;

	for (size_t i = 0; i < v.n && i < VALUE_MAX; i++) {
		if (v.p[i] == '(')
			depth++;
		else if (v.p[i] == ')' && depth-- == 0)
			break;
		if (i + 1 == v.n && depth == 0) {
			append_masked(out, v, "\\");
			return;
		}
	}
	append_comment(out, v);
}

static void
append_date(struct buf *out, microseconds when)
{
	char date[DATE_SIZE];

	date_print(when, date);
	buf_append_str(out, date);
	buf_append_str(out, "\r\n");
}

static void
from_print(struct buf *out, const struct received_facts *f)
{
	buf_append_str(out, "Received: from ");
	append_word(out, f->helo_name.n ? f->helo_name : f->client_name);
	buf_append_str(out, " (");
	append_word(out, f->client_name);
	buf_append_str(out, " [");
	append_word(out, f->client_address);
	buf_append_str(out, "])\r\n");
	if (f->tls_note.n) {
		buf_append_str(out, "\t(");
		append_note(out, f->tls_note);
		buf_append_str(out, ")\r\n");
	}
	if (f->sasl_username.n) {
		buf_append_str(out, "\t(Authenticated sender: ");
		append_comment(out, f->sasl_username);
		buf_append_str(out, ")\r\n");
	}
}

/* The external form of the only recipient; false when there is no such line. */
static bool
recipient_print(struct buf *out, const struct received_facts *f)
{
	size_t before = out->len;

	if (f->recipient_count != 1 || f->recipient.n == 0 || !utf8_is_valid(f->recipient))
		return false;
	buf_append_str(out, "\r\n\tfor <");
	address_quote(out, f->recipient);
	buf_append_str(out, ">; ");
	if (out->len - before <= RECIPIENT_MAX)
		return true;
	buf_truncate(out, before);
	return false;
}

static void
local_print(struct buf *out, const struct received_facts *f)
{
	buf_append_str(out, "Received: by ");
	append_word(out, f->hostname);
	buf_append_str(out, " (");
	append_comment(out, f->mail_name);
	if (!f->no_uid)
		buf_printf(out, ", from userid %lu", f->uid);
	buf_append_str(out, ")\r\n\tid ");
	append_word(out, f->queue_id);
	buf_append_str(out, "; ");
	append_date(out, f->when);
}

void
received_print(struct buf *out, const struct received_facts *f)
{
	if (f->is_local) {
		local_print(out, f);
		return;
	}
	from_print(out, f);
	buf_append_str(out, "\tby ");
	append_word(out, f->hostname);
	buf_append_str(out, " (");
	append_comment(out, f->mail_name);
	buf_append_str(out, ") with ");
	append_word(out, f->protocol);
	buf_append_str(out, " id ");
	append_word(out, f->queue_id);
	if (!recipient_print(out, f))
		buf_append_str(out, ";\r\n\t");
	append_date(out, f->when);
}

void
message_id_print(struct buf *out, microseconds when, struct view queue_id, struct view hostname)
{
	char stamp[DATE_SIZE];

	date_print_stamp(when, stamp);
	buf_append_char(out, '<');
	buf_append_str(out, stamp);
	buf_append_char(out, '.');
	append_word(out, queue_id);
	buf_append_char(out, '@');
	append_word(out, hostname);
	buf_append_char(out, '>');
}

size_t
header_count(struct view block, struct view name)
{
	struct header_field field;
	size_t count = 0;

	while (header_next(&block, &field))
		count += header_is(&field, name);
	return count;
}
