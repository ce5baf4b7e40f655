/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Showing bytes from outside. Nearly all of them are plain ASCII, which is found eight bytes at
 * a time and copied in runs. What a terminal or a log viewer would act on, reorder or not show
 * at all becomes visible as octal digits.
 */
#include "base/escape.h"

#include <stdint.h>

#include "base/mem.h"

#define EACH_BYTE 0x0101010101010101ULL
#define HIGH_BITS (EACH_BYTE * 0x80)

/* Controls, characters that are not seen, and those that change the direction of text. */
static const struct {
	unsigned first;
	unsigned last;
} unprintable[] = {
	{ 0x80, 0x9f },       /* C1 controls */
	{ 0xad, 0xad },       /* soft hyphen */
	{ 0x34f, 0x34f },     /* combining grapheme joiner */
	{ 0x61c, 0x61c },     /* Arabic letter mark */
	{ 0x115f, 0x1160 },   /* Hangul fillers */
	{ 0x17b4, 0x17b5 },   /* Khmer inherent vowels */
	{ 0x180b, 0x180f },   /* Mongolian selectors and separator */
	{ 0x200b, 0x200f },   /* zero width, left-to-right and right-to-left mark */
	{ 0x2028, 0x202e },   /* line and paragraph separator, embedding, override */
	{ 0x2060, 0x206f },   /* word joiner, invisible operators, isolates */
	{ 0x3164, 0x3164 },   /* Hangul filler */
	{ 0xfdd0, 0xfdef },   /* noncharacters */
	{ 0xfe00, 0xfe0f },   /* variation selectors */
	{ 0xfeff, 0xfeff },   /* byte order mark */
	{ 0xffa0, 0xffa0 },   /* halfwidth Hangul filler */
	{ 0xfff0, 0xfffb },   /* interlinear annotation */
	{ 0x1bca0, 0x1bca3 }, /* shorthand format controls */
	{ 0x1d173, 0x1d17a }, /* musical format controls */
	{ 0xe0000, 0xe0fff }, /* tags, variation selectors */
};

static bool
is_printable_beyond_ascii(unsigned code_point)
{
	if ((code_point & 0xfffe) == 0xfffe)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(unprintable); i++) {
		if (code_point < unprintable[i].first)
			return true;
		if (code_point <= unprintable[i].last)
			return false;
	}
	return true;
}

static inline bool
is_printable_ascii(char c)
{
	return c >= 0x20 && c < 0x7f;
}

