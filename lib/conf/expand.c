/* SPDX-License-Identifier: Apache-2.0 */
/*
 * $name expressions. Text is copied up to a $, then one reference is taken: $$, $name, or a
 * bracketed body whose end is found by counting brackets of its kind. A body is a name with an
 * optional "?" or ":" part, a comparison when it begins with a brace, or a function call. Only
 * the branch that is chosen is expanded.
 *
 * A file can name itself in its own values and can make every value refer twice to the next:
 * names nest CONF_RECURSION_MAX deep, brackets BRANCH_MAX deep, and one expansion may look up
 * STEPS_MAX names, so the work is bounded whatever the file says.
 */
#include "conf/expand.h"

#include <string.h>

#include "base/cursor.h"
#include "base/idn.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "conf/expand_compare.h"

#define BRANCH_MAX 60
#define STEPS_MAX  50000
#define NAME_MAX_  200

struct expansion {
	const struct conf *conf;
	conf_lookup_fn *lookup;
	void *context;
	char **why;
	unsigned names;    /* depth of $name inside values */
	unsigned branches; /* depth of bracketed parts */
	unsigned steps;
};

static bool expand_text(struct expansion *e, struct view text, struct buf *out);

static bool
is_name_char(char c)
{
	return char_is_alnum(c) || c == '_';
}

/* The message quotes at most the first part of what is wrong. */
static bool
fail(struct expansion *e, const char *problem, struct view at)
{
	if (!*e->why)
		*e->why = mem_printf("%s: \"%.*s%s\"", problem, (int)(at.n < 60 ? at.n : 60),
		    at.n ? at.p : "", at.n > 60 ? "..." : "");
	return false;
}

static void
skip_blanks(struct cursor *c)
{
	cursor_take_while(c, char_is_blank);
}

/* After an opening bracket: the bytes before the one that closes it, which is taken too. */
static bool
take_bracketed(struct cursor *c, char open, char close, struct view *body)
{
	const char *start = c->p;

	for (size_t depth = 1; !cursor_at_end(c);) {
		char byte = cursor_take(c);
		if (byte == open)
			depth++;
		else if (byte == close && --depth == 0) {
			*body = (struct view){ start, (size_t)(c->p - start) - 1 };
			return true;
		}
	}
	return false;
}

static const char *
find_value(struct expansion *e, struct view name)
{
	char text[NAME_MAX_ + 1];

	if (name.n > NAME_MAX_)
		return NULL;
	memcpy(text, name.p, name.n);
	text[name.n] = '\0';
	const char *value = e->lookup ? e->lookup(text, e->context) : NULL;
	return value || !e->conf ? value : conf_text(e->conf, text, NULL);
}

static bool
expand_name(struct expansion *e, struct view name, struct buf *out)
{
	const char *value = find_value(e, name);

	if (!value || value[0] == '\0')
		return true;
	if (++e->steps > STEPS_MAX)
		return fail(e, "too many references while expanding", name);
	if (e->names >= CONF_RECURSION_MAX)
		return fail(e, "unreasonable macro call nesting", name);
	e->names++;
	bool ok = expand_text(e, view_of(value), out);
	e->names--;
	return ok;
}

static bool
expand_branch(struct expansion *e, struct view text, struct buf *out)
{
	if (e->branches >= BRANCH_MAX)
		return fail(e, "brackets nested too deep", text);
	e->branches++;
	bool ok = expand_text(e, text, out);
	e->branches--;
	return ok;
}

/* The text of a ? or : part: in braces, or as it stands up to the end, blanks and all. */
static bool
take_branch(struct expansion *e, struct cursor *c, struct view *branch, bool *braced)
{
	struct view as_it_stands = cursor_rest(c);

	skip_blanks(c);
	struct view at = cursor_rest(c);
	*braced = cursor_skip(c, '{');
	if (!*braced) {
		*branch = as_it_stands;
		c->p = c->end;
		return true;
	}
	if (!take_bracketed(c, '{', '}', branch))
		return fail(e, "\"}\" expected at the end of", at);
	skip_blanks(c);
	return true;
}

static bool
check_end(struct expansion *e, struct cursor *c)
{
	return cursor_at_end(c) || fail(e, "unexpected input at", cursor_rest(c));
}

/* "? yes" or "? {yes} : {no}" or ": no" and then the end of the body. */
static bool
expand_conditional(struct expansion *e, struct cursor *c, bool yes, struct buf *out)
{
	struct view if_true = VIEW_NONE, if_false = VIEW_NONE;
	bool braced = true;

	if (cursor_skip(c, '?')) {
		if (!take_branch(e, c, &if_true, &braced))
			return false;
		if (braced && !cursor_at_end(c) && cursor_peek(c) != ':')
			return fail(e, "\":\" expected at", cursor_rest(c));
	}
	if (cursor_skip(c, ':') && !take_branch(e, c, &if_false, &braced))
		return false;
	return check_end(e, c) && expand_branch(e, yes ? if_true : if_false, out);
}

static bool
is_operator_char(char c)
{
	return c == '=' || c == '!' || c == '<' || c == '>';
}

static struct view
take_operator(struct cursor *c)
{
	struct view op = cursor_take_while(c, is_operator_char);

	if (view_has_prefix(cursor_rest(c), VIEW("level")))
		op.n += cursor_take_n(c, 5).n;
	return op;
}

