/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mistakes that cost nothing to find: a setting that nobody reads is most often a typing error,
 * and so is $name for a name that nobody set. Settings that Postfix has removed are named with
 * what to use instead.
 */
#include <string.h>

#include "base/mem.h"
#include "conf/expand.h"
#include "conf/list.h"
#include "postconf.h"

struct scan {
	const struct postconf *p;
	const struct master_entry *entry; /* whose -o value it is, or NULL */
	struct view wanted;               /* name looked for in references */
	bool found;
	struct hash *reported;
};

static const char *
file_of(const struct scan *s)
{
	return s->entry ? "master.cf" : "main.cf";
}

static bool
entry_sets(const struct master_entry *e, struct view name)
{
	for (size_t i = 0; e && i < e->option_count; i++)
		if (view_eq(view_of(e->options[i].name), name))
			return true;
	return false;
}

static void
report_undefined(struct view name, void *context)
{
	struct scan *s = context;
	char *text = mem_dup(name.p, name.n);

	if (!conf_text(s->p->conf, text, NULL) && !names_find(s->p, text) &&
	    !entry_sets(s->entry, name) && !hash_put(s->reported, name, s))
		postconf_warn(
		    "%s/%s: undefined parameter: %s", s->p->directory, file_of(s), text);
	mem_free(text);
}

/* Values of unknown names are not looked at: the name is reported already. */
static void
scan_value(struct scan *s, const char *name, const char *value)
{
	const struct name *n = names_find(s->p, name);

	if (n && !(n->row && n->row->type == CONF_RAW))
		expand_names(view_of(value), report_undefined, s);
}

void
check_undefined(const struct postconf *p)
{
	struct scan s = { .p = p, .reported = hash_new() };
	struct view rest = view_of(conf_text(p->conf, "smtpd_restriction_classes", NULL)), word;

	for (size_t i = 0; i < conf_set_count(p->conf); i++) {
		const char *name = conf_set_name(p->conf, i);
		scan_value(&s, name, conf_text(p->conf, name, NULL));
	}
	while (conf_list_next(&rest, &word))
		if (view_find(word, '$') == word.n)
			report_undefined(word, &s);
	for (size_t i = 0; p->master && i < p->master->count; i++) {
		s.entry = &p->master->entries[i];
		for (size_t k = 0; k < s.entry->option_count; k++)
			scan_value(&s, s.entry->options[k].name, s.entry->options[k].value);
	}
	hash_free(&s.reported, NULL);
}

static void
warn_unused(const struct postconf *p, const char *file, const char *name, const char *value)
{
	const char *removed = conf_removed_find(name);

	if (removed)
		postconf_warn("%s/%s: unused parameter: %s=%s: %s", p->directory, file, name,
		    value, removed);
	else
		postconf_warn(
		    "%s/%s: unused parameter: %s=%s", p->directory, file, name, value);
}

static void
compare_reference(struct view name, void *context)
{
	struct scan *s = context;

	if (view_eq(name, s->wanted))
		s->found = true;
}

/* Whether the service itself or any value in main.cf refers to an option of its own naming. */
static bool
is_referenced(const struct postconf *p, const struct master_entry *e, const char *name)
{
	struct scan s = { .p = p, .wanted = view_of(name) };

	for (size_t i = 0; i < e->option_count; i++)
		expand_names(view_of(e->options[i].value), compare_reference, &s);
	for (size_t i = 0; i < conf_set_count(p->conf); i++)
		expand_names(view_of(conf_text(p->conf, conf_set_name(p->conf, i), NULL)),
		    compare_reference, &s);
	return s.found;
}

static bool
is_restriction_class(const struct postconf *p, const char *name)
{
	return conf_list_has(
	    conf_text(p->conf, "smtpd_restriction_classes", NULL), view_of(name));
}

static void
check_options(const struct postconf *p, const struct master_entry *e)
{
	for (size_t i = 0; i < e->option_count; i++) {
		const struct master_option *o = &e->options[i];
		if (!names_find(p, o->name) && !conf_parameter_find(o->name) &&
		    !is_restriction_class(p, o->name) && !is_referenced(p, e, o->name))
			warn_unused(p, "master.cf", o->name, o->value);
	}
}

void
check_unused(const struct postconf *p)
{
	for (size_t i = 0; i < conf_set_count(p->conf); i++) {
		const char *name = conf_set_name(p->conf, i);
		if (!names_find(p, name))
			warn_unused(p, "main.cf", name, conf_text(p->conf, name, NULL));
	}
	for (size_t i = 0; p->master && i < p->master->count; i++)
		check_options(p, &p->master->entries[i]);
}
