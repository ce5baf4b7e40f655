/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The summary: totals, then the destinations and the reasons for which most waits. Names come
 * last in a line, for they have any length. What is not shown is counted in one line, as are
 * destinations that showq itself has put together.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/escape.h"
#include "tools/postqueue.h"

#define TEXT_MAX (4 * IPC_VALUE_MAX)
#define COLUMNS  "%10s %10s %8s %8s %8s  %s\n"

static struct state {
	uint64_t top;
	uint64_t kind; /* of the table that is being printed */
	uint64_t shown, hidden, hidden_messages;
	bool has_place;
} state = { .top = SUMMARY_TOP, .kind = SHOWQ_TOTAL };

void
postqueue_summary_top(uint64_t top)
{
	state.top = top;
}

/* ---- numbers for people ---- */

static void
size_text(uint64_t bytes, char out[16])
{
	static const char units[] = "BkMGT";
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1000 && unit < sizeof(units) - 2) {
		value /= 1024;
		unit++;
	}
	if (unit == 0)
		snprintf(out, 16, "%" PRIu64, bytes);
	else
		snprintf(out, 16, value < 10 ? "%.1f%c" : "%.0f%c", value, units[unit]);
}

/* Two units at most: 3d4h, 5h, 42m, 7s. */
static void
age_text(uint64_t arrival, char out[16])
{
	microseconds age = clock_wall() - (microseconds)arrival;
	unsigned long s = age > 0 ? (unsigned long)(age / 1000000) : 0;

	if (s >= 86400)
		snprintf(out, 16, "%lud%luh", s / 86400 % 100000, s / 3600 % 24);
	else if (s >= 3600)
		snprintf(out, 16, "%luh%lum", s / 3600, s / 60 % 60);
	else if (s >= 60)
		snprintf(out, 16, "%lum", s / 60);
	else
		snprintf(out, 16, "%lus", s);
}

/* ---- text ---- */

static const char *
plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void
total_print(const struct showq_row *r)
{
	char size[16], oldest[16], newest[16];

	if (r->messages == 0) {
		printf("Mail queue is empty\n");
		return;
	}
	size_text(r->size, size);
	age_text(r->oldest, oldest);
	age_text(r->newest, newest);
	printf("%" PRIu64 " message%s, %" PRIu64 " recipient%s, %s; oldest %s, newest %s",
	    r->messages, plural(r->messages), r->recipients, plural(r->recipients), size,
	    oldest, newest);
}

static void
place_print(const struct showq_row *r)
{
	printf(
	    "%s%.*s %" PRIu64, state.has_place ? ", " : "\n", VIEW_ARG(r->name), r->messages);
	state.has_place = true;
}

static void
table_end(void)
{
	if (state.hidden > 0)
		printf("%10" PRIu64 "  in %" PRIu64 " more\n", state.hidden_messages,
		    state.hidden);
	state.shown = state.hidden = state.hidden_messages = 0;
}

static void
table_begin(uint64_t kind)
{
	if (state.kind == SHOWQ_TOTAL)
		printf("\n");
	table_end();
	state.kind = kind;
	printf("\n" COLUMNS, "Messages", "Recipients", "Size", "Oldest", "Newest",
	    kind == SHOWQ_DESTINATION ? "Destination" : "Reason");
}

static const char *
name_of_nothing(uint64_t kind, uint64_t place_in_table)
{
	if (kind == SHOWQ_REASON && place_in_table < state.top)
		return "(not tried yet)";
	return "(all others)";
}

static void
table_print(const struct showq_row *r)
{
	struct buf name = BUF_INIT(TEXT_MAX);
	char messages[24], recipients[24], size[16], oldest[16], newest[16];

	if (r->kind != state.kind)
		table_begin(r->kind);
	if (state.top && state.shown == state.top) {
		state.hidden++;
		state.hidden_messages += r->messages;
		return;
	}
	escape_printable(&name,
	    r->name.n ? r->name : view_of(name_of_nothing(r->kind, state.shown)), TEXT_MAX);
	state.shown++;
	snprintf(messages, sizeof(messages), "%" PRIu64, r->messages);
	snprintf(recipients, sizeof(recipients), "%" PRIu64, r->recipients);
	size_text(r->size, size);
	age_text(r->oldest, oldest);
	age_text(r->newest, newest);
	printf(COLUMNS, messages, recipients, size, oldest, newest, buf_str(&name));
	buf_done(&name);
}

static void
text_row(const struct showq_row *r)
{
	if (r->kind == SHOWQ_TOTAL)
		total_print(r);
	else if (r->kind == SHOWQ_PLACE)
		place_print(r);
	else
		table_print(r);
}

/* ---- JSON ---- */

static void
json_row(const struct showq_row *r)
{
	static const char *const kinds[] = { "total", "queue", "destination", "reason" };
	struct buf name = BUF_INIT(2 * TEXT_MAX);

	if (r->kind >= sizeof(kinds) / sizeof(*kinds))
		return;
	if (state.kind != r->kind)
		state.shown = 0;
	state.kind = r->kind;
	if (r->kind >= SHOWQ_DESTINATION && state.top && state.shown++ >= state.top)
		return;
	escape_json(&name, r->name);
	printf("{\"kind\": \"%s\", ", kinds[r->kind]);
	if (r->kind != SHOWQ_TOTAL)
		printf("\"name\": \"%s\", ", buf_str(&name));
	printf("\"messages\": %" PRIu64 ", \"recipients\": %" PRIu64 ", \"size\": %" PRIu64,
	    r->messages, r->recipients, r->size);
	if (r->messages > 0)
		printf(", \"oldest\": %" PRIu64 ", \"newest\": %" PRIu64, r->oldest / 1000000,
		    r->newest / 1000000);
	printf("}\n");
	buf_done(&name);
}

static void
json_end(void)
{
}

const struct queue_listing_reader postqueue_summary_text = { NULL, NULL, table_end, text_row };
const struct queue_listing_reader postqueue_summary_json = { NULL, NULL, json_end, json_row };
