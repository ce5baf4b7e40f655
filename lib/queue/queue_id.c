/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queue ids: seconds, microseconds, 'z', a random number. Time first, so that ids sort roughly
 * by age; base 52 without vowels, so that they spell no words. The random part has no 'z', so
 * the last 'z' is the border. 64 random bits instead of an inode number: an id stays unique
 * when a queue is copied, restored or merged with another.
 */
#include <string.h>

#include "base/random.h"
#include "queue/queue.h"

#define MICROSECONDS   1000000
#define SECONDS_DIGITS 6
#define MICRO_DIGITS   4
#define RANDOM_DIGITS  12 /* 51^12 > 2^64 */
#define ID_LENGTH_MIN  12

/* The letter z comes last: base 51 is the same alphabet without it. */
static const char digits[] = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";

/* Writes at least `width` digits, and returns where they end. */
static char *
put_number(char *out, uint64_t value, unsigned base, size_t width)
{
	char reversed[16];
	size_t n = 0;

	while (value || n < width) {
		reversed[n++] = digits[value % base];
		value /= base;
	}
	while (n)
		*out++ = reversed[--n];
	return out;
}

void
queue_id_new(microseconds arrival, char out[QUEUE_ID_SIZE])
{
	uint64_t time = arrival < 0 ? 0 : (uint64_t)arrival;
	uint64_t unique;
	char *p = out;

	random_bytes(&unique, sizeof(unique));
	p = put_number(p, time / MICROSECONDS, 52, SECONDS_DIGITS);
	p = put_number(p, time % MICROSECONDS, 52, MICRO_DIGITS);
	*p++ = 'z';
	p = put_number(p, unique, 51, RANDOM_DIGITS);
	*p = '\0';
}

bool
queue_id_is_valid(struct view id)
{
	if (id.n < ID_LENGTH_MIN || id.n >= QUEUE_ID_SIZE)
		return false;
	for (size_t i = 0; i < id.n; i++) {
		if (!char_is_alnum(id.p[i]))
			return false;
	}
	return true;
}

static bool
take_number(struct view v, uint64_t *out)
{
	uint64_t value = 0;

	for (size_t i = 0; i < v.n; i++) {
		const char *digit = v.p[i] ? strchr(digits, v.p[i]) : NULL;

		if (!digit || __builtin_mul_overflow(value, 52, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(digit - digits), &value))
			return false;
	}
	*out = value;
	return true;
}

bool
queue_id_time(struct view id, microseconds *arrival)
{
	size_t border = view_find_last(id, 'z');
	uint64_t seconds, micro;

	if (!queue_id_is_valid(id) || border == id.n || border < SECONDS_DIGITS + MICRO_DIGITS)
		return false;
	if (!take_number(view_sub(id, 0, border - MICRO_DIGITS), &seconds) ||
	    !take_number(view_sub(id, border - MICRO_DIGITS, MICRO_DIGITS), &micro))
		return false;
	if (micro >= MICROSECONDS || seconds >= INT64_MAX / MICROSECONDS)
		return false;
	*arrival = (microseconds)(seconds * MICROSECONDS + micro);
	return true;
}