static inline uint64_t
load_word(const char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

/*
 * How many bytes at the front are printable ASCII. The sums lift the high bit of bytes from
 * 0x20 up, and of 0x7f; they carry into the next byte only where a high bit was set before.
 */
static size_t
ascii_run(struct view v)
{
	size_t n = 0;

	while (v.n - n >= 8) {
		uint64_t word = load_word(v.p + n);

		if (((word | (word + EACH_BYTE)) & HIGH_BITS) ||
		    (~(word + EACH_BYTE * 0x60) & HIGH_BITS))
			break;
		n += 8;
	}
	while (n < v.n && is_printable_ascii(v.p[n]))
		n++;
	return n;
}

/*
 * The next character of the input, as it is to be shown: copied whole, or one byte of it in
 * octal. Gives the length of the output and says in *taken how much input that was.
 */
static size_t
show_next(struct view v, char out[4], size_t *taken)
{
	unsigned char byte = (unsigned char)*v.p;
	unsigned code_point;
	size_t n = byte < 0x80 ? 0 : utf8_next(v, &code_point);

	if (n && is_printable_beyond_ascii(code_point)) {
		memcpy(out, v.p, n);
		*taken = n;
		return n;
	}
	out[0] = '\\';
	out[1] = (char)('0' + (byte >> 6));
	out[2] = (char)('0' + (byte >> 3 & 7));
	out[3] = (char)('0' + (byte & 7));
	*taken = 1;
	return 4;
}

void
escape_printable(struct buf *out, struct view v, size_t max)
{
	size_t room = out->max > out->len ? out->max - out->len : 0;
	size_t left = max < room ? max : room;

	while (v.n) {
		size_t run = ascii_run(v);
		size_t taken = run < left ? run : left;
		char shown[4];
		size_t n;

		buf_append(out, v.p, taken);
		left -= taken;
		v = view_sub(v, taken, SIZE_MAX);
		if (taken < run || v.n == 0)
			break;
		n = show_next(v, shown, &taken);
		if (n > left)
			break;
		buf_append(out, shown, n);
		left -= n;
		v = view_sub(v, taken, SIZE_MAX);
	}
	if (v.n && room < max)
		out->overflow = true;
}

bool
ascii_is_all(struct view v)
{
	size_t i = 0;

	for (; v.n - i >= 8; i += 8) {
		if (load_word(v.p + i) & HIGH_BITS)
			return false;
	}
	for (; i < v.n; i++) {
		if ((unsigned char)v.p[i] > 127)
			return false;
	}
	return true;
}

/*
 * RFC 3629 section 4. The bounds on the second byte are what keeps out overlong forms,
 * surrogates and what lies above U+10FFFF.
 */
size_t
utf8_next(struct view v, unsigned *code_point)
{
	unsigned char first;
	unsigned char low = 0x80;
	unsigned char high = 0xbf;
	unsigned value;
	size_t n;

	if (v.n == 0)
		return 0;
	first = (unsigned char)*v.p;
	if (first < 0x80) {
		*code_point = first;
		return 1;
	}
	if (first < 0xc2 || first > 0xf4)
		return 0;
	n = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	if (v.n < n)
		return 0;
	if (first == 0xe0)
		low = 0xa0;
	else if (first == 0xed)
		high = 0x9f;
	else if (first == 0xf0)
		low = 0x90;
	else if (first == 0xf4)
		high = 0x8f;
	value = first & (0x7fU >> n);
	for (size_t i = 1; i < n; i++) {
		unsigned char byte = (unsigned char)v.p[i];

		if (byte < low || byte > high)
			return 0;
		value = value << 6 | (byte & 0x3f);
		low = 0x80;
		high = 0xbf;
	}
	*code_point = value;
	return n;
}

bool
utf8_is_valid(struct view v)
{
	while (v.n) {
		unsigned code_point;
		size_t n;

		if (v.n >= 8 && !(load_word(v.p) & HIGH_BITS))
			n = 8;
		else
			n = utf8_next(v, &code_point);
		if (n == 0)
			return false;
		v = view_sub(v, n, SIZE_MAX);
	}
	return true;
}

/* One character that JSON does not take as it is; the number of input bytes it was. */
static size_t
json_special(struct buf *out, struct view v)
{
	static const char letters[] = "btn-fr"; /* 0x08 to 0x0d */
	unsigned char c = (unsigned char)*v.p;
	unsigned code_point;
	size_t n;

	if (c == '"' || c == '\\') {
		buf_append(out, (char[]){ '\\', (char)c }, 2);
	} else if (c >= 0x08 && c <= 0x0d && c != 0x0b) {
		buf_append(out, (char[]){ '\\', letters[c - 0x08] }, 2);
	} else if (c < 0x20) {
		buf_printf(out, "\\u%04x", c);
	} else {
		n = utf8_next(v, &code_point);
		if (n) {
			buf_append(out, v.p, n);
			return n;
		}
		buf_append_str(out, "\xef\xbf\xbd");
	}
	return 1;
}

void
escape_json(struct buf *out, struct view v)
{
	while (v.n && !out->overflow) {
		size_t run = ascii_run(v);
		size_t n = 0;

		while (n < run && v.p[n] != '"' && v.p[n] != '\\')
			n++;
		buf_append(out, v.p, n);
		v = view_sub(v, n, SIZE_MAX);
		if (v.n)
			v = view_sub(v, json_special(out, v), SIZE_MAX);
	}
}
