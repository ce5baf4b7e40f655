/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postern [-c directory] [-v] verb: starts, stops and asks after one instance, which is
 * whatever the main.cf in that directory describes. It may be called by root or, for an
 * instance that runs without root, by its user.
 */
#include "tools/postern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "service/logging.h"

static const struct verb {
	const char *name;
	int (*run)(const struct postern *);
	const char *text;
} verbs[] = {
	{ "start", postern_start, "start the mail system" },
	{ "start-fg", postern_start_fg, "start it and stay in the foreground" },
	{ "stop", postern_stop, "stop it; sessions may finish" },
	{ "abort", postern_abort, "stop it at once" },
	{ "reload", postern_reload, "read main.cf and master.cf again" },
	{ "flush", postern_flush, "try to deliver everything in the queue now" },
	{ "status", postern_status, "say whether it runs" },
	{ "check", postern_check, "check configuration, directories and permissions" },
	{ "logrotate", postern_logrotate, "rotate maillog_file" },
};

static int
usage(void)
{
	fprintf(stderr, "usage: postern [-c directory] [-v] verb\n");
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		fprintf(stderr, "  %-10s %s\n", verbs[i].name, verbs[i].text);
	return 64;
}

static const struct verb *
verb_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	}
	return NULL;
}

static const char *
default_directory(void)
{
	const struct conf_parameter *row = conf_parameter_find("config_directory");
	const char *dir = getenv("MAIL_CONFIG");

	if (dir && dir[0] != '\0')
		return dir;
	return row->default_text;
}

static void
read_configuration(struct postern *p)
{
	char *why = NULL;

	if (p->directory[0] != '/')
		log_fatal(
		    "%s: the configuration directory must be an absolute path", p->directory);
	p->conf = conf_open(p->directory, true, &why);
	if (!p->conf || !conf_evaluate(p->conf, &why))
		log_fatal("%s", why);
	p->values = conf_values_of(p->conf);
	if (setenv("MAIL_CONFIG", p->directory, 1) < 0)
		log_fatal("no memory for the environment");
}

int
main(int argc, char **argv)
{
	struct postern p = { 0 };
	const struct verb *verb;
	int letter, status;

	log_set_tag("postern");
	while ((letter = getopt(argc, argv, "+c:Dv")) != -1) {
		if (letter == 'c')
			p.directory = optarg;
		else if (letter == 'v')
			p.verbose++;
		else if (letter != 'D')
			return usage();
	}
	if (optind + 1 != argc || !(verb = verb_find(argv[optind])))
		return usage();
	if (!p.directory)
		p.directory = default_directory();
	read_configuration(&p);
	status = verb->run(&p);
	conf_free(&p.conf);
	return status;
}
