/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Table sources line by line, as postmap(1) and aliases(5) describe them. A line that starts
 * with white space continues the entry above it; empty lines and lines whose first character
 * that is not white space is '#' do not count, also in the middle of an entry. The line ends
 * inside an entry are dropped, the white space at the start of a continuation line stays.
 */
#include "table/aliases.h"

#define ENTRY_MAX ((size_t)1024 * 1024) /* bytes of one entry */

void
source_lines_init(struct source_lines *s, struct view text)
{
	s->rest = text;
	s->line = 0;
	s->next_line = 1;
	buf_init(&s->text, ENTRY_MAX);
}

void
source_lines_done(struct source_lines *s)
{
	buf_done(&s->text);
}

static struct view
line_at(struct view rest)
{
	return view_sub(rest, 0, view_find(rest, '\n'));
}

static bool
line_counts(struct view line)
{
	line = view_trim(line);
	return line.n > 0 && line.p[0] != '#';
}

static void
line_skip(struct source_lines *s, struct view line)
{
	s->rest = view_sub(s->rest, line.n + 1, s->rest.n);
	s->next_line++;
}

static void
line_append(struct source_lines *s, struct view line)
{
	while (line.n > 0 && char_is_blank(line.p[line.n - 1]))
		line.n--;
	buf_append_view(&s->text, line);
	line_skip(s, line_at(s->rest));
}

bool
source_lines_next(struct source_lines *s)
{
	struct view line;

	buf_clear(&s->text);
	while (s->rest.n > 0) {
		line = line_at(s->rest);
		if (!line_counts(line)) {
			line_skip(s, line);
			continue;
		}
		if (s->text.len > 0 && !char_is_blank(line.p[0]))
			break;
		if (s->text.len == 0)
			s->line = s->next_line;
		line_append(s, line);
	}
	return s->text.len > 0 || s->text.overflow;
}

bool
map_entry_parse(struct view entry, struct view *key, struct view *value, const char **why)
{
	size_t n = 0;
	bool quoted = false;

	if (entry.n > 0 && char_is_blank(entry.p[0])) {
		*why = "logical line must not start with whitespace";
		return false;
	}
	/* Blanks inside "quotes" belong to the key: "john smith"@example.com */
	for (; n < entry.n && (quoted || !char_is_blank(entry.p[n])); n++) {
		if (entry.p[n] == '"')
			quoted = !quoted;
		else if (entry.p[n] == '\\' && n + 1 < entry.n)
			n++;
	}
	*key = view_sub(entry, 0, n);
	*value = view_trim(view_sub(entry, n, entry.n));
	if (quoted) {
		*why = "unmatched quote in the key";
		return false;
	}
	if (key->n == 0 || value->n == 0) {
		*why = "expected format: key whitespace value";
		return false;
	}
	return true;
}
