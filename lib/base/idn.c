/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Punycode, RFC 3492 section 6.3, as it stands: no tables of Unicode, so no mapping of letters
 * to others. A name in capitals is another name here, and is not found.
 */
#include "base/idn.h"

#include <stdint.h>

#include "base/escape.h"

#define LABEL_MAX 63
#define BASE      36u
#define T_MIN     1u
#define T_MAX     26u

/* RFC 3492 section 6.1. */
static uint32_t
adapt(uint32_t delta, uint32_t points, bool first)
{
	uint32_t k = 0;

	delta = first ? delta / 700 : delta / 2;
	delta += delta / points;
	for (; delta > (BASE - T_MIN) * T_MAX / 2; k += BASE)
		delta /= BASE - T_MIN;
	return k + (BASE - T_MIN + 1) * delta / (delta + 38);
}

static char
digit(uint32_t value)
{
	return (char)(value < 26 ? 'a' + value : '0' + (value - 26));
}

static void
append_variable(struct buf *out, uint32_t delta, uint32_t bias)
{
	for (uint32_t k = BASE;; k += BASE) {
		uint32_t t = k <= bias ? T_MIN : k >= bias + T_MAX ? T_MAX : k - bias;
		if (delta < t)
			break;
		buf_append_char(out, digit(t + (delta - t) % (BASE - t)));
		delta = (delta - t) / (BASE - t);
	}
	buf_append_char(out, digit(delta));
}

static size_t
decode(struct view label, uint32_t points[LABEL_MAX])
{
	size_t count = 0;

	while (label.n > 0) {
		unsigned point;
		size_t n = utf8_next(label, &point);
		if (n == 0 || count == LABEL_MAX)
			return 0;
		points[count++] = point;
		label = view_sub(label, n, label.n);
	}
	return count;
}

static uint32_t
next_point(const uint32_t *points, size_t count, uint32_t from)
{
	uint32_t least = UINT32_MAX;

	for (size_t i = 0; i < count; i++)
		if (points[i] >= from && points[i] < least)
			least = points[i];
	return least;
}

/* RFC 3492 section 6.3; with 63 points below 0x110000 nothing can overflow 32 bits. */
static bool
append_label(struct view label, struct buf *out)
{
	uint32_t points[LABEL_MAX], n = 128, delta = 0, bias = 72;
	size_t count = decode(label, points), start = out->len, basic = 0;

	buf_append_str(out, "xn--");
	for (size_t i = 0; i < count; i++)
		if (points[i] < 128) {
			buf_append_char(out, char_lower((char)points[i]));
			basic++;
		}
	if (basic > 0)
		buf_append_char(out, '-');
	for (size_t done = basic; done < count; delta++, n++) {
		uint32_t next = next_point(points, count, n);
		delta += (next - n) * (uint32_t)(done + 1);
		n = next;
		for (size_t i = 0; i < count; i++) {
			if (points[i] < n)
				delta++;
			if (points[i] != n)
				continue;
			append_variable(out, delta, bias);
			bias = adapt(delta, (uint32_t)done + 1, done == basic);
			delta = 0;
			done++;
		}
	}
	return count > 0 && !out->overflow && out->len - start <= LABEL_MAX;
}

bool
idn_to_ascii(struct view domain, struct buf *out)
{
	if (!utf8_is_valid(domain))
		return false;
	for (;;) {
		size_t n = view_find(domain, '.');
		struct view label = view_sub(domain, 0, n);
		if (ascii_is_all(label))
			buf_append_view(out, label);
		else if (!append_label(label, out))
			return false;
		if (n == domain.n)
			return !out->overflow;
		buf_append_char(out, '.');
		domain = view_sub(domain, n + 1, domain.n);
	}
}
