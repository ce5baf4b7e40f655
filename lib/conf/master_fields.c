/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The columns of one service: a table says how each is read. What follows the program name is
 * taken as getopt would: options first, the rest from the first word that is no option, so that
 * the -o of a command line in pipe's argv= stays with that command.
 */
#include "conf/master_fields.h"

#include <limits.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "conf/list.h"
#include "conf/name_value.h"

#define BLANKS " \t\r\n\v\f"

static const char *const type_names[] = {
	[MASTER_INET] = "inet",
	[MASTER_UNIX] = "unix",
	[MASTER_UNIX_DGRAM] = "unix-dgram",
	[MASTER_FIFO] = "fifo",
	[MASTER_PASS] = "pass",
};

const char *
master_type_name(enum master_type type)
{
	return type_names[type];
}

static bool
bad_field(const char *column, struct view text, const char *allowed, char **why)
{
	*why = mem_printf("invalid %s field \"%.*s\": must be %s", column,
	    (int)(text.n < 100 ? text.n : 100), text.n ? text.p : "", allowed);
	return false;
}

static bool
read_name(struct view text, struct master_entry *e, char **why)
{
	(void)why;
	e->name = mem_dup(text.p, text.n);
	return true;
}

static bool
read_type(struct view text, struct master_entry *e, char **why)
{
	for (size_t i = 0; i < ARRAY_LEN(type_names); i++)
		if (view_eq(text, view_of(type_names[i]))) {
			e->type = (enum master_type)i;
			return true;
		}
	return bad_field("type", text, "inet, unix, unix-dgram, fifo or pass", why);
}

/* value holds the default before; "-" leaves it. */
static bool
read_flag(const char *column, struct view text, bool *value, bool *is_default, char **why)
{
	*is_default = view_eq(text, VIEW("-"));
	if (view_eq(text, VIEW("y")))
		*value = true;
	else if (view_eq(text, VIEW("n")))
		*value = false;
	else if (!*is_default)
		return bad_field(column, text, "y, n or -", why);
	return true;
}

static bool
read_private(struct view text, struct master_entry *e, char **why)
{
	if (!read_flag("private", text, &e->is_private, &e->is_private_default, why))
		return false;
	if (e->type == MASTER_INET && e->is_private)
		return bad_field("private", text, "n, because an inet service is public", why);
	return true;
}

static bool
read_unprivileged(struct view text, struct master_entry *e, char **why)
{
	return read_flag(
	    "unprivileged", text, &e->is_unprivileged, &e->is_unprivileged_default, why);
}

static bool
read_chroot(struct view text, struct master_entry *e, char **why)
{
	return read_flag("chroot", text, &e->is_chroot, &e->is_chroot_default, why);
}

static bool
read_wakeup(struct view text, struct master_entry *e, char **why)
{
	struct view digits = text;
	uint64_t number;

	e->is_wakeup_default = view_eq(text, VIEW("-"));
	if (e->is_wakeup_default)
		return true;
	e->wakeup_if_used = view_has_suffix(text, VIEW("?"));
	if (e->wakeup_if_used)
		digits.n--;
	if (!number_parse(digits, INT_MAX, &number))
		return bad_field("wakeup", text, "seconds, seconds with ? behind, or -", why);
	e->wakeup = (int)number;
	return true;
}

static bool
read_max_processes(struct view text, struct master_entry *e, char **why)
{
	uint64_t number;

	if (view_eq(text, VIEW("-")))
		return true;
	if (!number_parse(text, INT_MAX, &number))
		return bad_field("process_limit", text, "a number, 0 for no limit, or -", why);
	e->max_processes = (int)number;
	return true;
}

static bool
read_program(struct view text, struct master_entry *e, char **why)
{
	if (view_find(text, '/') < text.n || text.p[0] == '.' || text.p[0] == '-')
		return bad_field(
		    "command", text, "the name of a program in daemon_directory", why);
	e->program = mem_dup(text.p, text.n);
	return true;
}

typedef bool read_fn(struct view text, struct master_entry *e, char **why);

static read_fn *const columns[] = { read_name, read_type, read_private, read_unprivileged,
	read_chroot, read_wakeup, read_max_processes, read_program };

static bool
is_port_char(char c)
{
	return char_is_alnum(c) || c == '-' || c == '_' || c == '.';
}

static bool
is_port(struct view text)
{
	uint64_t number;

	if (text.n == 0)
		return false;
	if (char_is_digit(text.p[0]))
		return number_parse(text, 65535, &number) && number > 0;
	for (size_t i = 0; i < text.n; i++)
		if (!is_port_char(text.p[i]))
			return false;
	return true;
}

