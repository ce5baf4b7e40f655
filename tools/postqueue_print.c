/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listings in the layout that monitoring has parsed for decades: columns for people, and one
 * JSON object a line. Nothing is kept but what the next line needs. Text that came from outside
 * (a remote server's reason, an address in maildrop/) cannot command the terminal.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/escape.h"
#include "mail/address.h"
#include "mail/date.h"
#include "tools/postqueue.h"

#define TEXT_MAX     (4 * IPC_VALUE_MAX)
#define REASON_WIDTH 76 /* reasons end here where they fit */

/* Postfix's columns with long queue ids. */
#define COLUMNS      "%-17s %8s %-19s %s\n"
#define MESSAGE_LINE "%-17s %8" PRIu64 " %.19s %s\n"

static struct text_state {
	unsigned long messages;
	uint64_t bytes;
	struct buf reason; /* of the recipient before */
} text = { .reason = BUF_INIT(TEXT_MAX) };

static struct json_state {
	bool is_open; /* a message */
	bool has_recipient;
} json;

/* External form; the null sender as Postfix shows it. */
static void
address_print(struct buf *out, struct view address)
{
	if (address.n)
		address_quote(out, address);
	else
		buf_append_str(out, "MAILER-DAEMON");
}

static const char *
id_mark(const struct showq_message *m)
{
	if (view_eq(m->queue_name, VIEW("active")))
		return "*";
	return view_eq(m->queue_name, VIEW("hold")) ? "!" : "";
}

/* ---- text ---- */

static void
text_message(const struct showq_message *m)
{
	struct buf id = BUF_INIT(TEXT_MAX), address = BUF_INIT(TEXT_MAX),
		   sender = BUF_INIT(TEXT_MAX);
	char date[DATE_SIZE];

	if (text.messages++ == 0)
		printf(COLUMNS, "----Queue ID-----", "--Size--", "---Arrival Time----",
		    "--Sender/Recipient------");
	else
		putchar('\n');
	text.bytes += m->size;
	buf_clear(&text.reason);
	escape_printable(&id, m->queue_id, TEXT_MAX);
	buf_printf(&id, "%s%s", id_mark(m), m->forced_expire ? "#" : "");
	address_print(&address, m->sender);
	escape_printable(&sender, buf_view(&address), TEXT_MAX);
	date_print_asctime((microseconds)m->arrival, date);
	printf(MESSAGE_LINE, buf_str(&id), m->size, date, buf_str(&sender));
	buf_done(&id);
	buf_done(&address);
	buf_done(&sender);
}

/* Said once for all recipients in a row that share it. */
static void
text_reason(struct view reason)
{
	struct buf shown = BUF_INIT(TEXT_MAX);
	int padding;

	if (view_eq(reason, buf_view(&text.reason)))
		return;
	buf_clear(&text.reason);
	buf_append_view(&text.reason, reason);
	escape_printable(&shown, reason.n ? reason : VIEW("reason unavailable"), TEXT_MAX);
	padding = shown.len < REASON_WIDTH ? REASON_WIDTH - (int)shown.len : 0;
	printf("%*s(%s)\n", padding, "", buf_str(&shown));
	buf_done(&shown);
}

static void
text_recipient(const struct showq_recipient *r)
{
	struct buf address = BUF_INIT(TEXT_MAX), shown = BUF_INIT(TEXT_MAX);

	text_reason(r->reason);
	address_print(&address, r->address);
	escape_printable(&shown, buf_view(&address), TEXT_MAX);
	printf(COLUMNS, "", "", "", buf_str(&shown));
	buf_done(&address);
	buf_done(&shown);
}

static void
text_end(void)
{
	if (text.messages == 0)
		printf("Mail queue is empty\n");
	else
		printf("\n-- %" PRIu64 " Kbytes in %lu Request%s.\n", text.bytes / 1024,
		    text.messages, text.messages == 1 ? "" : "s");
	buf_done(&text.reason);
}

/* ---- JSON ---- */

static void
json_text(const char *name, struct view value, const char *behind)
{
	struct buf escaped = BUF_INIT(2 * TEXT_MAX);

	escape_json(&escaped, value);
	printf("\"%s\": \"%s\"%s", name, buf_str(&escaped), behind);
	buf_done(&escaped);
}

static void
json_address(const char *name, struct view address)
{
	struct buf shown = BUF_INIT(TEXT_MAX);

	address_print(&shown, address);
	json_text(name, buf_view(&shown), "");
	buf_done(&shown);
}

static void
json_close(void)
{
	if (json.is_open)
		printf("]}\n");
	json.is_open = false;
}

static void
json_message(const struct showq_message *m)
{
	json_close();
	putchar('{');
	json_text("queue_name", m->queue_name, ", ");
	json_text("queue_id", m->queue_id, ", ");
	printf("\"arrival_time\": %" PRIu64 ", \"message_size\": %" PRIu64
	       ", \"forced_expire\": %s, ",
	    m->arrival / 1000000, m->size, m->forced_expire ? "true" : "false");
	json_address("sender", m->sender);
	printf(", \"recipients\": [");
	json.is_open = true;
	json.has_recipient = false;
}

static void
json_recipient(const struct showq_recipient *r)
{
	printf("%s{", json.has_recipient ? ", " : "");
	json_address("address", r->address);
	if (r->original.n) {
		printf(", ");
		json_address("orig_address", r->original);
	}
	if (r->reason.n) {
		printf(", ");
		json_text("delay_reason", r->reason, "");
	}
	putchar('}');
	json.has_recipient = true;
}

const struct queue_listing_reader postqueue_text = { text_message, text_recipient, text_end,
	NULL };
const struct queue_listing_reader postqueue_json = { json_message, json_recipient, json_close,
	NULL };
