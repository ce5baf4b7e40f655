/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The raw settings: main.cf is read line by line into a list in file order and a map by name,
 * nothing is expanded. A later line replaces an earlier one in place, an option of master.cf
 * replaces both. What a name means when nobody has set it is the default in its row.
 */
#include "conf/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/build_paths.h"
#include "conf/conf_private.h"
#include "conf/logical_line.h"
#include "conf/name_value.h"

#define FILE_MAX ((size_t)64 * 1024 * 1024)

static struct conf *
conf_new(const char *directory, const char *file_name, bool quiet)
{
	struct conf *c = NEW(struct conf);

	c->directory = mem_strdup(directory);
	c->file_name = mem_strdup(file_name);
	c->by_name = hash_new();
	c->computed = NEW(struct conf_computed);
	c->quiet = quiet;
	return c;
}

void
conf_free(struct conf **cp)
{
	struct conf *c = *cp;

	if (!c)
		return;
	*cp = NULL;
	for (size_t i = 0; i < c->count; i++) {
		mem_free(c->settings[i]->name);
		mem_free(c->settings[i]->value);
		mem_free(c->settings[i]);
	}
	for (size_t i = 0; i < c->warning_count; i++)
		mem_free(c->warnings[i]);
	mem_free(c->settings);
	mem_free(c->warnings);
	hash_free(&c->by_name, NULL);
	conf_computed_forget(c->computed);
	mem_free(c->computed);
	arena_reset(&c->strings);
	mem_free(c->directory);
	mem_free(c->file_name);
	mem_free(c);
}

void
conf_warn(struct conf *c, const char *format, ...)
{
	struct buf text = BUF_INIT(CONF_LINE_MAX);
	va_list ap;

	va_start(ap, format);
	buf_vprintf(&text, format, ap);
	va_end(ap);
	if (!c->quiet)
		log_warn("%s", buf_str(&text));
	c->warnings = mem_resize(c->warnings, c->warning_count + 1, sizeof(*c->warnings));
	c->warnings[c->warning_count++] = buf_steal(&text);
}

/* Returns the value that was there before (the caller frees), or NULL. */
static char *
store(struct conf *c, struct view name, struct view value, unsigned line)
{
	struct conf_setting *s = hash_find(c->by_name, name);
	char *before = NULL;

	if (s) {
		before = s->value;
	} else {
		s = NEW(struct conf_setting);
		s->name = mem_dup(name.p, name.n);
		c->settings = mem_resize(c->settings, c->count + 1, sizeof(*c->settings));
		c->settings[c->count++] = s;
		hash_put(c->by_name, name, s);
	}
	s->value = mem_dup(value.p, value.n);
	s->line = line;
	return before;
}

static bool
parse_setting(struct conf *c, struct view line, unsigned number, char **why)
{
	const char *problem;
	struct view name, value;

	if (!name_value_parse(line, &name, &value, &problem)) {
		*why = mem_printf("%s, line %u: %s: \"%.*s\"", c->file_name, number, problem,
		    (int)(line.n < 200 ? line.n : 200), line.p);
		return false;
	}
	char *before = store(c, name, value, number);
	if (before && !view_eq(view_of(before), value))
		conf_warn(c, "%s, line %u: overriding earlier entry: %.*s=%s", c->file_name,
		    number, VIEW_ARG(name), before);
	mem_free(before);
	return true;
}

static bool
parse_text(struct conf *c, struct view text, char **why)
{
	struct logical_line lines;
	struct buf line = BUF_INIT(CONF_LINE_MAX);
	bool ok = true;

	logical_line_init(&lines, text);
	for (bool more = true; more && ok;) {
		switch (logical_line_next(&lines, &line)) {
		case LOGICAL_LINE_OK:
			ok = parse_setting(c, buf_view(&line), lines.first, why);
			break;
		case LOGICAL_LINE_BLANK_START:
			conf_warn(c,
			    "%s, line %u: logical line must not start with whitespace: "
			    "\"%.30s\"",
			    c->file_name, lines.first, buf_str(&line));
			break;
		case LOGICAL_LINE_NUL:
			*why = mem_printf(
			    "%s, line %u: null byte in the file", c->file_name, lines.first);
			ok = false;
			break;
		case LOGICAL_LINE_LONG:
			*why = mem_printf("%s, line %u: logical line of more than %d bytes",
			    c->file_name, lines.first, CONF_LINE_MAX);
			ok = false;
			break;
		case LOGICAL_LINE_END:
			more = false;
			break;
		}
	}
	buf_done(&line);
	return ok;
}

const char *
conf_default_directory(void)
{
	const char *dir = getenv("MAIL_CONFIG");

	return dir && dir[0] == '/' ? dir : POSTERN_CONFIG_DIR;
}

struct conf *
conf_open(const char *dir, bool quiet, char **why)
{
	char *path = mem_printf("%s/main.cf", dir);
	struct buf text = BUF_INIT(FILE_MAX);
	struct conf *c = NULL;

	if (!file_read_at(AT_FDCWD, path, &text)) {
		*why = mem_printf("open %s: %s", path, strerror(errno));
	} else {
		c = conf_new(dir, path, quiet);
		if (!parse_text(c, buf_view(&text), why))
			conf_free(&c);
	}
	if (c && strcmp(dir, POSTERN_CONFIG_DIR) != 0)
		conf_set(c, "config_directory", dir);
	buf_done(&text);
	mem_free(path);
	return c;
}

struct conf *
conf_open_text(const char *file_name, struct view text, bool quiet, char **why)
{
	struct conf *c = conf_new("", file_name, quiet);

	if (!parse_text(c, text, why))
		conf_free(&c);
	return c;
}

const char *
conf_directory(const struct conf *c)
{
	return c->directory;
}

void
conf_set(struct conf *c, const char *name, const char *value)
{
	mem_free(store(c, view_of(name), view_of(value), 0));
	conf_computed_forget(c->computed);
}

const char *
conf_text(const struct conf *c, const char *name, bool *is_default)
{
	const struct conf_setting *s = hash_find(c->by_name, view_of(name));

	if (is_default)
		*is_default = !s;
	if (s)
		return s->value;
	const struct conf_parameter *p = conf_parameter_find(name);
	if (!p)
		return NULL;
	const char *computed = conf_computed(c, p);
	return computed ? computed : p->default_text;
}

void
conf_where(const struct conf *c, const char *name, struct buf *out)
{
	const struct conf_setting *s = hash_find(c->by_name, view_of(name));

	if (!s)
		buf_append_str(out, "default");
	else if (s->line == 0)
		buf_append_str(out, "-o option");
	else
		buf_printf(out, "%s, line %u", c->file_name, s->line);
}

size_t
conf_warning_count(const struct conf *c)
{
	return c->warning_count;
}

const char *
conf_warning(const struct conf *c, size_t index)
{
	return c->warnings[index];
}

size_t
conf_set_count(const struct conf *c)
{
	return c->count;
}

const char *
conf_set_name(const struct conf *c, size_t index)
{
	return c->settings[index]->name;
}
