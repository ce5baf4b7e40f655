/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Feedback values are small decimal fractions, perhaps divided by the concurrency or by its
 * square root, so that a busy destination is moved less by each single delivery.
 */
#include "qmgr/feedback.h"

#include <math.h>

#include "base/number.h"

#define WHOLE_MAX       1000
#define FRACTION_DIGITS 9

/* "1", "0.25", ".5". */
static bool
parse_decimal(struct view text, double *out)
{
	size_t point = view_find(text, '.');
	struct view whole = view_sub(text, 0, point);
	struct view fraction = view_sub(text, point + 1, text.n);
	uint64_t number = 0;
	double scale = 1;

	if (whole.n == 0 && fraction.n == 0)
		return false;
	if (whole.n > 0 && !number_parse(whole, WHOLE_MAX, &number))
		return false;
	*out = (double)number;
	if (fraction.n == 0)
		return true;
	if (fraction.n > FRACTION_DIGITS || !number_parse(fraction, UINT32_MAX, &number))
		return false;
	for (size_t i = 0; i < fraction.n; i++)
		scale *= 10;
	*out += (double)number / scale;
	return true;
}

bool
feedback_parse(struct view text, struct feedback *out)
{
	size_t slash = view_find(text, '/');
	struct view unit = view_trim(view_sub(text, slash + 1, text.n));
	struct feedback f = { .kind = FEEDBACK_FIXED };

	if (!parse_decimal(view_trim(view_sub(text, 0, slash)), &f.amount))
		return false;
	if (slash < text.n) {
		if (view_eq(unit, VIEW("concurrency")))
			f.kind = FEEDBACK_PER_CONCURRENCY;
		else if (view_eq(unit, VIEW("sqrt_concurrency")))
			f.kind = FEEDBACK_PER_SQRT_CONCURRENCY;
		else
			return false;
	} else if (f.amount > 1) {
		return false;
	}
	*out = f;
	return true;
}

double
feedback_value(const struct feedback *f, unsigned window)
{
	switch (f->kind) {
	case FEEDBACK_PER_CONCURRENCY:
		return f->amount / window;
	case FEEDBACK_PER_SQRT_CONCURRENCY:
		return f->amount / sqrt(window);
	case FEEDBACK_FIXED:
		break;
	}
	return f->amount;
}
