/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postmap and postalias: build indexed tables, ask any table, list, add to and remove from LMDB
 * tables. newaliases, the third name of this program, builds all tables of alias_database.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "table/lmdb_table.h"
#include "table/table.h"
#include "tools/map_build.h"

#define KEYS_MAX ((size_t)10 * 1000 * 1000) /* read from standard input */

struct postmap {
	const char *name; /* "postmap" or "postalias" */
	const char *directory;
	const char *query;  /* -q */
	const char *remove; /* -d */
	bool list;          /* -s */
	bool json;          /* -j */
	struct map_options options;
	struct conf *conf;
};

static void
usage(const struct postmap *p)
{
	log_fatal("usage: %s [-NfijnoprsuUvw] [-c directory] [-d key] [-q key] "
		  "[type:]file...",
	    p->name);
}

static void
letter_apply(struct postmap *p, int letter)
{
	switch (letter) {
	case 'c':
		p->directory = optarg;
		break;
	case 'd':
		p->remove = optarg;
		break;
	case 'f':
		p->options.keep_case = true;
		break;
	case 'i':
		p->options.incremental = true;
		break;
	case 'j':
		p->json = true;
		break;
	case 'n':
		p->options.without_nul = true;
		break;
	case 'N':
		p->options.without_nul = false;
		break;
	case 'o':
		p->options.keep_root = true;
		break;
	case 'p':
		p->options.default_mode = true;
		break;
	case 'q':
		p->query = optarg;
		break;
	case 'r':
		p->options.replace = true;
		break;
	case 's':
		p->list = true;
		break;
	case 'w':
		p->options.ignore_duplicates = true;
		break;
	case 'u':
	case 'U':
	case 'v':
		break;
	case 'b':
	case 'h':
	case 'm':
	case 'F':
		log_fatal("option -%c is not supported yet", letter);
	default:
		usage(p);
	}
}

static void
configuration_open(struct postmap *p)
{
	const char *directory = p->directory;
	char *why = NULL;

	if (directory == NULL)
		directory = getenv("MAIL_CONFIG");
	if (directory == NULL)
		directory = conf_parameter_find("config_directory")->default_text;
	p->conf = conf_open(directory, true, &why);
	if (p->conf == NULL || !conf_evaluate(p->conf, &why))
		log_fatal("%s", why);
	p->options.map_size = (size_t)conf_values_of(p->conf)->lmdb_map_size;
}

/* "type:name"; a name alone has the default type. The caller frees. */
static char *
full_name(const struct postmap *p, const char *argument)
{
	if (strchr(argument, ':') != NULL)
		return mem_strdup(argument);
	return mem_printf("%s:%s", conf_values_of(p->conf)->default_database_type, argument);
}

static bool
print_entry(struct view key, struct view value, void *context)
{
	const struct postmap *p = context;
	struct buf out = BUF_INIT(SIZE_MAX / 2);

	if (p->json) {
		buf_append_str(&out, "{\"");
		escape_json(&out, key);
		buf_append_str(&out, "\": \"");
		escape_json(&out, value);
		buf_append_str(&out, "\"}\n");
	} else {
		buf_append_view(&out, key);
		buf_append_str(&out, p->options.source == MAP_SOURCE_ALIASES ? ":\t" : "\t");
		buf_append_view(&out, value);
		buf_append_char(&out, '\n');
	}
	fwrite(out.data, 1, out.len, stdout);
	buf_done(&out);
	return true;
}

static bool
list_table(struct postmap *p, const char *argument)
{
	char *path = map_path(argument, p->conf), *file;
	struct lmdb_table *t;
	const char *why = "";
	bool ok;

	if (path == NULL)
		return false;
	file = mem_printf("%s.lmdb", path);
	t = lmdb_table_open(file, &why);
	ok = t != NULL && lmdb_table_each(t, print_entry, p, &why);
	if (!ok)
		log_error("open database %s: %s", file, why);
	lmdb_table_close(&t);
	mem_free(file);
	mem_free(path);
	return ok;
}

/* The first table that has the key answers. */
static bool
ask(struct postmap *p, struct table **tables, size_t count, struct view key, bool with_key)
{
	struct buf value = BUF_INIT(TABLE_VALUE_MAX);
	enum table_result result = TABLE_NOT_FOUND;
	const char *why = "";

	for (size_t i = 0; i < count && result == TABLE_NOT_FOUND; i++) {
		if (p->options.keep_case)
			result = table_find_unfolded(tables[i], key, &value, &why);
		else
			result = table_find(tables[i], key, &value, &why);
		if (result == TABLE_CANNOT_TELL)
			log_fatal("table %s: query error: %s", table_name(tables[i]), why);
	}
	if (result == TABLE_FOUND && (with_key || p->json))
		print_entry(key, buf_view(&value), p);
	else if (result == TABLE_FOUND)
		printf("%s\n", buf_str(&value));
	buf_done(&value);
	return result == TABLE_FOUND;
}

