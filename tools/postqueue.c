/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postqueue: -p and -j list the queue, --summary tells what waits for which destination and
 * why, -f has all deferred mail tried now, -s that for one destination, -i one message; filters
 * narrow the first four down. Anybody may call it; showq and qmgr decide by the caller's uid
 * what they do for him. While the system is down, who may run the system gets a listing all the
 * same: showq is run for it.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/number.h"
#include "queue/queue.h"
#include "tools/postqueue.h"
#include "tools/queue_tool.h"

enum mode {
	MODE_NONE,
	MODE_LIST,
	MODE_JSON,
	MODE_SUMMARY,
	MODE_FLUSH,
	MODE_FLUSH_ID,
	MODE_FLUSH_SITE
};

enum { OPTION_SUMMARY = 1, OPTION_TOP };

static const struct option long_options[] = {
	{ "summary", no_argument, NULL, OPTION_SUMMARY },
	{ "top", required_argument, NULL, OPTION_TOP },
	QUEUE_TOOL_FILTERS,
	{ NULL, 0, NULL, 0 },
};

static struct command_line {
	enum mode mode;
	bool json; /* with --summary */
	uint64_t top;
	const char *argument;
	struct queue_filter filter;
} line = { .top = SUMMARY_TOP };

static struct queue_tool tool = { .name = "postqueue" };

static void __attribute__((noreturn)) usage(void)
{
	queue_tool_fatal(&tool, EX_USAGE,
	    "usage: postqueue -f | postqueue -i queueid | postqueue -j | postqueue -p | "
	    "postqueue -s site | postqueue --summary [-j] [--top count]; with -f, -j, -p and "
	    "--summary: " QUEUE_TOOL_FILTER_USAGE);
}

/* ---- deliveries ---- */

/* What Postfix's postqueue says when the destination is none. */
static void
check_site(const char *site)
{
	struct view v = view_of(site);

	for (size_t i = 0; i < v.n; i++) {
		if (!char_is_alnum(v.p[i]) && !strchr("-._[]:", v.p[i]) && v.p[i] > 0)
			v.n = 0;
	}
	if (v.n == 0)
		queue_tool_fatal(&tool, EX_USAGE,
		    "Cannot flush mail queue - invalid destination: \"%.100s\"", site);
}

static bool
ask(struct ipc *qmgr, struct queuectl_result *result)
{
	switch (line.mode) {
	case MODE_FLUSH_ID:
		return queue_tool_ask(qmgr, QUEUECTL_FLUSH_ID, line.argument, result);
	case MODE_FLUSH_SITE:
		return queue_tool_ask_filtered(qmgr, QUEUECTL_FLUSH_SITE, &line.filter, result);
	default:
		return queue_tool_ask_filtered(qmgr,
		    queue_filter_is_empty(&line.filter) ? QUEUECTL_FLUSH : QUEUECTL_FLUSH_SOME,
		    &line.filter, result);
	}
}

static void
flush(void)
{
	struct queuectl_result result;
	struct ipc *qmgr = queue_tool_connect(tool.values->queue_service_name);

	if (!qmgr || !ask(qmgr, &result))
		queue_tool_fatal(
		    &tool, EX_UNAVAILABLE, "Cannot flush mail queue - mail system is down");
	switch (result.outcome) {
	case QUEUECTL_DONE:
		break;
	case QUEUECTL_NOT_ALLOWED:
		if (line.mode == MODE_FLUSH_SITE)
			queue_tool_fatal(&tool, EX_UNAVAILABLE,
			    "Flush service is not configured for destination \"%s\"",
			    line.argument);
		queue_tool_fatal(&tool, EX_NOPERM,
		    "User id %ld is not allowed to flush the mail queue", (long)getuid());
	case QUEUECTL_NOT_FOUND:
		queue_tool_fatal(&tool, EX_UNAVAILABLE, "Cannot flush queue ID %s: not found",
		    line.argument);
	default:
		queue_tool_fatal(
		    &tool, EX_TEMPFAIL, "Cannot flush mail queue: %.*s", VIEW_ARG(result.why));
	}
	ipc_free(&qmgr);
}

/* ---- the command line ---- */

static void
show(const struct queue_listing_reader *r)
{
	queue_listing(&tool, &line.filter, line.mode == MODE_SUMMARY, r);
}

static void
run(void)
{
	switch (line.mode) {
	case MODE_NONE:
		usage();
	case MODE_LIST:
		show(&postqueue_text);
		break;
	case MODE_JSON:
		show(&postqueue_json);
		break;
	case MODE_SUMMARY:
		postqueue_summary_top(line.top);
		show(line.json ? &postqueue_summary_json : &postqueue_summary_text);
		break;
	case MODE_FLUSH_ID:
		if (!queue_id_is_valid(view_of(line.argument)))
			queue_tool_fatal(&tool, EX_USAGE,
			    "Cannot flush queue ID - invalid name: \"%.100s\"", line.argument);
		flush();
		break;
	case MODE_FLUSH_SITE:
		check_site(line.argument);
		queue_tool_filter(&tool, &line.filter, QUEUE_TOOL_FILTER + FILTER_DESTINATION,
		    line.argument, EX_USAGE);
		flush();
		break;
	case MODE_FLUSH:
		flush();
		break;
	}
}

static enum mode
mode_of(int option)
{
	switch (option) {
	case 'f':
		return MODE_FLUSH;
	case 'i':
		return MODE_FLUSH_ID;
	case 'j':
		return MODE_JSON;
	case 'p':
		return MODE_LIST;
	case 's':
		return MODE_FLUSH_SITE;
	case OPTION_SUMMARY:
		return MODE_SUMMARY;
	default:
		usage();
	}
}

/* -j says how a summary is shown, in whichever order. */
static void
take_mode(enum mode mode, const char *argument)
{
	if ((line.mode == MODE_SUMMARY && mode == MODE_JSON) ||
	    (line.mode == MODE_JSON && mode == MODE_SUMMARY)) {
		line.json = true;
		line.mode = MODE_SUMMARY;
		return;
	}
	if (line.mode != MODE_NONE)
		usage();
	line.mode = mode;
	line.argument = argument;
}

static void
check_line(void)
{
	bool one = line.mode == MODE_FLUSH_ID || line.mode == MODE_FLUSH_SITE;

	if (line.mode == MODE_NONE || (one && !queue_filter_is_empty(&line.filter)))
		usage();
}

int
main(int argc, char **argv)
{
	const char *directory = NULL;
	int option, verbose = 0;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "+c:fi:jps:v", long_options, NULL)) != -1) {
		if (option == 'c')
			directory = optarg;
		else if (option == 'v')
			verbose++;
		else if (queue_tool_is_filter(option))
			queue_tool_filter(&tool, &line.filter, option, optarg, EX_USAGE);
		else if (option != OPTION_TOP)
			take_mode(mode_of(option), optarg);
		else if (!number_parse(view_of(optarg), UINT32_MAX, &line.top))
			queue_tool_fatal(
			    &tool, EX_USAGE, "bad --top \"%.60s\": give a number", optarg);
	}
	if (argv[optind])
		usage();
	check_line();
	queue_tool_open(&tool, "postqueue", directory);
	log_set_verbose(verbose);
	run();
	queue_filter_done(&line.filter);
	queue_tool_done(&tool);
	return EX_OK;
}
