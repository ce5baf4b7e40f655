/* SPDX-License-Identifier: Apache-2.0 */
/* One log line per recipient: log readers everywhere parse it, so its form never varies. */
#include "proto/delivery_log.h"

#include "base/log.h"
#include "mail/address.h"

#define MICROS_PER_SECOND 1000000

void
delivery_delay_print(struct buf *out, microseconds span)
{
	microseconds hundredths;

	if (span < 0)
		span = 0;
	if (span >= 10 * (microseconds)MICROS_PER_SECOND - MICROS_PER_SECOND / 20) {
		buf_printf(out, "%lld",
		    (long long)((span + MICROS_PER_SECOND / 2) / MICROS_PER_SECOND));
		return;
	}
	hundredths = (span + MICROS_PER_SECOND / 200) / (MICROS_PER_SECOND / 100);
	if (hundredths >= 100)
		hundredths = (hundredths + 5) / 10 * 10;
	buf_printf(out, "%lld", (long long)(hundredths / 100));
	if (hundredths % 100 == 0)
		return;
	if (hundredths % 10 == 0)
		buf_printf(out, ".%lld", (long long)(hundredths % 100 / 10));
	else
		buf_printf(out, ".%02lld", (long long)(hundredths % 100));
}

static void
delays_print(struct buf *out, const struct delivery_times *t)
{
	microseconds queued = t->queued ? t->queued : t->arrival;
	microseconds handed = t->handed ? t->handed : queued;
	microseconds connected = t->connected ? t->connected : handed;

	delivery_delay_print(out, t->done - t->arrival);
	buf_append_str(out, ", delays=");
	delivery_delay_print(out, queued - t->arrival);
	buf_append_char(out, '/');
	delivery_delay_print(out, handed - queued);
	buf_append_char(out, '/');
	delivery_delay_print(out, connected - handed);
	buf_append_char(out, '/');
	delivery_delay_print(out, t->done - connected);
}

const char *
delivery_status_text(enum deliver_result result)
{
	switch (result) {
	case DELIVER_SENT:
		return "sent";
	case DELIVER_BOUNCED:
		return "bounced";
	default:
		return "deferred";
	}
}

void
delivery_log(const struct delivery_line *line)
{
	struct buf text = BUF_INIT(4096);

	buf_append_str(&text, "to=<");
	address_quote(&text, line->address);
	buf_append_str(&text, ">, ");
	if (line->original.n && !address_eq_nocase(line->original, line->address)) {
		buf_append_str(&text, "orig_to=<");
		address_quote(&text, line->original);
		buf_append_str(&text, ">, ");
	}
	buf_printf(&text, "relay=%.*s, ", VIEW_ARG(line->relay.n ? line->relay : VIEW("none")));
	if (line->conn_use > 1)
		buf_printf(&text, "conn_use=%u, ", line->conn_use);
	buf_append_str(&text, "delay=");
	delays_print(&text, &line->times);
	log_info("%.*s: %s, dsn=%.*s, status=%s (%.*s)", VIEW_ARG(line->queue_id),
	    buf_str(&text), VIEW_ARG(line->dsn), line->status, VIEW_ARG(line->reason));
	buf_done(&text);
}
