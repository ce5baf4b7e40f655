/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each comparison is reduced to an order of -1, 0 or 1, and the operator says which of them
 * mean yes. Which order applies is told by the operator (levels) and by the operands (numbers,
 * text).
 */
#include "conf/expand_compare.h"

#include <stdint.h>

#include "base/mem.h"
#include "base/number.h"

struct operator
{
	struct view name;
	bool less, equal, greater;
};

static const struct operator operators[] = {
	{ { "==", 2 }, false, true, false },
	{ { "!=", 2 }, true, false, true },
	{ { "<", 1 }, true, false, false },
	{ { "<=", 2 }, true, true, false },
	{ { ">", 1 }, false, false, true },
	{ { ">=", 2 }, false, true, true },
};

static const struct operator* operator_find(struct view op, bool *is_level)
{
	*is_level = view_has_suffix(op, VIEW("level"));
	if (*is_level)
		op = view_sub(op, 0, op.n - 5);
	for (size_t i = 0; i < ARRAY_LEN(operators); i++)
		if (view_eq(operators[i].name, op))
			return &operators[i];
	return NULL;
}

bool
comparison_is_operator(struct view op)
{
	bool is_level;

	return operator_find(op, &is_level) != NULL;
}

bool
compatibility_level_parse(struct view text, unsigned out[3])
{
	unsigned level[3] = { 0, 0, 0 };

	for (size_t i = 0; i < 3; i++) {
		size_t dot = view_find(text, '.');
		uint64_t number;
		if (!number_parse(view_sub(text, 0, dot), 999999, &number))
			return false;
		level[i] = (unsigned)number;
		if (dot == text.n) {
			for (size_t k = 0; k < 3; k++)
				out[k] = level[k];
			return true;
		}
		text = view_sub(text, dot + 1, text.n);
	}
	return false;
}

static int
order_levels(const unsigned a[3], const unsigned b[3])
{
	for (size_t i = 0; i < 3; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return 0;
}

static bool
parse_whole(struct view text, int64_t *out)
{
	bool negative = text.n > 1 && text.p[0] == '-';
	uint64_t number;

	if (!number_parse(view_sub(text, negative ? 1 : 0, text.n), INT64_MAX, &number))
		return false;
	*out = negative ? -(int64_t)number : (int64_t)number;
	return true;
}

static int
order_values(struct view left, struct view right)
{
	int64_t a, b;

	if (parse_whole(left, &a) && parse_whole(right, &b))
		return a < b ? -1 : a > b;
	return view_compare(left, right);
}

bool
comparison_evaluate(
    struct view left, struct view op, struct view right, bool *result, struct view *bad)
{
	bool is_level;
	const struct operator* o = operator_find(op, &is_level);
	unsigned a[3], b[3];

	if (is_level && !compatibility_level_parse(left, a)) {
		*bad = left;
		return false;
	}
	if (is_level && !compatibility_level_parse(right, b)) {
		*bad = right;
		return false;
	}
	int order = is_level ? order_levels(a, b) : order_values(left, right);
	*result = order < 0 ? o->less : order > 0 ? o->greater : o->equal;
	return true;
}
