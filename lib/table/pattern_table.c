/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules are compiled once, when the table is opened. A rule that cannot be compiled is skipped
 * with a warning, as Postfix does; a broken if or endif makes the whole table unusable, because
 * the rules behind it would apply where nobody wanted them. if remembers where its endif is, so
 * a block that does not apply is jumped over and nothing recurses.
 */
#include "table/pattern_table.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/number.h"
#include "table/aliases.h"

#define FILE_MAX    ((size_t)64 * 1024 * 1024)
#define NESTING_MAX 100

enum rule_kind { RULE_MATCH, RULE_IF, RULE_ENDIF };

struct rule {
	enum rule_kind kind;
	bool negated;
	void *pattern; /* NULL for endif */
	char *value;   /* of RULE_MATCH, with $n */
	size_t end;    /* of RULE_IF: index of its endif */
	unsigned line;
};

struct pattern_table {
	const struct pattern_engine *engine;
	char *path;
	struct rule *rules;
	size_t count;
	struct pattern_match match; /* of the rule in hand */
};

/* While the file is read. */
struct reader {
	struct pattern_table *table;
	struct table_error *error;
	unsigned line;
	size_t open[NESTING_MAX]; /* indexes of if without endif yet */
	size_t depth;
};

bool
pattern_delimited(struct view *rest, struct view *text, struct view *flags)
{
	struct view v = *rest;
	size_t end, n;

	if (v.n < 2 || char_is_alnum(v.p[0]) || char_is_blank(v.p[0]) || v.p[0] == '\\')
		return false;
	for (end = 1; end < v.n && v.p[end] != v.p[0]; end++) {
		if (v.p[end] == '\\')
			end++;
	}
	if (end >= v.n)
		return false;
	*text = view_sub(v, 1, end - 1);
	for (n = end + 1; n < v.n && !char_is_blank(v.p[n]);)
		n++;
	*flags = view_sub(v, end + 1, n - end - 1);
	*rest = view_sub(v, n, v.n);
	return true;
}

static struct rule *
rule_add(struct reader *r, enum rule_kind kind)
{
	struct pattern_table *t = r->table;
	struct rule *rule;

	if ((t->count & (t->count - 1)) == 0)
		t->rules =
		    mem_resize(t->rules, t->count == 0 ? 1 : 2 * t->count, sizeof(*rule));
	rule = &t->rules[t->count++];
	*rule = (struct rule){ .kind = kind, .line = r->line };
	return rule;
}

/*
 * One $ form at the front of text: the number of bytes it takes, 0 when malformed. *group is -1
 * for "$$".
 */
static size_t
dollar_take(struct view text, int *group)
{
	char close = text.n > 1 ? text.p[1] : '\0';
	size_t from = 1, n = 0;
	uint64_t number;

	if (close == '$') {
		*group = -1;
		return 2;
	}
	close = close == '{' ? '}' : close == '(' ? ')' : '\0';
	if (close != '\0')
		from = 2;
	while (from + n < text.n && char_is_digit(text.p[from + n]))
		n++;
	if (!number_parse(view_sub(text, from, n), PATTERN_GROUPS - 1, &number) || number == 0)
		return 0;
	if (close != '\0' && (from + n >= text.n || text.p[from + n] != close))
		return 0;
	*group = (int)number;
	return from + n + (close != '\0' ? 1 : 0);
}

/* Appends the value with $n replaced, or only checks it when match is NULL. */
static bool
value_expand(
    struct view text, const struct pattern_match *match, size_t groups, struct buf *out)
{
	size_t n;
	int group;

	while (text.n > 0) {
		n = view_find(text, '$');
		if (out != NULL)
			buf_append(out, text.p, n);
		text = view_sub(text, n, text.n);
		if (text.n == 0)
			break;
		n = dollar_take(text, &group);
		if (n == 0 || (group > 0 && (size_t)group > groups))
			return false;
		text = view_sub(text, n, text.n);
		if (out != NULL && group < 0)
			buf_append_char(out, '$');
		else if (out != NULL && match != NULL && (size_t)group < match->count)
			buf_append_view(out, match->groups[group]);
	}
	return true;
}

static void
skip_rule(const struct reader *r, const char *why)
{
	log_warn("%s map %s, line %u: %s: skipping this rule", r->table->engine->name,
	    r->table->path, r->line, why);
}

/* "if" and "endif" are words: what follows is a blank, '!', a delimiter, or the end. */
static bool
word_take(struct view *text, struct view word)
{
	if (!view_has_prefix_nocase(*text, word) ||
	    (text->n > word.n && char_is_alnum(text->p[word.n])))
		return false;
	*text = view_trim(view_sub(*text, word.n, text->n));
	return true;
}

static void *
pattern_take(struct reader *r, struct view *text, bool *negated, struct table_error *e)
{
	*negated = false;
	while (text->n > 0 && (text->p[0] == '!' || char_is_blank(text->p[0]))) {
		if (text->p[0] == '!')
			*negated = !*negated;
		*text = view_sub(*text, 1, text->n);
	}
	return r->table->engine->compile(text, e);
}

static bool
read_if(struct reader *r, struct view text)
{
	struct table_error e = { "" };
	struct rule *rule;
	bool negated;
	void *pattern = pattern_take(r, &text, &negated, &e);

	if (pattern == NULL || view_trim(text).n > 0 || r->depth == NESTING_MAX) {
		if (pattern != NULL) {
			r->table->engine->free(pattern);
			table_error_set(&e, "bad if");
		}
		table_error_set(r->error, "%s map %s, line %u: %.100s", r->table->engine->name,
		    r->table->path, r->line, e.text);
		return false;
	}
	rule = rule_add(r, RULE_IF);
	rule->pattern = pattern;
	rule->negated = negated;
	r->open[r->depth++] = r->table->count - 1;
	return true;
}

