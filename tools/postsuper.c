/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postsuper: deletes, holds, releases, requeues and expires messages, by id, "-" for ids from
 * standard input, ALL, or those that filters select; -s has the index made anew. While qmgr
 * runs it owns the queue files, so it is asked; otherwise this program takes qmgr's place, lock
 * included, and changes the files itself. It is for root and the owner of the queue, and
 * becomes the latter before it touches anything.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "queue/index.h"
#include "service/sandbox.h"
#include "tools/postsuper.h"

#define LINE_MAX_ID 1024
#define ACTIONS_MAX 1000

/* How each option asks, and how it reports. */
static const struct action actions[] = {
	{ 'd', QUEUECTL_DELETE, "removed", "Deleted", IN_QUEUE | IN_MAILDROP, IN_QUEUE },
	{ 'e', QUEUECTL_EXPIRE, "expired", "Force-expired", IN_QUEUE, IN_QUEUE },
	{ 'f', QUEUECTL_EXPIRE, "expired", "Force-expired", IN_QUEUE, IN_QUEUE },
	{ 'h', QUEUECTL_HOLD, "placed on hold", "Placed on hold", IN_INCOMING | IN_DEFERRED,
	    IN_INCOMING | IN_DEFERRED },
	{ 'H', QUEUECTL_RELEASE, "released from hold", "Released from hold", IN_HOLD, IN_HOLD },
	{ 'r', QUEUECTL_REQUEUE, "requeued", "Requeued", IN_QUEUE, IN_QUEUE },
	{ 's', QUEUECTL_REBUILD, "", "", 0, 0 },
};

static const struct option long_options[] = {
	QUEUE_TOOL_FILTERS,
	{ NULL, 0, NULL, 0 },
};

/* One option of the command line. */
struct request {
	const struct action *action;
	const char *id; /* or "-" or "ALL"; NULL: what the filters select */
};

static struct postsuper postsuper;

static void __attribute__((noreturn)) usage(void)
{
	queue_tool_fatal(&postsuper.tool, 1,
	    "usage: postsuper [-c config_dir] [-d queue_id (delete)] [-e queue_id (expire)] "
	    "[-f queue_id (expire and/or un-hold)] [-h queue_id (hold)] [-H queue_id "
	    "(un-hold)] [-p (purge temporary files)] [-r queue_id (requeue)] [-s (structure "
	    "fix)] [-S (redundant structure fix)] [-v (verbose)] " QUEUE_TOOL_FILTER_USAGE
	    " [queue...]");
}

static const struct action *
action_find(int letter)
{
	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		if (actions[i].letter == letter)
			return &actions[i];
	}
	usage();
}

/* ---- which messages ---- */

static void
change_one(const struct action *a, const char *id)
{
	if (!queue_id_is_valid(view_of(id))) {
		queue_tool_say(&postsuper.tool, "warning: invalid mail queue id: %.100s", id);
		return;
	}
	if (postsuper.places && !postsuper_is_at(&postsuper, id, postsuper.places))
		return;
	(void)postsuper_change(&postsuper, a, id);
}

static void
change_from_input(const struct action *a)
{
	char line[LINE_MAX_ID];

	while (fgets(line, sizeof(line), stdin)) {
		struct view id = view_trim(view_of(line));

		if (id.n == 0)
			continue;
		line[id.p - line + (ptrdiff_t)id.n] = '\0';
		change_one(a, id.p);
	}
}

static void
change_all(const struct action *a)
{
	unsigned places = postsuper.places ? postsuper.places & a->places : a->default_places;

	postsuper_change_places(&postsuper, a, places & IN_QUEUE);
	if ((places & IN_MAILDROP) && queue_filter_is_empty(&postsuper.filter))
		postsuper_delete_maildrop(&postsuper);
}

static void
request_run(const struct request *r)
{
	if (r->action->letter == 's')
		postsuper_rebuild(&postsuper);
	else if (strcmp(r->id, "-") == 0)
		change_from_input(r->action);
	else if (strcmp(r->id, "ALL") == 0)
		change_all(r->action);
	else
		change_one(r->action, r->id);
}

/* ---- the command line ---- */

