/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command lines. Splitting refuses nothing: what a line holds is noted, and the command table
 * decides. Parameters are read forward, each byte once.
 */
#include "smtp/command_line.h"

#include "base/escape.h"
#include "base/number.h"

static unsigned
bytes_seen(struct view line)
{
	unsigned seen = 0;

	for (size_t i = 0; i < line.n; i++) {
		unsigned char c = (unsigned char)line.p[i];

		if (c >= ' ' && c < 0x7f)
			continue;
		if (c > 0x7f)
			seen |= COMMAND_HAS_8BIT;
		else if (c == '\0')
			seen |= COMMAND_HAS_NUL;
		else if (c != '\t')
			seen |= COMMAND_HAS_CONTROL;
	}
	return seen;
}

static bool
is_not_blank(char c)
{
	return c != ' ' && c != '\t';
}

struct command_line
command_line_split(struct view line)
{
	struct command_line out = { .bytes = bytes_seen(line) };
	struct cursor c = cursor_of(line);

	cursor_skip_blanks(&c);
	out.verb = cursor_take_while(&c, is_not_blank);
	cursor_skip_blanks(&c);
	out.argument = cursor_rest(&c);
	while (out.argument.n && !is_not_blank(out.argument.p[out.argument.n - 1]))
		out.argument.n--;
	return out;
}

bool
command_take_colon_word(struct cursor *c, struct view word, bool strict)
{
	if (!view_has_prefix_nocase(cursor_rest(c), word))
		return false;
	cursor_take_n(c, word.n);
	if (!strict)
		cursor_skip_blanks(c);
	return true;
}

static bool
is_keyword_byte(char c)
{
	return char_is_alnum(c) || c == '-';
}

static bool
is_value_byte(char c)
{
	return (unsigned char)c > ' ' && c != 0x7f;
}

enum esmtp_result
esmtp_param_next(struct cursor *c, struct esmtp_param *out)
{
	struct esmtp_param param = { 0 };

	cursor_skip_blanks(c);
	if (cursor_at_end(c))
		return ESMTP_END;
	param.keyword = cursor_take_while(c, is_keyword_byte);
	if (param.keyword.n == 0 || param.keyword.p[0] == '-')
		return ESMTP_MALFORMED;
	param.has_value = cursor_skip(c, '=');
	if (param.has_value) {
		param.value = cursor_take_while(c, is_value_byte);
		if (param.value.n == 0 || !utf8_is_valid(param.value))
			return ESMTP_MALFORMED;
	}
	if (!cursor_at_end(c) && is_not_blank(*c->p))
		return ESMTP_MALFORMED;
	*out = param;
	return ESMTP_PARAM;
}

int
esmtp_keyword_find(struct view keyword, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (view_eq_nocase(keyword, view_of(names[i])))
			return (int)i;
	}
	return -1;
}

bool
esmtp_mark_first(uint32_t *seen, int index)
{
	uint32_t bit = (uint32_t)1 << (index & 31);
	bool first = !(*seen & bit);

	*seen |= bit;
	return first;
}

bool
bdat_parse(struct view argument, uint64_t max, uint64_t *size, bool *last)
{
	struct cursor c = cursor_of(argument);
	struct view digits = cursor_take_while(&c, is_not_blank);
	struct view word;

	cursor_skip_blanks(&c);
	word = cursor_rest(&c);
	if (word.n && !view_eq_nocase(word, VIEW("LAST")))
		return false;
	if (!number_parse(digits, max, size))
		return false;
	*last = word.n > 0;
	return true;
}
