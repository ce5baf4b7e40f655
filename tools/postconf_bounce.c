/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postconf -b and -t: the texts of notices, expanded or as they are written, in a form that is
 * itself a template file.
 */
#include <stdio.h>

#include "base/mem.h"
#include "conf/bounce_template.h"
#include "postconf.h"

static void
warn(const char *warning, void *context)
{
	(void)context;
	postconf_warn("%s", warning);
}

/* A word that is no line of the text. */
static void
marker_choose(struct buf *marker, struct view text)
{
	struct view line, rest;
	bool found;

	buf_append_str(marker, "EOF");
	do {
		found = false;
		rest = text;
		while (view_next_word(&rest, "\n", &line))
			found |= view_eq(line, buf_view(marker));
		if (found)
			buf_append_str(marker, "F");
	} while (found);
}

static void
print_header(const char *label, struct view value)
{
	if (value.n)
		printf("%s: %.*s\n", label, VIEW_ARG(value));
}

static void
print_template(const struct postconf *p, const struct bounce_template *t)
{
	struct buf text = BUF_INIT(2 * BOUNCE_TEMPLATE_FILE_MAX), marker = BUF_INIT(1000);
	char *why = NULL;

	if (!p->bounce_expanded)
		buf_append_view(&text, t->text);
	else if (!bounce_template_expand(p->conf, t, &text, &why))
		postconf_fatal("%s_template: %s", t->name, why);
	marker_choose(&marker, buf_view(&text));
	printf(p->bounce_expanded ? "expanded_%s_text = <<%s\n" : "%s_template = <<%s\n",
	    t->name, buf_str(&marker));
	if (!p->bounce_expanded) {
		print_header("Charset", t->charset);
		print_header("From", t->from);
		print_header("Subject", t->subject);
		print_header("Postmaster-Subject", t->postmaster_subject);
		putchar('\n');
	}
	fwrite(text.data ? text.data : "", 1, text.len, stdout);
	printf("%s\n", buf_str(&marker));
	buf_done(&text);
	buf_done(&marker);
}

void
print_bounce_templates(struct postconf *p, const char *path)
{
	struct bounce_templates templates;
	char *why = NULL;

	if (!conf_evaluate(p->conf, &why))
		postconf_fatal("%s", why);
	bounce_templates_open(&templates,
	    path ? path : conf_values_of(p->conf)->bounce_template_file, warn, NULL);
	for (int i = 0; i < BOUNCE_TEMPLATE_KINDS; i++) {
		if (i)
			putchar('\n');
		print_template(p, &templates.of[i]);
	}
	bounce_templates_done(&templates);
}