static void
places_read(char **names)
{
	static const struct {
		const char *name;
		unsigned places;
	} rows[] = {
		{ "incoming", IN_INCOMING },
		{ "active", IN_INCOMING },
		{ "deferred", IN_DEFERRED },
		{ "hold", IN_HOLD },
		{ "maildrop", IN_MAILDROP },
	};

	for (; *names; names++) {
		size_t i = 0;

		while (i < ARRAY_LEN(rows) && strcmp(rows[i].name, *names) != 0)
			i++;
		if (i == ARRAY_LEN(rows))
			queue_tool_fatal(
			    &postsuper.tool, 1, "invalid directory name: %.100s", *names);
		postsuper.places |= rows[i].places;
	}
}

static void
become_owner(void)
{
	struct sandbox_identity identity = { 0 };

	if (geteuid() != 0)
		return;
	if (strcmp(postsuper.tool.values->mail_owner, "root") == 0)
		return;
	sandbox_user(postsuper.tool.conf, postsuper.tool.values->mail_owner, &identity);
	sandbox_become(&identity);
}

/*
 * The log and qmgr's lock are opened with the caller's rights; who cannot read the queue has no
 * business here.
 */
static void
prepare(const char *directory, int verbose)
{
	const char *why;

	queue_tool_open(&postsuper.tool, "postsuper", directory);
	log_set_verbose(verbose);
	postsuper_connect(&postsuper);
	become_owner();
	if (!postsuper.qmgr)
		queue_index_doubt(".");
	postsuper.queue = queue_open(".", postsuper.tool.values->queue_sync, &why);
	if (!postsuper.queue)
		queue_tool_fatal(&postsuper.tool, 1,
		    "use of this command is reserved for the superuser (%s)", why);
}

/* With filters, an option that takes an id may stand without one. */
static const char *
id_of(int argc, char **argv)
{
	if (!view_has_prefix(view_of(optarg), VIEW("--")))
		return optarg;
	optind--;
	(void)argc, (void)argv;
	return NULL;
}

static void
check_requests(struct request *requests, size_t count)
{
	bool filtered = !queue_filter_is_empty(&postsuper.filter);

	for (size_t i = 0; i < count; i++) {
		if (requests[i].action->letter == 's')
			continue;
		if (!requests[i].id && !filtered)
			usage();
		if (requests[i].id && filtered && strcmp(requests[i].id, "ALL") != 0)
			queue_tool_fatal(&postsuper.tool, 1,
			    "-%c %.60s: give a queue id or filters, not both",
			    requests[i].action->letter, requests[i].id);
		if (!requests[i].id)
			requests[i].id = "ALL";
	}
	if (filtered && count == 0)
		queue_tool_fatal(
		    &postsuper.tool, 1, "say what is to be done: -d, -e, -f, -h, -H or -r");
}

/* One option. False: it changes nothing. */
static bool
take_option(int option, int argc, char **argv, struct request *request)
{
	if (queue_tool_is_filter(option)) {
		queue_tool_filter(&postsuper.tool, &postsuper.filter, option, optarg, 1);
		return false;
	}
	if (option == 'p')
		return false;
	if (option == 's' || option == 'S')
		*request = (struct request){ action_find('s'), NULL };
	else if (option == ':' && strchr("defhHr", optopt))
		*request = (struct request){ action_find(optopt), NULL };
	else
		*request = (struct request){ action_find(option), id_of(argc, argv) };
	return true;
}

int
main(int argc, char **argv)
{
	struct request *requests = mem_zero(ACTIONS_MAX, sizeof(*requests));
	const char *directory = NULL;
	size_t count = 0;
	int option, verbose = 0;

	postsuper.tool.name = "postsuper";
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":c:d:e:f:h:H:pr:sSv", long_options, NULL)) !=
	    -1) {
		if (option == 'c')
			directory = optarg;
		else if (option == 'v')
			verbose++;
		else if (count == ACTIONS_MAX)
			queue_tool_fatal(&postsuper.tool, 1, "too many options");
		else
			count += take_option(option, argc, argv, &requests[count]);
	}
	places_read(argv + optind);
	if (argc < 2)
		usage();
	check_requests(requests, count);
	if (count > 0) {
		prepare(directory, verbose);
		for (size_t i = 0; i < count; i++)
			request_run(&requests[i]);
		postsuper_report(&postsuper, actions, ARRAY_LEN(actions));
		postsuper_done(&postsuper);
	}
	mem_free(requests);
	return postsuper.failed ? 1 : 0;
}
