/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which names there are. Rows come first, then the per-service names of the services in
 * master.cf that deliver mail, then names of the administrator's own: these count when a value
 * refers to them as $name, when smtpd_restriction_classes lists them, or when they belong to a
 * table whose settings are in main.cf (ldap:work reads work_server_host).
 */
#include <string.h>

#include "base/mem.h"
#include "conf/expand.h"
#include "conf/list.h"
#include "postconf.h"

/* Programs that qmgr talks to, and those that run commands. */
struct agent {
	const char *program;
	bool delivers;
	bool runs_commands;
};

static const struct agent agents[] = {
	{ "smtp", true, false },
	{ "lmtp", true, false },
	{ "local", true, false },
	{ "virtual", true, false },
	{ "error", true, false },
	{ "discard", true, false },
	{ "pipe", true, true },
	{ "spawn", false, true },
};

/* Tables that may keep their settings in main.cf under names of their own. */
static const char *const table_types[] = { "ldap", "mysql", "pgsql", "sqlite", "memcache",
	"mongodb" };

struct name *
names_find(const struct postconf *p, const char *text)
{
	return hash_find(p->names, view_of(text));
}

static void
add(struct postconf *p, struct view text, enum name_class class,
    const struct conf_parameter *row)
{
	if (hash_find(p->names, text))
		return;
	struct name *n = NEW(struct name);
	n->text = mem_dup(text.p, text.n);
	n->class = class;
	n->row = row;
	hash_put(p->names, text, n);
}

static bool
is_set(const struct postconf *p, const char *name)
{
	bool is_default;

	return conf_text(p->conf, name, &is_default) && !is_default;
}

/* Old names show only when they are used. */
static void
add_rows(struct postconf *p)
{
	for (size_t i = 0; i < conf_parameter_count; i++) {
		const struct conf_parameter *row = &conf_parameters[i];
		if (row->status != CONF_OLD_NAME)
			add(p, view_of(row->name), CLASS_BUILTIN, row);
		else if (is_set(p, row->name))
			add(p, view_of(row->name), CLASS_USER, row);
	}
}

static void
add_service(struct postconf *p, const struct master_entry *e, const struct agent *agent)
{
	for (size_t i = 0; i < conf_service_parameter_count; i++) {
		const struct conf_parameter *row = &conf_service_parameters[i];
		bool is_time_limit = strcmp(row->name, "time_limit") == 0;
		if (is_time_limit ? !agent->runs_commands : !agent->delivers)
			continue;
		char *name = mem_printf("%s_%s", e->name, row->name);
		const struct conf_parameter *own = conf_parameter_find(name);
		add(p, view_of(name), CLASS_SERVICE, own ? own : row);
		mem_free(name);
	}
}

static void
add_services(struct postconf *p)
{
	for (size_t i = 0; p->master && i < p->master->count; i++)
		for (size_t k = 0; k < ARRAY_LEN(agents); k++)
			if (strcmp(p->master->entries[i].program, agents[k].program) == 0)
				add_service(p, &p->master->entries[i], &agents[k]);
}

static void
add_if_set(struct view name, void *context)
{
	struct postconf *p = context;
	char *text = mem_dup(name.p, name.n);

	if (is_set(p, text))
		add(p, name, CLASS_USER, NULL);
	mem_free(text);
}

/* NAME_... for every setting, when a value says type:NAME. */
static void
add_table_settings(struct postconf *p, struct view table)
{
	for (size_t i = 0; i < conf_set_count(p->conf); i++) {
		struct view name = view_of(conf_set_name(p->conf, i));
		if (name.n > table.n && view_has_prefix(name, table) && name.p[table.n] == '_')
			add(p, name, CLASS_USER, NULL);
	}
}

static void
find_tables(struct postconf *p, const char *value)
{
	struct view rest = view_of(value), word;

	while (view_next_word(&rest, CONF_LIST_SEPARATORS "{}", &word)) {
		if (view_has_prefix(word, VIEW("proxy:")))
			word = view_sub(word, 6, word.n);
		size_t colon = view_find(word, ':');
		struct view type = view_sub(word, 0, colon);
		struct view table = view_sub(word, colon + 1, word.n);
		if (colon + 1 >= word.n || table.p[0] == '/')
			continue;
		for (size_t i = 0; i < ARRAY_LEN(table_types); i++)
			if (view_eq(type, view_of(table_types[i])))
				add_table_settings(p, table);
	}
}

static void
add_referenced(struct postconf *p, const char *value)
{
	expand_names(view_of(value), add_if_set, p);
	find_tables(p, value);
}

static void
add_user_names(struct postconf *p)
{
	struct view rest, word;

	for (size_t i = 0; i < conf_set_count(p->conf); i++)
		add_referenced(p, conf_text(p->conf, conf_set_name(p->conf, i), NULL));
	for (size_t i = 0; p->master && i < p->master->count; i++)
		for (size_t k = 0; k < p->master->entries[i].option_count; k++)
			add_referenced(p, p->master->entries[i].options[k].value);
	rest = view_of(conf_text(p->conf, "smtpd_restriction_classes", NULL));
	while (conf_list_next(&rest, &word))
		add_if_set(word, p);
}

void
names_collect(struct postconf *p)
{
	p->names = hash_new();
	add_rows(p);
	add_services(p);
	if (!p->defaults)
		add_user_names(p);
}

static void
free_name(void *value)
{
	struct name *n = value;

	mem_free(n->text);
	mem_free(n);
}

void
names_free(struct postconf *p)
{
	hash_free(&p->names, free_name);
}
