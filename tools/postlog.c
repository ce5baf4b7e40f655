/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postlog [-iv] [-c dir] [-p priority] [-t tag] [text...]: writes text, or each line of
 * standard input, to the log of the mail system, for scripts. -i is accepted: the process id
 * always shows.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "service/logging.h"

#define TEXT_MAX 65536

static void
write_error(const char *format_text)
{
	log_error("%s", format_text);
}

static void
write_info(const char *text)
{
	log_info("%s", text);
}

static void
write_warn(const char *text)
{
	log_warn("%s", text);
}

/* log_fatal would end this command before the next line. */
static void
write_fatal(const char *text)
{
	log_info("fatal: %s", text);
}

static void
write_panic(const char *text)
{
	log_info("panic: %s", text);
}

static const struct priority {
	const char *name;
	void (*write)(const char *);
} priorities[] = {
	{ "info", write_info },
	{ "warn", write_warn },
	{ "warning", write_warn },
	{ "error", write_error },
	{ "fatal", write_fatal },
	{ "panic", write_panic },
};

static const struct priority *
priority_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(priorities); i++) {
		if (strcmp(priorities[i].name, name) == 0)
			return &priorities[i];
	}
	log_fatal("-p %s: expected info, warn, error, fatal or panic", name);
}

static struct conf *
configuration(const char *directory)
{
	const struct conf_parameter *row = conf_parameter_find("config_directory");
	struct conf *c;
	char *why = NULL;

	if (!directory)
		directory = getenv("MAIL_CONFIG");
	c = conf_open(directory ? directory : row->default_text, true, &why);
	if (!c || !conf_evaluate(c, &why))
		log_fatal("%s", why);
	return c;
}

static void
log_words(const struct priority *p, char **words)
{
	struct buf text = BUF_INIT(TEXT_MAX);

	for (; *words; words++)
		buf_printf(&text, "%s%s", text.len ? " " : "", *words);
	p->write(buf_str(&text));
	buf_done(&text);
}

static void
log_input(const struct priority *p)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t n;

	while ((n = getline(&line, &size, stdin)) >= 0) {
		if (n > 0 && line[n - 1] == '\n')
			line[n - 1] = '\0';
		p->write(line);
	}
	free(line);
}

int
main(int argc, char **argv)
{
	const struct priority *priority = &priorities[0];
	const char *directory = NULL, *tag = NULL;
	struct conf *c;
	int letter;

	log_set_tag("postlog");
	while ((letter = getopt(argc, argv, "c:ip:t:v")) != -1) {
		if (letter == 'c')
			directory = optarg;
		else if (letter == 'p')
			priority = priority_find(optarg);
		else if (letter == 't')
			tag = optarg;
		else if (letter == '?')
			log_fatal("usage: postlog [-iv] [-c directory] [-p priority] [-t tag] "
				  "[text...]");
	}
	c = configuration(directory);
	logging_open(conf_values_of(c), "postlog", LOGGING_COMMAND);
	if (tag || (tag = getenv("MAIL_LOGTAG")) != NULL)
		log_set_tag(tag);
	if (argv[optind])
		log_words(priority, argv + optind);
	else
		log_input(priority);
	conf_free(&c);
	return 0;
}
