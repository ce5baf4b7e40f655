/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Output. A value is shown as its words with one space between, in one line or, with -f, in
 * lines of at most 80 columns with four spaces in front. Services are shown in columns.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "postconf.h"

#define LINE_COLUMNS    80
#define SERVICE_COLUMNS 79
#define INDENT          "    "
#define OUTPUT_MAX      ((size_t)64 * 1024 * 1024)

static size_t
column_of(const struct buf *out)
{
	struct view text = buf_view(out);
	size_t newline = view_find_last(text, '\n');

	return newline == text.n ? text.n : text.n - newline - 1;
}

/* columns 0: no line ends */
static void
append_word(struct buf *out, struct view word, size_t columns)
{
	size_t column = column_of(out);

	if (columns > 0 && column > 0 && column + 1 + word.n > columns)
		buf_append_str(out, "\n" INDENT);
	else if (column > 0)
		buf_append_char(out, ' ');
	buf_append_view(out, word);
}

void
print_words(struct buf *out, const char *text, bool fold)
{
	struct view rest = view_of(text), word;

	while (view_next_word(&rest, " \t\r\n", &word))
		append_word(out, word, fold ? LINE_COLUMNS : 0);
}

static void
print_buf(struct buf *out)
{
	buf_append_char(out, '\n');
	fwrite(buf_str(out), 1, out->len, stdout);
	buf_done(out);
}

void
print_parameter(const struct postconf *p, const struct name *n, const char *text)
{
	struct buf out = BUF_INIT(OUTPUT_MAX), expanded = BUF_INIT(CONF_VALUE_MAX);
	char *why;

	if (p->expand && !(n->row && n->row->type == CONF_RAW)) {
		if (!conf_expand(p->conf, view_of(text), &expanded, &why))
			postconf_fatal("%s: %s", n->text, why);
		text = buf_str(&expanded);
	}
	if (!p->values_only)
		buf_append_str(&out, n->text);
	if (!p->values_only && !p->names_only)
		buf_append_str(&out, " =");
	if (!p->names_only)
		print_words(&out, text, p->fold);
	print_buf(&out);
	buf_done(&expanded);
}

static void
append_column(struct buf *out, size_t start, const char *text)
{
	if (start > 0)
		buf_append_char(out, ' ');
	while (out->len < start)
		buf_append_char(out, ' ');
	buf_append_str(out, text);
}

static const char *
flag_text(bool is_default, bool value)
{
	return is_default ? "-" : value ? "y" : "n";
}

static void
append_columns(struct buf *out, const struct master_entry *e)
{
	char number[32];

	append_column(out, 0, e->name);
	append_column(out, 11, master_type_name(e->type));
	append_column(out, 17, flag_text(e->is_private_default, e->is_private));
	append_column(out, 25, flag_text(e->is_unprivileged_default, e->is_unprivileged));
	append_column(out, 33, flag_text(e->is_chroot_default, e->is_chroot));
	snprintf(number, sizeof(number), "%d%s", e->wakeup, e->wakeup_if_used ? "?" : "");
	append_column(out, 41, e->is_wakeup_default ? "-" : number);
	snprintf(number, sizeof(number), "%d", e->max_processes);
	append_column(out, 49, e->max_processes < 0 ? "-" : number);
	append_column(out, 57, e->program);
}

/* A word with blanks in it needs its braces back. */
static struct view
braced(const char *word, struct buf *space)
{
	if (word[0] != '\0' && !strpbrk(word, " \t\r\n"))
		return view_of(word);
	buf_clear(space);
	buf_printf(space, "{%s}", word);
	return buf_view(space);
}

static void
append_option(struct buf *out, const struct master_option *o, bool fold, struct buf *space)
{
	char *text = mem_printf("%s=%s", o->name, o->value);

	buf_append_str(out, fold ? "\n" INDENT "-o " : " -o ");
	buf_append_view(out, braced(text, space));
	mem_free(text);
}

/* Options stand at their place among the words, in one form however they were written. */
static void
append_words(struct buf *out, const struct master_entry *e, bool fold)
{
	struct buf space = BUF_INIT(CONF_LINE_MAX + 2);
	size_t option = 0;
	bool was_option = false;

	for (size_t i = 0; i < e->word_count; i++) {
		const char *word = e->words[i];
		size_t n = strlen(word);
		bool has_o = option < e->option_count && n >= 2 && word[0] == '-' &&
		    strspn(word + 1, "vDo") > 0 && strchr(word, 'o');
		if (!has_o) {
			/* after an option a new line begins, wherever the last one ended */
			size_t columns = !fold ? 0 : was_option ? 1 : SERVICE_COLUMNS;
			append_word(out, braced(word, &space), columns);
			was_option = false;
			continue;
		}
		was_option = true;
		append_option(out, &e->options[option++], fold, &space);
		if (word[n - 1] == 'o' && strspn(word + 1, "vD") == n - 2)
			i++;
	}
	buf_done(&space);
}

static bool
is_match(const struct master_entry *e, const char *request)
{
	struct view text = view_of(request);
	size_t slash = view_find_last(text, '/');
	struct view name = view_sub(text, 0, slash);
	struct view type = slash < text.n ? view_sub(text, slash + 1, text.n) : VIEW("*");

	return (view_eq(name, VIEW("*")) || view_eq(name, view_of(e->name))) &&
	    (view_eq(type, VIEW("*")) || view_eq(type, view_of(master_type_name(e->type))));
}

static bool
print_matching(const struct postconf *p, const char *request)
{
	bool found = false;

	for (size_t i = 0; i < p->master->count; i++) {
		struct buf out = BUF_INIT(OUTPUT_MAX);
		const struct master_entry *e = &p->master->entries[i];
		if (!is_match(e, request))
			continue;
		found = true;
		append_columns(&out, e);
		append_words(&out, e, p->fold);
		print_buf(&out);
	}
	return found;
}

void
print_services(const struct postconf *p, char **requests)
{
	if (!*requests)
		print_matching(p, "*");
	for (; *requests; requests++)
		if (!print_matching(p, *requests))
			postconf_warn("unmatched request: \"%s\"", *requests);
}