/* port, :port, host:port, [address]:port */
static bool
split_host_port(struct master_entry *e, char **why)
{
	struct view name = view_of(e->name), host = VIEW(""), port = name;
	size_t colon = view_find_last(name, ':');
	bool ok = true;

	if (colon < name.n) {
		host = view_sub(name, 0, colon);
		port = view_sub(name, colon + 1, name.n);
		if (host.n > 0 && host.p[0] == '[') {
			ok = host.n > 2 && host.p[host.n - 1] == ']';
			host = ok ? view_sub(host, 1, host.n - 2) : host;
			if (view_has_prefix_nocase(host, VIEW("ipv6:")))
				host = view_sub(host, 5, host.n);
		} else {
			ok = view_find(host, ':') == host.n;
		}
	}
	if (!ok || !is_port(port))
		return bad_field("service name", name,
		    "port, :port, host:port or [address]:port for an inet service", why);
	e->host = mem_dup(host.p, host.n);
	e->port = mem_dup(port.p, port.n);
	return true;
}

/* The name becomes a path below the queue directory. */
static bool
check_name(struct master_entry *e, char **why)
{
	struct view rest = view_of(e->name), part;

	if (e->type == MASTER_INET)
		return split_host_port(e, why);
	e->host = mem_strdup("");
	e->port = mem_strdup("");
	bool ok = e->name[0] != '/' && strlen(e->name) < 80;
	while (view_next_word(&rest, "/", &part))
		ok = ok && part.p[0] != '.';
	return ok ||
	    bad_field("service name", view_of(e->name),
		"a short name below the queue directory", why);
}

static bool
add_option(struct master_entry *e, struct view text, char **why)
{
	struct view name, value;
	const char *problem;

	if (!name_value_parse(text, &name, &value, &problem)) {
		*why = mem_printf("%s in -o \"%.*s\": must be -o name=value or "
				  "-o { name = value }",
		    problem, (int)(text.n < 200 ? text.n : 200), text.p);
		return false;
	}
	e->options = mem_resize(e->options, e->option_count + 1, sizeof(*e->options));
	e->options[e->option_count++] =
	    (struct master_option){ mem_dup(name.p, name.n), mem_dup(value.p, value.n) };
	return true;
}

static void
add_string(char ***list, size_t *count, struct view text)
{
	*list = mem_resize(*list, *count + 2, sizeof(**list));
	(*list)[(*count)++] = mem_dup(text.p, text.n);
	(*list)[*count] = NULL;
}

/* The letters of one word such as -vv, -D or -vo; an unknown letter leaves it to the program.
 */
static bool
read_option_word(struct master_entry *e, struct view word, size_t *next, char **why)
{
	for (size_t i = 1; i < word.n; i++) {
		if (word.p[i] == 'v') {
			e->verbose++;
		} else if (word.p[i] == 'D') {
			e->debug = true;
		} else if (word.p[i] == 'o') {
			struct view text = view_sub(word, i + 1, word.n);
			if (text.n > 0)
				return add_option(e, text, why);
			if (*next >= e->word_count) {
				*why = mem_strdup("-o without name=value behind it");
				return false;
			}
			return add_option(e, view_of(e->words[(*next)++]), why);
		} else {
			add_string(&e->arguments, &e->argument_count, word);
			return true;
		}
	}
	return true;
}

static bool
read_words(struct master_entry *e, struct view rest, char **why)
{
	struct view word;
	size_t next = 0;

	while (view_next_braced(&rest, BLANKS, &word)) {
		if (word.p[0] == '{' && (word.n < 2 || word.p[word.n - 1] != '}')) {
			*why = mem_printf("missing '}' in \"%.*s\"",
			    (int)(word.n < 200 ? word.n : 200), word.p);
			return false;
		}
		add_string(&e->words, &e->word_count, conf_list_unbrace(word));
	}
	while (next < e->word_count) {
		struct view text = view_of(e->words[next]);
		if (text.n < 2 || text.p[0] != '-')
			break;
		next++;
		if (view_eq(text, VIEW("--")))
			break;
		if (!read_option_word(e, text, &next, why))
			return false;
	}
	for (; next < e->word_count; next++)
		add_string(&e->arguments, &e->argument_count, view_of(e->words[next]));
	return true;
}

bool
master_entry_parse(struct view line, bool chroot_default, struct master_entry *out, char **why)
{
	struct view word;

	*out = (struct master_entry){ .is_private = true,
		.is_unprivileged = true,
		.is_chroot = chroot_default,
		.max_processes = -1,
		.arguments = mem_zero(1, sizeof(char *)) };
	for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
		if (!view_next_word(&line, BLANKS, &word)) {
			*why = mem_printf("bad field count: %zu of the 8 columns name type "
					  "private unprivileged chroot wakeup maxproc command",
			    i);
			return false;
		}
		if (!columns[i](word, out, why))
			return false;
	}
	return check_name(out, why) && read_words(out, line, why);
}

static void
free_strings(char **list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		mem_free(list[i]);
	mem_free(list);
}

void
master_entry_done(struct master_entry *e)
{
	for (size_t i = 0; i < e->option_count; i++) {
		mem_free(e->options[i].name);
		mem_free(e->options[i].value);
	}
	mem_free(e->options);
	free_strings(e->arguments, e->argument_count);
	free_strings(e->words, e->word_count);
	mem_free(e->name);
	mem_free(e->program);
	mem_free(e->host);
	mem_free(e->port);
	*e = (struct master_entry){ 0 };
}