static bool
take_operand(struct expansion *e, struct cursor *c, struct buf *out)
{
	struct view at = cursor_rest(c), text;

	if (!cursor_skip(c, '{') || !take_bracketed(c, '{', '}', &text))
		return fail(e, "\"{expression}\" expected at", at);
	skip_blanks(c);
	return expand_branch(e, text, out);
}

static bool
compare(struct expansion *e, struct cursor *c, struct buf *left, struct buf *right, bool *yes)
{
	struct view bad;

	if (!take_operand(e, c, left))
		return false;
	struct view at = cursor_rest(c), op = take_operator(c);
	if (!comparison_is_operator(op))
		return fail(
		    e, "\"==\", \"!=\", \"<\", \"<=\", \">=\" or \">\" expected at", at);
	skip_blanks(c);
	if (!take_operand(e, c, right))
		return false;
	if (!comparison_evaluate(buf_view(left), op, buf_view(right), yes, &bad))
		return fail(e, "malformed compatibility level syntax", bad);
	return true;
}

/* A comparison without ? and : stands for "true" or nothing. */
static bool
expand_comparison(struct expansion *e, struct cursor *c, struct buf *out)
{
	struct buf left = BUF_INIT(CONF_VALUE_MAX), right = BUF_INIT(CONF_VALUE_MAX);
	bool yes = false;
	bool ok = compare(e, c, &left, &right, &yes);

	buf_done(&left);
	buf_done(&right);
	if (!ok)
		return false;
	if (cursor_at_end(c)) {
		buf_append_str(out, yes ? "true" : "");
		return true;
	}
	if (cursor_peek(c) != '?' && cursor_peek(c) != ':')
		return fail(e, "\"?\" or \":\" expected at", cursor_rest(c));
	return expand_conditional(e, c, yes, out);
}

/* ${name{argument}}: there is one function. */
static bool
expand_call(struct expansion *e, struct view name, struct cursor *c, struct buf *out)
{
	struct buf argument = BUF_INIT(CONF_VALUE_MAX);

	if (!view_eq(name, VIEW("domain_to_ascii")))
		return fail(e, "unknown function name", name);
	bool ok = take_operand(e, c, &argument) && check_end(e, c);
	if (ok && !idn_to_ascii(buf_view(&argument), out))
		ok = fail(e, "not a domain name", buf_view(&argument));
	buf_done(&argument);
	return ok;
}

static bool
expand_body(struct expansion *e, struct view body, struct view whole, struct buf *out)
{
	struct cursor c = cursor_of(body);

	skip_blanks(&c);
	if (cursor_peek(&c) == '{')
		return expand_comparison(e, &c, out);
	struct view name = cursor_take_while(&c, is_name_char);
	skip_blanks(&c);
	if (name.n == 0)
		return fail(e,
		    cursor_at_end(&c) ? "empty macro name" : "attribute name syntax error at",
		    whole);
	switch (cursor_peek(&c)) {
	case -1:
		return expand_name(e, name, out);
	case '?':
	case ':': {
		const char *value = find_value(e, name);
		return expand_conditional(e, &c, value && value[0] != '\0', out);
	}
	case '{':
		return expand_call(e, name, &c, out);
	default:
		return fail(e, "attribute name syntax error at", cursor_rest(&c));
	}
}

/* What follows a $. */
static bool
expand_reference(struct expansion *e, struct cursor *c, struct buf *out)
{
	struct view at = { c->p - 1, cursor_left(c) + 1 }, body;
	int next = cursor_peek(c);

	if (next == '$') {
		buf_append_char(out, cursor_take(c));
		return true;
	}
	if (next == '{' || next == '(') {
		cursor_take(c);
		if (!take_bracketed(c, (char)next, next == '{' ? '}' : ')', &body))
			return fail(e, "truncated macro reference", at);
		return expand_body(e, body, at, out);
	}
	body = cursor_take_while(c, is_name_char);
	if (body.n == 0)
		return fail(e, "empty macro name", at);
	return expand_name(e, body, out);
}

static bool
expand_text(struct expansion *e, struct view text, struct buf *out)
{
	struct cursor c = cursor_of(text);

	while (!cursor_at_end(&c)) {
		struct view plain = cursor_take_n(&c, view_find(cursor_rest(&c), '$'));
		buf_append_view(out, plain);
		if (cursor_skip(&c, '$') && !expand_reference(e, &c, out))
			return false;
		if (out->overflow)
			return fail(e, "value too long after expansion", text);
	}
	return true;
}

bool
conf_expand_with(const struct conf *c, conf_lookup_fn *lookup, void *context, struct view text,
    struct buf *out, char **why)
{
	struct expansion e = { .conf = c, .lookup = lookup, .context = context, .why = why };

	*why = NULL;
	return expand_text(&e, text, out);
}

bool
conf_expand(const struct conf *c, struct view text, struct buf *out, char **why)
{
	return conf_expand_with(c, NULL, NULL, text, out, why);
}

/* Nested references have a $ of their own, so one pass over all $ finds every name. */
void
expand_names(struct view text, expand_name_fn *each, void *context)
{
	struct cursor c = cursor_of(text);

	while (!cursor_at_end(&c)) {
		cursor_take_n(&c, view_find(cursor_rest(&c), '$'));
		if (!cursor_skip(&c, '$') || cursor_skip(&c, '$'))
			continue;
		if (cursor_skip(&c, '{') || cursor_skip(&c, '('))
			skip_blanks(&c);
		struct view name = cursor_take_while(&c, is_name_char);
		if (name.n > 0 && cursor_peek(&c) != '{')
			each(name, context);
	}
}
