/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a bounce template file: lines are taken one by one; what stands between "name =
 * <<EOF" and "EOF" is one template, header lines first. Nothing is expanded here.
 */
#include "conf/bounce_template.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

#include "base/escape.h"
#include "base/file.h"
#include "base/mem.h"

#define LINE_MAX_ 990 /* of a text line: RFC 5322 allows 998 bytes */

struct reader {
	struct bounce_templates *templates;
	const char *file_name;
	struct view rest;
	size_t line; /* number of the one that was read last */
	bounce_template_warn_fn *warn;
	void *context;
};

static void complain(struct reader *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
complain(struct reader *r, const char *format, ...)
{
	struct buf text = BUF_INIT(2000);
	va_list ap;

	buf_printf(&text, "%s, line %zu: ", r->file_name, r->line);
	va_start(ap, format);
	buf_vprintf(&text, format, ap);
	va_end(ap);
	r->warn(buf_str(&text), r->context);
	buf_done(&text);
}

/* About the template that began in that line. */
static void
complain_at(struct reader *r, size_t line, const char *problem, struct view name)
{
	size_t now = r->line;

	r->line = line;
	complain(r, "%s in %.*s -- ignoring this template", problem, VIEW_ARG(name));
	r->line = now;
}

/* The next line without its end; a CR before it does not count. */
static bool
next_line(struct reader *r, struct view *line)
{
	size_t n = view_find(r->rest, '\n');

	if (r->rest.n == 0)
		return false;
	*line = view_sub(r->rest, 0, n);
	r->rest = view_sub(r->rest, n + 1, r->rest.n);
	if (line->n && line->p[line->n - 1] == '\r')
		line->n--;
	r->line++;
	return true;
}

/* ---- one template ---- */

struct field {
	const char *label;
	size_t offset;
};

static const struct field fields[] = {
	{ "Charset", offsetof(struct bounce_template, charset) },
	{ "From", offsetof(struct bounce_template, from) },
	{ "Subject", offsetof(struct bounce_template, subject) },
	{ "Postmaster-Subject", offsetof(struct bounce_template, postmaster_subject) },
};

static bool
is_printable(struct view v)
{
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] < ' ' || v.p[i] > '~')
			return false;
	return true;
}

static bool
is_token(struct view v)
{
	for (size_t i = 0; i < v.n; i++)
		if (!char_is_alnum(v.p[i]) && !memchr("-_.:+", v.p[i], 5))
			return false;
	return v.n > 0;
}

/* A line "Label: value"; false when it is the first of the text. */
static bool
split_header(struct view line, struct view *label, struct view *value)
{
	size_t colon = view_find(line, ':');

	*label = view_sub(line, 0, colon);
	*value = view_trim(view_sub(line, colon + 1, line.n));
	for (size_t i = 0; i < label->n; i++)
		if (!char_is_alnum(label->p[i]) && label->p[i] != '-')
			return false;
	return colon > 0 && colon < line.n;
}

static const char *
header_problem(struct bounce_template *t, struct view label, struct view value)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		if (!view_eq_nocase(label, view_of(fields[i].label)))
			continue;
		if (value.n == 0)
			return "empty header value";
		if (!is_printable(value) || value.n > LINE_MAX_)
			return "a header value must be of ASCII characters, on one line";
		if (i == 0 && !is_token(value))
			return "no name of a character set";
		memcpy((char *)t + fields[i].offset, &value, sizeof(value));
		return NULL;
	}
	return "unknown header label";
}

static const char *
text_problem(const struct bounce_template *t)
{
	struct view rest = t->text, line;

	if (view_trim(t->text).n == 0)
		return "missing message text";
	if (memchr(t->text.p, '\0', t->text.n))
		return "NUL in the text";
	if (t->is_8bit && view_eq_nocase(t->charset, VIEW("us-ascii")))
		return "8-bit text needs a Charset other than us-ascii";
	if (view_eq_nocase(t->charset, VIEW("utf-8")) && !utf8_is_valid(t->text))
		return "the text is not the UTF-8 that its Charset says";
	while (view_next_word(&rest, "\n", &line))
		if (line.n > LINE_MAX_)
			return "a line of the text is too long";
	return NULL;
}

/* From the line behind "<<EOF" to the one before "EOF". *ok: it may be used. */
static bool
read_headers(
    struct reader *r, struct view marker, struct bounce_template *t, struct buf *text, bool *ok)
{
	struct view line, label, value;