static bool
read_endif(struct reader *r)
{
	if (r->depth == 0) {
		table_error_set(r->error, "%s map %s, line %u: endif without matching if",
		    r->table->engine->name, r->table->path, r->line);
		return false;
	}
	rule_add(r, RULE_ENDIF);
	r->table->rules[r->open[--r->depth]].end = r->table->count - 1;
	return true;
}

static void
read_match(struct reader *r, struct view text)
{
	const struct pattern_engine *engine = r->table->engine;
	struct table_error e = { "" };
	struct rule *rule;
	bool negated;
	void *pattern = pattern_take(r, &text, &negated, &e);

	if (pattern == NULL) {
		skip_rule(r, e.text);
		return;
	}
	text = view_trim(text);
	if (engine->groups != NULL &&
	    !value_expand(text, NULL, negated ? 0 : engine->groups(pattern), NULL)) {
		engine->free(pattern);
		skip_rule(r, "out of range or malformed $number in the replacement text");
		return;
	}
	if (text.n == 0)
		log_warn("%s map %s, line %u: no replacement text: using empty string",
		    engine->name, r->table->path, r->line);
	rule = rule_add(r, RULE_MATCH);
	rule->pattern = pattern;
	rule->negated = negated;
	rule->value = mem_dup(text.p, text.n);
}

static bool
read_rule(struct reader *r, struct view text)
{
	if (char_is_blank(text.p[0])) {
		skip_rule(r, "logical line must not start with whitespace");
		return true;
	}
	if (word_take(&text, VIEW("endif")))
		return read_endif(r);
	if (word_take(&text, VIEW("if")))
		return read_if(r, text);
	read_match(r, text);
	return true;
}

static bool
read_rules(struct pattern_table *t, struct view text, struct table_error *e)
{
	struct reader r = { .table = t, .error = e };
	struct source_lines lines;
	bool ok = true;

	source_lines_init(&lines, text);
	while (ok && source_lines_next(&lines)) {
		r.line = lines.line;
		if (lines.text.overflow ||
		    view_find(buf_view(&lines.text), '\0') < lines.text.len)
			skip_rule(&r, "entry is too long or has a NUL byte");
		else
			ok = read_rule(&r, buf_view(&lines.text));
	}
	source_lines_done(&lines);
	if (ok && r.depth > 0) {
		table_error_set(e, "%s map %s, line %u: if has no matching endif",
		    t->engine->name, t->path, t->rules[r.open[r.depth - 1]].line);
		ok = false;
	}
	return ok;
}

/* "{ {rule}, {rule} }" in place of a file name: one line a rule. */
static bool
read_inline(struct view all, struct buf *text, struct table_error *e)
{
	struct view rest, rule;

	if (all.p[all.n - 1] != '}') {
		table_error_set(e, "expecting \"{ {rule}, {rule}... }\"");
		return false;
	}
	rest = view_sub(all, 1, all.n - 2);
	while (view_next_braced(&rest, ", \t\r\n", &rule)) {
		if (rule.n < 2 || rule.p[0] != '{' || rule.p[rule.n - 1] != '}') {
			table_error_set(
			    e, "expecting \"{rule}\" instead of \"%.*s\"", VIEW_ARG(rule));
			return false;
		}
		buf_append_view(text, view_trim(view_sub(rule, 1, rule.n - 2)));
		buf_append_char(text, '\n');
	}
	return true;
}

static bool
read_source(const char *path, struct buf *text, struct table_error *e)
{
	if (path[0] == '{')
		return read_inline(view_trim(view_of(path)), text, e);
	return table_read_file(path, text, e);
}

void *
pattern_table_open(const struct pattern_engine *engine, const char *path, struct table_error *e)
{
	struct buf text = BUF_INIT(FILE_MAX);
	struct pattern_table *t = NEW(struct pattern_table);

	t->engine = engine;
	t->path = mem_strdup(path);
	if (!read_source(path, &text, e) || !read_rules(t, buf_view(&text), e)) {
		pattern_table_close(t);
		t = NULL;
	}
	buf_done(&text);
	return t;
}

void
pattern_table_close(void *state)
{
	struct pattern_table *t = state;

	for (size_t i = 0; i < t->count; i++) {
		if (t->rules[i].pattern != NULL)
			t->engine->free(t->rules[i].pattern);
		mem_free(t->rules[i].value);
	}
	mem_free(t->rules);
	mem_free(t->path);
	mem_free(t);
}

enum table_result
pattern_table_find(void *state, struct view key, struct buf *value, struct table_error *e)
{
	struct pattern_table *t = state;
	struct table_error reason = { "" };
	enum pattern_result result;

	for (size_t i = 0; i < t->count; i++) {
		const struct rule *rule = &t->rules[i];

		if (rule->kind == RULE_ENDIF)
			continue;
		t->match.count = 0;
		result = t->engine->match(rule->pattern, key, &t->match, &reason);
		if (result == PATTERN_ERROR) {
			table_error_set(e, "%s map %.100s, line %u: %.100s", t->engine->name,
			    t->path, rule->line, reason.text);
			return TABLE_CANNOT_TELL;
		}
		if ((result == PATTERN_YES) == rule->negated) {
			if (rule->kind == RULE_IF)
				i = rule->end;
			continue;
		}
		if (rule->kind == RULE_IF)
			continue;
		if (t->engine->groups == NULL)
			buf_append_str(value, rule->value);
		else
			value_expand(view_of(rule->value), &t->match, PATTERN_GROUPS, value);
		return TABLE_FOUND;
	}
	return TABLE_NOT_FOUND;
}
