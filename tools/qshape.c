/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qshape: for which domains mail waits, and how long it has done so. The listing is read as
 * postqueue reads it, a message at a time; what is kept are the counts. On a terminal the table
 * is shown again and again while the listing comes in.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/number.h"
#include "tools/qshape_table.h"
#include "tools/queue_listing.h"

#define DOMAINS_MAX  100000
#define OUTPUT_MAX   ((size_t)1 << 30)
#define CLEAR_SCREEN "\033[H\033[2J\033[3J"

static const char *const queues[] = { "maildrop", "incoming", "active", "deferred", "hold" };

static struct qshape {
	struct qshape_shape shape;
	bool by_sender;
	bool is_terminal;
	uint64_t batch, top; /* for a terminal; 0: none, all */
	bool wanted[ARRAY_LEN(queues)];
	microseconds now;
	struct qshape_table *table;
	uint64_t messages;
	bool is_wanted; /* the message that is being told */
	uint64_t age;   /* its age, seconds */
} qshape = {
	.shape = { .buckets = 10,
	    .tick = 5,
	    .subdomains = 5,
	    .width = QSHAPE_WIDTH_MIN,
	    .domains = DOMAINS_MAX },
	.batch = 1000,
	.top = 20,
};

static struct queue_tool tool = { .name = "qshape" };

/* Options that take a number. */
static const struct number {
	int option;
	uint64_t *value;
	uint64_t least, most;
} numbers[] = {
	{ 'b', &qshape.shape.buckets, 1, QSHAPE_BUCKETS_MAX },
	{ 'm', &qshape.shape.subdomains, 1, UINT32_MAX },
	{ 'N', &qshape.batch, 0, UINT32_MAX },
	{ 'n', &qshape.top, 0, UINT32_MAX },
	{ 't', &qshape.shape.tick, 1, QSHAPE_TICK_MAX },
	{ 'w', &qshape.shape.width, 1, QSHAPE_WIDTH_MAX },
};

static void __attribute__((noreturn)) usage(void)
{
	queue_tool_fatal(&tool, EX_USAGE,
	    "usage: qshape [-lps] [-b buckets] [-c directory] [-m subdomains] [-N messages] "
	    "[-n domains] [-t minutes] [-w columns] [queue ...]");
}

/* ---- the listing ---- */

static void
print(void)
{
	struct buf out = BUF_INIT(OUTPUT_MAX);

	qshape_table_print(qshape.table, qshape.is_terminal ? qshape.top : 0, &out);
	if (qshape.is_terminal && qshape.batch > 0)
		fputs(CLEAR_SCREEN, stdout);
	fwrite(buf_str(&out), 1, out.len, stdout);
	buf_done(&out);
}

static void
take_message(const struct showq_message *m)
{
	microseconds age = qshape.now - (microseconds)m->arrival;

	qshape.is_wanted = false;
	for (size_t i = 0; i < ARRAY_LEN(queues); i++) {
		if (view_eq(m->queue_name, view_of(queues[i])))
			qshape.is_wanted = qshape.wanted[i];
	}
	if (!qshape.is_wanted)
		return;
	if (qshape.is_terminal && qshape.batch > 0 && qshape.messages > 0 &&
	    qshape.messages % qshape.batch == 0)
		print();
	qshape.messages++;
	qshape.age = age > 0 ? (uint64_t)age / 1000000 : 0;
	if (qshape.by_sender)
		qshape_table_add(qshape.table, m->sender, qshape.age);
}

static void
take_recipient(const struct showq_recipient *r)
{
	if (qshape.is_wanted && !qshape.by_sender)
		qshape_table_add(qshape.table, r->address, qshape.age);
}

static void
take_end(void)
{
	uint64_t left_out = qshape_table_left_out(qshape.table);

	print();
	if (left_out > 0)
		queue_tool_say(&tool,
		    "warning: more than %d domains: %llu addresses are in TOTAL only",
		    DOMAINS_MAX, (unsigned long long)left_out);
}

static const struct queue_listing_reader reader = { take_message, take_recipient, take_end,
	NULL };

/* ---- the command line ---- */

static void
take_number(int option, const char *text)
{
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		const struct number *n = &numbers[i];
		uint64_t value;

		if (n->option != option)
			continue;
		if (!number_parse(view_of(text), n->most, &value) || value < n->least)
			queue_tool_fatal(&tool, EX_USAGE,
			    "bad -%c \"%.60s\": give a number from %llu to %llu", option, text,
			    (unsigned long long)n->least, (unsigned long long)n->most);
		*n->value = value;
		return;
	}
	usage();
}

static void
take_queue(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(queues); i++) {
		if (strcmp(name, queues[i]) == 0) {
			qshape.wanted[i] = true;
			return;
		}
	}
	queue_tool_fatal(&tool, EX_USAGE,
	    "unknown queue \"%.100s\": give maildrop, incoming, active, deferred or hold",
	    name);
}

static void
take_option(int option, const char **directory)
{
	switch (option) {
	case 'c':
		*directory = optarg;
		break;
	case 'l':
		qshape.shape.is_linear = true;
		break;
	case 'p':
		qshape.shape.has_parents = true;
		break;
	case 's':
		qshape.by_sender = true;
		break;
	default:
		take_number(option, optarg);
	}
}

static void
take_line(int argc, char **argv, const char **directory)
{
	struct qshape_shape *shape = &qshape.shape;
	int option;

	opterr = 0;
	while ((option = getopt(argc, argv, "+b:c:lm:N:n:pst:w:")) != -1)
		take_option(option, directory);
	if (!shape->is_linear && shape->buckets > QSHAPE_DOUBLES_MAX)
		queue_tool_fatal(&tool, EX_USAGE,
		    "bad -b \"%llu\": without -l there are at most %d buckets",
		    (unsigned long long)shape->buckets, QSHAPE_DOUBLES_MAX);
	if (shape->width < QSHAPE_WIDTH_MIN)
		shape->width = QSHAPE_WIDTH_MIN;
	if (!argv[optind]) {
		take_queue("incoming");
		take_queue("active");
	}
	for (int i = optind; argv[i]; i++)
		take_queue(argv[i]);
}

int
main(int argc, char **argv)
{
	const char *directory = NULL;
	struct queue_filter all = { 0 };

	take_line(argc, argv, &directory);
	queue_tool_open(&tool, "qshape", directory);
	qshape.is_terminal = isatty(STDOUT_FILENO);
	qshape.now = clock_wall();
	qshape.table = qshape_table_new(&qshape.shape);
	queue_listing(&tool, &all, false, &reader);
	qshape_table_free(&qshape.table);
	queue_tool_done(&tool);
	return EX_OK;
}
