/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file: logical lines into entries in file order. The second of two entries with one name
 * and type takes the place of the first. "-" in the chroot column means yes for configurations
 * that still follow the defaults before Postfix 3.0 (compatibility_level below 1).
 */
#include "conf/master_cf.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/expand_compare.h"
#include "conf/logical_line.h"
#include "conf/master_fields.h"

#define FILE_MAX ((size_t)16 * 1024 * 1024)

static bool
chroot_by_default(const struct conf *c)
{
	struct buf level = BUF_INIT(1000);
	unsigned parts[3] = { 0 };
	char *why = NULL;

	if (c && conf_expand(c, VIEW("$compatibility_level"), &level, &why))
		compatibility_level_parse(buf_view(&level), parts);
	mem_free(why);
	buf_done(&level);
	return parts[0] < 1;
}

static void
warn(struct master_cf *m, bool quiet, char *text)
{
	if (!quiet)
		log_warn("%s", text);
	m->warnings = mem_resize(m->warnings, m->warning_count + 1, sizeof(*m->warnings));
	m->warnings[m->warning_count++] = text;
}

static struct master_entry *
find(const struct master_cf *m, const char *name, enum master_type type)
{
	for (size_t i = 0; i < m->count; i++)
		if (m->entries[i].type == type && strcmp(m->entries[i].name, name) == 0)
			return &m->entries[i];
	return NULL;
}

static void
add(struct master_cf *m, const char *file_name, bool quiet, struct master_entry *e)
{
	struct master_entry *before = find(m, e->name, e->type);

	if (before) {
		warn(m, quiet,
		    mem_printf("%s, line %u: overriding earlier entry of line %u: %s/%s",
			file_name, e->line, before->line, e->name, master_type_name(e->type)));
		master_entry_done(before);
		*before = *e;
		return;
	}
	m->entries = mem_resize(m->entries, m->count + 1, sizeof(*m->entries));
	m->entries[m->count++] = *e;
}

static bool
parse_entry(struct master_cf *m, const char *file_name, struct view line, unsigned number,
    bool chroot_default, bool quiet, char **why)
{
	struct master_entry e;
	char *problem;

	if (!master_entry_parse(line, chroot_default, &e, &problem)) {
		*why = mem_printf("%s, line %u: %s", file_name, number, problem);
		mem_free(problem);
		master_entry_done(&e);
		return false;
	}
	e.line = number;
	add(m, file_name, quiet, &e);
	return true;
}

struct master_cf *
master_cf_parse(
    const char *file_name, struct view text, const struct conf *c, bool quiet, char **why)
{
	struct master_cf *m = NEW(struct master_cf);
	struct logical_line lines;
	struct buf line = BUF_INIT(CONF_LINE_MAX);
	enum logical_line_result result;
	bool ok = true, chroot_default = chroot_by_default(c);

	logical_line_init(&lines, text);
	while (ok && (result = logical_line_next(&lines, &line)) != LOGICAL_LINE_END) {
		if (result == LOGICAL_LINE_OK) {
			ok = parse_entry(m, file_name, buf_view(&line), lines.first,
			    chroot_default, quiet, why);
		} else if (result == LOGICAL_LINE_BLANK_START) {
			warn(m, quiet,
			    mem_printf("%s, line %u: logical line must not start with "
				       "whitespace: \"%.30s\"",
				file_name, lines.first, buf_str(&line)));
		} else {
			*why = mem_printf("%s, line %u: %s", file_name, lines.first,
			    result == LOGICAL_LINE_NUL ? "null byte in the file"
						       : "line too long");
			ok = false;
		}
	}
	buf_done(&line);
	if (!ok)
		master_cf_free(&m);
	return m;
}

struct master_cf *
master_cf_open(const char *dir, const struct conf *c, bool quiet, char **why)
{
	char *path = mem_printf("%s/master.cf", dir);
	struct buf text = BUF_INIT(FILE_MAX);
	struct master_cf *m = NULL;

	if (file_read_at(AT_FDCWD, path, &text))
		m = master_cf_parse(path, buf_view(&text), c, quiet, why);
	else
		*why = mem_printf("open %s: %s", path, strerror(errno));
	buf_done(&text);
	mem_free(path);
	return m;
}

void
master_cf_free(struct master_cf **mp)
{
	struct master_cf *m = *mp;

	if (!m)
		return;
	*mp = NULL;
	for (size_t i = 0; i < m->count; i++)
		master_entry_done(&m->entries[i]);
	for (size_t i = 0; i < m->warning_count; i++)
		mem_free(m->warnings[i]);
	mem_free(m->entries);
	mem_free(m->warnings);
	mem_free(m);
}

const struct master_entry *
master_cf_find(const struct master_cf *m, const char *name, enum master_type type)
{
	return find(m, name, type);
}
