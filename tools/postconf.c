/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postconf: shows the configuration. With names it shows those, otherwise all parameters; -d
 * defaults, -n what main.cf sets, -M the services of master.cf. Everything is printed in the
 * format of Postfix, because scripts read it. An unknown name is a warning and makes the exit
 * code 1.
 */
#include "postconf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "conf/list.h"
#include "conf/name_value.h"

static void
print_message(const char *kind, const char *format, va_list ap)
{
	fflush(stdout);
	fprintf(stderr, "postconf: %s: ", kind);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
}

void
postconf_warn(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	print_message("warning", format, ap);
	va_end(ap);
}

void
postconf_fatal(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	print_message("fatal", format, ap);
	va_end(ap);
	exit(1);
}

static void usage(void) __attribute__((noreturn));

static void
usage(void)
{
	fputs(
	    "usage: postconf [-dfhHnqvx] [-C class] [-c directory] [-o name=value] [name...]\n"
	    "       postconf -M [-fqv] [-c directory] [service[/type]...]\n"
	    "       postconf -b|-t [-qv] [-c directory] [template_file]\n",
	    stderr);
	exit(1);
}

static unsigned
parse_classes(const char *text)
{
	struct view rest = view_of(text), word;
	unsigned classes = 0;

	while (conf_list_next(&rest, &word)) {
		if (view_eq_nocase(word, VIEW("builtin")))
			classes |= CLASS_BUILTIN;
		else if (view_eq_nocase(word, VIEW("service")))
			classes |= CLASS_SERVICE;
		else if (view_eq_nocase(word, VIEW("user")))
			classes |= CLASS_USER;
		else if (view_eq_nocase(word, VIEW("all")))
			classes |= CLASS_ALL;
		else
			postconf_fatal("unknown -C option value \"%.*s\" in \"%s\": must be "
				       "builtin, service, user or all",
			    VIEW_ARG(word), text);
	}
	return classes;
}

static void
add_override(struct postconf *p, char *text)
{
	p->overrides = mem_resize(p->overrides, p->override_count + 1, sizeof(char *));
	p->overrides[p->override_count++] = text;
}

static void
parse_option(struct postconf *p, int letter)
{
	switch (letter) {
	case 'b':
	case 't':
		p->bounce = true;
		p->bounce_expanded = letter == 'b';
		break;
	case 'c':
		p->directory = optarg;
		break;
	case 'C':
		p->classes = parse_classes(optarg);
		break;
	case 'd':
		p->defaults = true;
		break;
	case 'f':
		p->fold = true;
		break;
	case 'h':
		p->values_only = true;
		break;
	case 'H':
		p->names_only = true;
		break;
	case 'M':
		p->services = true;
		break;
	case 'n':
		p->only_set = true;
		break;
	case 'o':
		add_override(p, optarg);
		break;
	case 'q':
		p->no_warnings = true;
		break;
	case 'x':
		p->expand = true;
		break;
	case 'p':
	case 'v':
		break;
	case '?':
		usage();
	default:
		postconf_fatal("-%c: not available in this version", letter);
	}
}

static void
check_options(const struct postconf *p)
{
	if (p->defaults && p->only_set)
		postconf_fatal("specify one of -d -n");
	if (p->values_only && p->names_only)
		postconf_fatal("specify one of -h -H");
	if (p->services && (p->defaults || p->only_set))
		postconf_fatal("-M does not go with -d and -n");
	if (p->bounce && (p->services || p->defaults || p->only_set))
		postconf_fatal("-b and -t do not go with -M, -d and -n");
}

static void
apply_override(struct postconf *p, const char *text)
{
	struct view name, value;
	const char *problem;

	if (!name_value_parse(view_of(text), &name, &value, &problem))
		postconf_fatal("-o option requires name=value: %s: \"%s\"", problem, text);
	char *n = mem_dup(name.p, name.n), *v = mem_dup(value.p, value.n);
	conf_set(p->conf, n, v);
	mem_free(n);
	mem_free(v);
}

/* Defaults need no file; master.cf is needed only to show it. */
static void
read_files(struct postconf *p)
{
	char *why = NULL;

	if (p->defaults)
		p->conf = conf_open_text("main.cf", VIEW(""), true, &why);
	else
		p->conf = conf_open(p->directory, true, &why);
	if (!p->conf)
		postconf_fatal("%s", why);
	for (size_t i = 0; i < conf_warning_count(p->conf) && !p->no_warnings; i++)
		postconf_warn("%s", conf_warning(p->conf, i));
	for (size_t i = 0; i < p->override_count; i++)
		apply_override(p, p->overrides[i]);
	p->master = master_cf_open(p->directory, p->conf, true, &why);
	if (!p->master && (p->services || !p->defaults)) {
		if (p->services)
			postconf_fatal("%s", why);
		if (!p->no_warnings)
			postconf_warn("%s", why);
	}
	mem_free(why);
	if (p->services && !p->no_warnings)
		for (size_t i = 0; i < p->master->warning_count; i++)
			postconf_warn("%s", p->master->warnings[i]);
}

static void
show(const struct postconf *p, const struct name *n)
{
	bool is_default = true;
	const char *text = conf_text(p->conf, n->text, &is_default);

	if (!(p->classes & n->class) || (p->only_set && is_default))
		return;
	if (!text)
		text = n->row ? n->row->default_text : "";
	print_parameter(p, n, text);
}

static bool
show_requested(const struct postconf *p, char **requests)
{
	bool all_known = true;

	for (; *requests; requests++) {
		const struct name *n = names_find(p, *requests);
		if (n) {
			show(p, n);
			continue;
		}
		all_known = false;
		const char *removed = conf_removed_find(*requests);
		if (removed)
			postconf_warn("%s: unknown parameter: %s", *requests, removed);
		else
			postconf_warn("%s: unknown parameter", *requests);
	}
	return all_known;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp((*(struct name *const *)a)->text, (*(struct name *const *)b)->text);
}

static void
show_all(const struct postconf *p)
{
	size_t count = hash_count(p->names), n = 0;
	struct name **sorted = mem_zero(count, sizeof(*sorted));
	struct hash_iter it = { 0 };

	while (hash_next(p->names, &it))
		sorted[n++] = it.value;
	qsort(sorted, n, sizeof(*sorted), compare_names);
	for (size_t i = 0; i < n; i++)
		show(p, sorted[i]);
	mem_free(sorted);
}

int
main(int argc, char **argv)
{
	struct postconf p = { .directory = conf_default_directory(), .classes = CLASS_ALL };
	bool ok = true;
	int letter;

	while ((letter = getopt(argc, argv, "aAbc:C:deEfFhHjlmMno:pPqtT:vxX#")) != -1)
		parse_option(&p, letter);
	check_options(&p);
	read_files(&p);
	names_collect(&p);
	if (p.bounce)
		print_bounce_templates(&p, argv[optind]);
	else if (p.services)
		print_services(&p, argv + optind);
	else if (argv[optind])
		ok = show_requested(&p, argv + optind);
	else
		show_all(&p);
	if (!p.defaults && !p.no_warnings && !p.bounce) {
		check_undefined(&p);
		check_unused(&p);
	}
	names_free(&p);
	mem_free(p.overrides);
	master_cf_free(&p.master);
	conf_free(&p.conf);
	if (fflush(stdout) != 0 || ferror(stdout))
		postconf_fatal("standard output: %s", strerror(errno));
	return ok ? 0 : 1;
}