/* Lines of standard input without their ends; freed by lines_free. */
static char **
lines_read(size_t *count)
{
	char **lines = NULL, *line = NULL;
	size_t size = 0;
	ssize_t n;

	*count = 0;
	while (*count < KEYS_MAX && (n = getline(&line, &size, stdin)) >= 0) {
		if (n > 0 && line[n - 1] == '\n')
			n--;
		if ((*count & (*count - 1)) == 0)
			lines = mem_resize(lines, *count == 0 ? 1 : 2 * *count, sizeof(*lines));
		lines[(*count)++] = mem_dup(line, (size_t)n);
	}
	free(line);
	return lines;
}

static void
lines_free(char **lines, size_t count)
{
	for (size_t i = 0; i < count; i++)
		mem_free(lines[i]);
	mem_free(lines);
}

static bool
query(struct postmap *p, char **arguments, size_t count)
{
	struct table **tables = mem_zero(count, sizeof(*tables));
	bool found = false;

	for (size_t i = 0; i < count; i++) {
		char *name = full_name(p, arguments[i]);

		tables[i] = table_open(name, p->conf);
		mem_free(name);
	}
	if (strcmp(p->query, "-") == 0) {
		size_t line_count;
		char **lines = lines_read(&line_count);

		for (size_t i = 0; i < line_count; i++)
			found = ask(p, tables, count, view_of(lines[i]), true) || found;
		lines_free(lines, line_count);
	} else {
		found = ask(p, tables, count, view_of(p->query), false);
	}
	for (size_t i = 0; i < count; i++)
		table_free(&tables[i]);
	mem_free(tables);
	return found;
}

/* True when a key was removed from a table. */
static bool
remove_keys(struct postmap *p, char **arguments, size_t count)
{
	size_t key_count = 1, found = 0, total = 0;
	char **lines = NULL;
	bool ok = true;

	if (strcmp(p->remove, "-") == 0)
		lines = lines_read(&key_count);
	for (size_t i = 0; ok && i < count; i++) {
		char *path = map_path(arguments[i], p->conf);

		found = 0;
		ok = path != NULL &&
		    map_delete(path, &p->options,
			lines != NULL ? (const char *const *)lines : &p->remove, key_count,
			&found);
		total += found;
		mem_free(path);
	}
	if (lines != NULL)
		lines_free(lines, key_count);
	return ok && total > 0;
}

static bool
build(struct postmap *p, char **arguments, size_t count)
{
	bool ok = true;

	for (size_t i = 0; i < count; i++) {
		char *path = map_path(arguments[i], p->conf);

		ok = path != NULL && map_build(path, &p->options) && ok;
		mem_free(path);
	}
	return ok;
}

static bool
run(struct postmap *p, char **arguments, size_t count)
{
	bool ok = true;

	if (strcmp(p->name, "newaliases") == 0)
		return map_build_aliases(p->conf);
	if (count == 0 || (p->query != NULL) + (p->remove != NULL) + p->list > 1)
		usage(p);
	if (p->query != NULL)
		return query(p, arguments, count);
	if (p->remove != NULL)
		return remove_keys(p, arguments, count);
	if (!p->list)
		return build(p, arguments, count);
	for (size_t i = 0; i < count; i++)
		ok = list_table(p, arguments[i]) && ok;
	return ok;
}

int
main(int argc, char **argv)
{
	struct postmap p = { .name = "postmap" };
	const char *slash = strrchr(argv[0], '/');
	int letter;
	bool ok;

	p.name = slash != NULL ? slash + 1 : argv[0];
	if (strcmp(p.name, "postmap") != 0)
		p.options.source = MAP_SOURCE_ALIASES;
	log_set_tag(p.name);
	while ((letter = getopt(argc, argv, "bc:d:fFhijmnNopq:rsuUvw")) != -1)
		letter_apply(&p, letter);
	configuration_open(&p);
	table_set_direct(true);
	ok = run(&p, argv + optind, (size_t)(argc - optind));
	if (fflush(stdout) != 0)
		log_fatal("write error on standard output");
	conf_free(&p.conf);
	return ok ? 0 : 1;
}
