/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postsuper: deletes, holds, releases, requeues and expires messages, by id, "-" for ids from
 * standard input, or ALL. While qmgr runs it owns the queue files, so it is asked; otherwise
 * this program takes qmgr's place, lock included, and changes the files itself. It is for root
 * and the owner of the queue, and becomes the latter before it touches anything.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
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
};

/* One option of the command line. */
struct request {
	const struct action *action;
	const char *id; /* or "-" or "ALL" */
};

static struct postsuper postsuper;

static void __attribute__((noreturn)) usage(void)
{
	queue_tool_fatal(&postsuper.tool, 1,
	    "usage: postsuper [-c config_dir] [-d queue_id (delete)] [-e queue_id (expire)] "
	    "[-f queue_id (expire and/or un-hold)] [-h queue_id (hold)] [-H queue_id "
	    "(un-hold)] [-p (purge temporary files)] [-r queue_id (requeue)] [-s (structure "
	    "fix)] [-S (redundant structure fix)] [-v (verbose)] [queue...]");
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

static bool
change(const struct action *a, const char *id)
{
	if (!postsuper_change(&postsuper, a, id))
		return false;
	if (a->letter == 'f' && postsuper_is_held(&postsuper, id))
		return postsuper_change(&postsuper, action_find('H'), id);
	return true;
}

static void
change_one(const struct action *a, const char *id)
{
	if (!queue_id_is_valid(view_of(id))) {
		queue_tool_say(&postsuper.tool, "warning: invalid mail queue id: %.100s", id);
		return;
	}
	if (postsuper.places && !postsuper_is_at(&postsuper, id, postsuper.places))
		return;
	change(a, id);
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
change_place(const struct action *a, enum queue_place place)
{
	struct queue_scan *scan = queue_scan_new(postsuper.queue, place);
	char id[QUEUE_ID_SIZE];
	const char *why;
	microseconds due;

	while (queue_scan_next(scan, id, &due, &why))
		(void)change(a, id);
	if (why)
		queue_tool_say(
		    &postsuper.tool, "warning: %s: %s", queue_place_name(place), why);
	queue_scan_free(&scan);
}

static void
change_all(const struct action *a)
{
	static const struct {
		unsigned bit;
		enum queue_place place;
	} all[] = {
		{ IN_HOLD, QUEUE_HOLD },
		{ IN_INCOMING, QUEUE_INCOMING },
		{ IN_DEFERRED, QUEUE_DEFERRED },
	};
	unsigned places = postsuper.places ? postsuper.places & a->places : a->default_places;

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (places & all[i].bit)
			change_place(a, all[i].place);
	}
	if (places & IN_MAILDROP)
		postsuper_delete_maildrop(&postsuper);
}

static void
request_run(const struct request *r)
{
	if (strcmp(r->id, "-") == 0)
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
	postsuper.queue = queue_open(".", postsuper.tool.values->queue_sync, &why);
	if (!postsuper.queue)
		queue_tool_fatal(&postsuper.tool, 1,
		    "use of this command is reserved for the superuser (%s)", why);
}

int
main(int argc, char **argv)
{
	struct request *requests = mem_zero(ACTIONS_MAX, sizeof(*requests));
	const char *directory = NULL;
	size_t count = 0;
	int letter, verbose = 0;

	postsuper.tool.name = "postsuper";
	opterr = 0;
	while ((letter = getopt(argc, argv, "+c:d:e:f:h:H:pr:sSv")) != -1) {
		if (letter == 'c')
			directory = optarg;
		else if (letter == 'v')
			verbose++;
		else if (letter == 'p' || letter == 's' || letter == 'S')
			queue_tool_say(&postsuper.tool,
			    "-%c: nothing to do: the queue manager keeps the queue in order",
			    letter);
		else if (count == ACTIONS_MAX)
			queue_tool_fatal(&postsuper.tool, 1, "too many options");
		else
			requests[count++] = (struct request){ action_find(letter), optarg };
	}
	places_read(argv + optind);
	if (argc < 2)
		usage();
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
