/* SPDX-License-Identifier: Apache-2.0 */
/* The types of parameters: yes and no, whole numbers, times with units, text of some length. */
#include "conf/convert.h"

#include <limits.h>

#include "base/mem.h"
#include "base/number.h"

#define SECONDS_MAX INT_MAX

struct unit {
	struct view name;
	nanoseconds span;
};

static const struct unit units[] = {
	{ { "ms", 2 }, MILLISECOND },
	{ { "s", 1 }, SECOND },
	{ { "m", 1 }, 60 * SECOND },
	{ { "h", 1 }, 3600 * SECOND },
	{ { "d", 1 }, 86400 * SECOND },
	{ { "w", 1 }, 7 * 86400 * SECOND },
};

bool
conf_parse_bool(struct view text, bool *out)
{
	if (view_eq_nocase(text, VIEW("yes")))
		*out = true;
	else if (view_eq_nocase(text, VIEW("no")))
		*out = false;
	else
		return false;
	return true;
}

bool
conf_parse_time(struct view text, char default_unit, nanoseconds *out)
{
	struct view unit = { &default_unit, 1 };
	size_t digits = 0;
	uint64_t number;

	while (digits < text.n && char_is_digit(text.p[digits]))
		digits++;
	if (digits < text.n)
		unit = view_sub(text, digits, text.n);
	if (!number_parse(view_sub(text, 0, digits), INT64_MAX, &number))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (!view_eq_nocase(units[i].name, unit))
			continue;
		if (number > (uint64_t)(SECONDS_MAX * SECOND / units[i].span))
			return false;
		*out = (nanoseconds)number * units[i].span;
		return true;
	}
	return false;
}

/* A sign is for the few parameters whose bounds allow it. */
static bool
parse_number(const struct conf_parameter *p, struct view text, long long *out)
{
	long long most = p->max ? p->max : p->type == CONF_INT ? INT_MAX : LLONG_MAX;
	bool negative = p->min < 0 && view_has_prefix(text, VIEW("-"));
	uint64_t number;

	if (negative)
		text = view_sub(text, 1, text.n);
	if (!number_parse(text, (uint64_t)(negative ? -p->min : most), &number))
		return false;
	*out = negative ? -(long long)number : (long long)number;
	return *out >= p->min;
}

static bool
convert_number(
    const struct conf_parameter *p, struct view text, long long *out, struct buf *problem)
{
	if (parse_number(p, text, out))
		return true;
	if (p->max)
		buf_printf(problem, "must be a whole number from %lld to %lld", p->min, p->max);
	else if (p->min < 0)
		buf_append_str(problem, "must be a whole number");
	else
		buf_printf(problem, "must be a whole number, %lld or more", p->min);
	return false;
}

static bool
convert_time(
    const struct conf_parameter *p, struct view text, nanoseconds *out, struct buf *problem)
{
	nanoseconds span;

	if (conf_parse_time(text, p->unit, &span) && span >= p->min * SECOND &&
	    (!p->max || span <= p->max * SECOND)) {
		*out = span;
		return true;
	}
	buf_printf(problem, "must be a number with a unit ms, s, m, h, d or w (%c without one)",
	    p->unit);
	if (p->max)
		buf_printf(problem, ", from %llds to %llds", p->min, p->max);
	else if (p->min)
		buf_printf(problem, ", %llds or more", p->min);
	return false;
}

/* An empty default with a minimum of 1 is for a program that cannot work without: its affair.
 */
static bool
check_length(const struct conf_parameter *p, struct view text, struct buf *problem)
{
	if (text.n == 0 && p->default_text && p->default_text[0] == '\0')
		return true;
	if ((long long)text.n >= p->min && (!p->max || (long long)text.n <= p->max))
		return true;
	if (p->max && p->max == p->min)
		buf_printf(problem, "must have exactly %lld characters", p->max);
	else if (p->max)
		buf_printf(problem, "must have %lld to %lld characters", p->min, p->max);
	else
		buf_append_str(problem, "must not be empty");
	return false;
}

bool
conf_convert(const struct conf_parameter *p, struct view text, union conf_value *out,
    struct buf *problem)
{
	switch (p->type) {
	case CONF_BOOL:
		if (conf_parse_bool(text, &out->boolean))
			return true;
		buf_append_str(problem, "must be yes or no");
		return false;
	case CONF_INT:
	case CONF_LONG:
		return convert_number(p, text, &out->number, problem);
	case CONF_TIME:
		return convert_time(p, text, &out->span, problem);
	case CONF_STRING:
	case CONF_RAW:
		return check_length(p, text, problem);
	}
	return false;
}