	while (next_line(r, &line)) {
		const char *problem;

		if (view_eq(line, marker))
			return false;
		if (!split_header(line, &label, &value)) {
			buf_append_view(text, line);
			if (line.n)
				buf_append_char(text, '\n');
			return true;
		}
		problem = header_problem(t, label, value);
		if (problem) {
			complain(r, "%s: \"%.*s\" -- ignoring this template", problem,
			    VIEW_ARG(view_sub(label, 0, 100)));
			*ok = false;
		}
	}
	return true;
}

static void
read_template(struct reader *r, struct view name, struct view marker, struct bounce_template *t)
{
	struct buf text = BUF_INIT(BOUNCE_TEMPLATE_FILE_MAX + 1);
	struct bounce_template made = t ? *t : (struct bounce_template){ .name = "" };
	size_t start = r->line;
	const char *problem;
	bool ok = t != NULL, ended;
	struct view line;

	ended = !read_headers(r, marker, &made, &text, &ok);
	while (!ended && next_line(r, &line)) {
		ended = view_eq(line, marker);
		if (!ended) {
			buf_append_view(&text, line);
			buf_append_char(&text, '\n');
		}
	}
	if (!ended)
		complain(r, "missing \"%.*s\" end marker", VIEW_ARG(marker));
	made.text = buf_view(&text);
	made.is_8bit = !ascii_is_all(made.text);
	problem = ok ? text_problem(&made) : NULL;
	if (problem) {
		complain_at(r, start, problem, name);
		ok = false;
	}
	if (ok) {
		made.text = arena_view(&r->templates->arena, made.text);
		*t = made;
	}
	buf_done(&text);
}

/* ---- the file ---- */

static struct bounce_template *
template_named(struct bounce_templates *t, struct view name)
{
	static const struct view suffix = { "_template", 9 };

	for (size_t i = 0; i < BOUNCE_TEMPLATE_KINDS; i++)
		if (view_has_suffix(name, suffix) &&
		    view_eq(view_sub(name, 0, name.n - suffix.n), view_of(t->of[i].name)))
			return &t->of[i];
	return NULL;
}

/* "name = <<EOF" */
static bool
split_start(struct view line, struct view *name, struct view *marker)
{
	size_t equals = view_find(line, '=');
	struct view behind = view_trim(view_sub(line, equals + 1, line.n));

	*name = view_trim(view_sub(line, 0, equals));
	*marker = view_trim(view_sub(behind, 2, behind.n));
	return name->n && view_has_prefix(behind, VIEW("<<")) && is_token(*marker);
}

void
bounce_templates_parse(struct bounce_templates *t, const char *file_name, struct view contents,
    bounce_template_warn_fn *warn, void *context)
{
	struct reader r = { t, file_name, contents, 0, warn, context };
	struct view line, name, marker;
	struct bounce_template *found;

	*t = (struct bounce_templates){ .arena = ARENA_INIT };
	for (size_t i = 0; i < BOUNCE_TEMPLATE_KINDS; i++)
		t->of[i] = *bounce_template_builtin((enum bounce_template_kind)i);
	r.rest = arena_view(&t->arena, contents);
	while (next_line(&r, &line)) {
		line = view_trim(line);
		if (line.n == 0 || line.p[0] == '#')
			continue;
		if (!split_start(line, &name, &marker)) {
			complain(&r, "expected \"name = <<EOF\" and not \"%.*s\"",
			    VIEW_ARG(view_sub(line, 0, 100)));
			continue;
		}
		found = template_named(t, name);
		if (!found)
			complain(&r, "unknown template name: %.*s -- ignoring this template",
			    VIEW_ARG(view_sub(name, 0, 100)));
		read_template(&r, name, marker, found);
	}
}

void
bounce_templates_open(
    struct bounce_templates *t, const char *path, bounce_template_warn_fn *warn, void *context)
{
	struct buf contents = BUF_INIT(BOUNCE_TEMPLATE_FILE_MAX), text = BUF_INIT(2000);

	if (path && *path && !file_read_at(AT_FDCWD, path, &contents)) {
		buf_printf(&text, "bounce_template_file %s: %s: the built-in texts are used",
		    path, strerror(errno));
		warn(buf_str(&text), context);
		buf_clear(&contents);
	}
	bounce_templates_parse(t, path ? path : "", buf_view(&contents), warn, context);
	buf_done(&contents);
	buf_done(&text);
}

void
bounce_templates_done(struct bounce_templates *t)
{
	arena_reset(&t->arena);
}
