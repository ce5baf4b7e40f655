/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the files to services: each line of master.cf, then the built-in services that it does
 * not name. A line whose program is not needed here, or is not installed, is accepted and said
 * once in the log; it gets no socket, and who calls it defers.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "master/master.h"

#define NAME_MAX_BYTES 64 /* of a service with a UNIX socket: sun_path is short */

static const char *const type_names[] = {
	[MASTER_INET] = "inet",
	[MASTER_UNIX] = "unix",
	[MASTER_UNIX_DGRAM] = "unix-dgram",
	[MASTER_FIFO] = "unix",
	[MASTER_PASS] = "pass",
};

struct conf *
configuration_open(const char *directory, char **why)
{
	struct conf *c = conf_open(directory, false, why);

	if (!c)
		return NULL;
	conf_set(c, "process_name", "master");
	if (!conf_evaluate(c, why))
		conf_free(&c);
	return c;
}

/* master_service_disable: "name.type", "type" or "all" words. */
static bool
is_disabled(const struct conf_values *v, const char *name, const char *type)
{
	struct view rest = view_of(v->master_service_disable), word;

	while (view_next_word(&rest, ", \t\r\n", &word)) {
		size_t dot = view_find_last(word, '.');

		if (view_eq(word, view_of(type)))
			return true;
		if (dot < word.n && view_eq(view_sub(word, 0, dot), view_of(name)) &&
		    view_eq(view_sub(word, dot + 1, word.n), view_of(type)))
			return true;
	}
	return false;
}

/* How many processes, and how many sessions in each. */
static void
set_limits(const struct conf_values *v, struct master_service *s, int column)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	size_t each = (size_t)v->sessions_per_process;

	s->session_limit = column < 0 ? (size_t)v->default_session_limit : (size_t)column;
	s->spread = v->service_processes > 0 ? (size_t)v->service_processes
	    : cores > 0                      ? (size_t)cores
					     : 1;
	if (s->one_process) {
		s->session_limit = 0;
		s->spread = s->max_processes = 1;
		return;
	}
	s->max_processes = s->spread;
	s->process_limit = each;
	if (each > 0 && s->session_limit > 0)
		s->max_processes = (s->session_limit + each - 1) / each;
	else if (each > 0)
		s->max_processes = (size_t)v->default_process_limit;
	else if (s->session_limit > 0 && s->session_limit < s->max_processes)
		s->max_processes = s->session_limit;
}

/* NULL when the line is accepted but nothing can run for it. */
static struct master_service *
service_for_program(const struct conf_values *v, const char *name, enum master_type type,
    const char *program, bool is_builtin)
{
	const struct program *p = program_find(program);
	struct master_service *s;
	char *path;

	if (p && p->note) {
		log_info("%s/%s: program %s is not needed: %s", name, type_names[type], program,
		    p->note);
		return NULL;
	}
	path = mem_printf("%s/%s", v->daemon_directory, p && p->runs ? p->runs : program);
	if (access(path, X_OK) < 0) {
		if (!is_builtin)
			log_warn("%s/%s: %s: %s: the service does not run", name,
			    type_names[type], path, strerror(errno));
		mem_free(path);
		return NULL;
	}
	s = master_service_new(name, type);
	s->type_name = type_names[type];
	s->program = mem_strdup(program);
	s->path = path;
	s->one_process = p && p->one_process;
	return s;
}

static void
set_arguments(struct master_service *s, const struct master_entry *e, int verbose)
{
	size_t n = 0,
	       most = 2 * e->option_count + (size_t)(e->verbose + verbose) + 1 +
	    e->argument_count + 1;

	s->arguments = mem_zero(most, sizeof(*s->arguments));
	for (size_t i = 0; i < e->option_count; i++) {
		s->arguments[n++] = mem_strdup("-o");
		s->arguments[n++] =
		    mem_printf("%s=%s", e->options[i].name, e->options[i].value);
	}
	for (int i = 0; i < e->verbose + verbose; i++)
		s->arguments[n++] = mem_strdup("-v");
	if (e->argument_count > 0)
		s->arguments[n++] = mem_strdup("--");
	for (size_t i = 0; i < e->argument_count; i++)
		s->arguments[n++] = mem_strdup(e->arguments[i]);
}

static bool
add_listeners(const struct conf_values *v, struct master_service *s,
    const struct master_entry *e, char **why)
{
	if (s->type == MASTER_INET)
		return listener_add_inet(v, s, e, why);
	if (strchr(s->name, '/') || s->name[0] == '.' || strlen(s->name) > NAME_MAX_BYTES) {
		*why = mem_printf(
		    "master.cf line %u: %s: not a name for a UNIX socket", e->line, s->name);
		return false;
	}
	listener_add_unix(s, e->is_private);
	return true;
}

static bool
add_entry(const struct conf_values *v, const struct master_entry *e, struct list *services,
    char **why)
{
	struct master_service *s;

	if (is_disabled(v, e->name, type_names[e->type]))
		return true;
	if (e->type == MASTER_PASS) {
		log_warn("%s/pass: services of type pass do not run yet", e->name);
		return true;
	}
	if (strchr(e->program, '/')) {
		*why = mem_printf("master.cf line %u: program %s: only a name below "
				  "daemon_directory",
		    e->line, e->program);
		return false;
	}
	s = service_for_program(v, e->name, e->type, e->program, false);
	if (!s)
		return true;
	list_append(services, &s->link);
	s->chroot = e->is_chroot && master.is_root;
	s->unprivileged = e->is_unprivileged;
	s->wakeup = e->wakeup * SECOND;
	s->wakeup_if_used = e->wakeup_if_used;
	set_limits(v, s, e->max_processes);
	set_arguments(s, e, master.verbose);
	return add_listeners(v, s, e, why);
}

static void
add_builtins(const struct conf_values *v, const struct master_cf *m, struct list *services)
{
	struct master_entry none = { 0 };

	for (size_t i = 0; i < builtin_count; i++) {
		const struct builtin *b = &builtins[i];
		struct master_service *s;

		if (master_cf_find(m, b->name, b->type) || !b->wanted(v) ||
		    is_disabled(v, b->name, type_names[b->type]))
			continue;
		s = service_for_program(v, b->name, b->type, b->program, true);
		if (!s)
			continue;
		list_append(services, &s->link);
		s->unprivileged = true;
		set_limits(v, s, -1);
		set_arguments(s, &none, master.verbose);
		listener_add_unix(s, b->is_private);
	}
}

bool
configuration_services(const struct conf *c, struct list *services, char **why)
{
	const struct conf_values *v = conf_values_of(c);
	struct master_cf *m = master_cf_open(master.directory, c, false, why);
	bool good = m != NULL;

	for (size_t i = 0; good && i < m->count; i++)
		good = add_entry(v, &m->entries[i], services, why);
	if (good)
		add_builtins(v, m, services);
	master_cf_free(&m);
	if (good)
		return true;
	list_for_each_safe (link, next, services) {
		struct master_service *s = LIST_ITEM(link, struct master_service, link);

		master_service_free(&s);
	}
	return false;
}
