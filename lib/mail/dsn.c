/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Status codes and DSN parameters. All of these come from strangers (clients, servers, policy
 * services), and their decoded text ends up in notices and logs: so what decodes to a control
 * character is refused here, once.
 */
#include "mail/dsn.h"

#include <stdio.h>

#include "base/cursor.h"
#include "base/escape.h"
#include "base/mem.h"
#include "base/number.h"
#include "mail/mailbox.h"

/* "." and one to three digits. */
static bool
number_take(struct cursor *c)
{
	struct view digits;

	cursor_expect(c, '.');
	digits = cursor_take_while(c, char_is_digit);
	return !c->failed && digits.n >= 1 && digits.n <= 3;
}

/* The length of the code at the front, or 0. */
static size_t
code_length(struct view text)
{
	struct cursor c = cursor_of(text);
	char class_digit = cursor_take(&c);

	if (class_digit != '2' && class_digit != '4' && class_digit != '5')
		return 0;
	if (!number_take(&c) || !number_take(&c))
		return 0;
	return text.n - cursor_left(&c);
}

bool
dsn_split(struct view text, struct view *code, struct view *rest)
{
	size_t n = code_length(text);
	size_t next = n;

	*rest = text;
	if (n == 0 || (n < text.n && !char_is_blank(text.p[n])))
		return false;
	while (next < text.n && char_is_blank(text.p[next]))
		next++;
	*code = view_sub(text, 0, n);
	*rest = view_sub(text, next, text.n);
	return true;
}

bool
dsn_is_valid(struct view code)
{
	return code.n && code_length(code) == code.n;
}

void
dsn_with_class(struct view code, char class_digit, char out[DSN_SIZE])
{
	struct view rest = view_sub(code, code.n ? 1 : 0, DSN_SIZE - 2);

	out[0] = class_digit;
	if (rest.n)
		memcpy(out + 1, rest.p, rest.n);
	out[1 + rest.n] = '\0';
}

static const struct {
	const char *name;
	unsigned bit;
} notify_names[] = {
	{ "NEVER", DSN_NOTIFY_NEVER },
	{ "SUCCESS", DSN_NOTIFY_SUCCESS },
	{ "FAILURE", DSN_NOTIFY_FAILURE },
	{ "DELAY", DSN_NOTIFY_DELAY },
};

static unsigned
notify_bit(struct view word)
{
	for (size_t i = 0; i < ARRAY_LEN(notify_names); i++) {
		if (view_eq_nocase(word, view_of(notify_names[i].name)))
			return notify_names[i].bit;
	}
	return 0;
}

unsigned
dsn_notify_parse(struct view text)
{
	unsigned notify = 0;

	for (;;) {
		size_t comma = view_find(text, ',');
		unsigned bit = notify_bit(view_sub(text, 0, comma));

		if (bit == 0)
			return 0;
		notify |= bit;
		if (comma == text.n)
			break;
		text = view_sub(text, comma + 1, text.n);
	}
	if ((notify & DSN_NOTIFY_NEVER) && notify != DSN_NOTIFY_NEVER)
		return 0;
	return notify;
}

void
dsn_notify_print(struct buf *out, unsigned notify)
{
	const char *separator = "";

	for (size_t i = 0; i < ARRAY_LEN(notify_names); i++) {
		if (notify & notify_names[i].bit) {
			buf_append_str(out, separator);
			buf_append_str(out, notify_names[i].name);
			separator = ",";
		}
	}
}

/* xchar of RFC 3461 4. */
static bool
is_xchar(char c)
{
	return c >= '!' && c <= '~' && c != '+' && c != '=';
}

static bool
is_upper_hex(char c)
{
	return char_is_digit(c) || (c >= 'A' && c <= 'F');
}

/* "+2B" at the front; -1 when it is malformed or stands for a byte that is not wanted. */
static int
hexchar_decode(struct view text)
{
	int byte;

	if (text.n < 3 || text.p[0] != '+' || !is_upper_hex(text.p[1]) ||
	    !is_upper_hex(text.p[2]))
		return -1;
	byte = number_hex_digit(text.p[1]) << 4 | number_hex_digit(text.p[2]);
	return char_is_control((char)byte) && byte != '\t' ? -1 : byte;
}

bool
xtext_decode(struct buf *out, struct view text)
{
	size_t before = out->len;

	for (size_t i = 0; i < text.n; i++) {
		int byte = (unsigned char)text.p[i];

		if (text.p[i] == '+') {
			byte = hexchar_decode(view_sub(text, i, 3));
			i += 2;
		} else if (!is_xchar(text.p[i])) {
			byte = -1;
		}
		if (byte < 0 || !buf_append_char(out, (char)byte)) {
			buf_truncate(out, before);
			return false;
		}
	}
	return true;
}

void
xtext_encode(struct buf *out, struct view raw)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < raw.n; i++) {
		unsigned char byte = (unsigned char)raw.p[i];

		if (is_xchar(raw.p[i]))
			buf_append_char(out, raw.p[i]);
		else
			buf_append(
			    out, (char[]){ '+', digits[byte >> 4], digits[byte & 15] }, 3);
	}
}

static size_t
utf8_encode(unsigned code_point, char out[4])
{
	static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	size_t n = code_point < 0x80 ? 1
	    : code_point < 0x800     ? 2
	    : code_point < 0x10000   ? 3
				     : 4;

	for (size_t i = n - 1; i > 0; i--) {
		out[i] = (char)(0x80 | (code_point & 0x3f));
		code_point >>= 6;
	}
	out[0] = (char)(lead[n] | code_point);
	return n;
}

/* "\x{E9}" off the front of *text, as UTF-8 (RFC 6533 3). */
static bool
embedded_unicode_decode(struct buf *out, struct view *text)
{
	size_t close = view_find(*text, '}');
	struct view hex = view_sub(*text, 3, close - 3);
	char encoded[4];
	uint64_t code_point;
	unsigned check;
	size_t n;

	if (close == text->n || !view_has_prefix(*text, VIEW("\\x{")) || hex.n < 2 || hex.n > 6)
		return false;
	for (size_t i = 0; i < hex.n; i++) {
		if (!is_upper_hex(hex.p[i]))
			return false;
	}
	if (!number_parse_hex(hex, &code_point) || code_point < 0x20 || code_point > 0x10ffff ||
	    (code_point >= 0x7f && code_point < 0xa0))
		return false;
	n = utf8_encode((unsigned)code_point, encoded);
	if (utf8_next((struct view){ encoded, n }, &check) != n)
		return false; /* a surrogate */
	*text = view_sub(*text, close + 1, text->n);
	return buf_append(out, encoded, n);
}

/* utf-8-addr-xtext or utf-8-addr-unitext of RFC 6533 3. */
static bool
utf8_address_decode(struct buf *out, struct view text, bool utf8)
{
	while (text.n) {
		unsigned code_point;
		size_t n;

		if (text.p[0] == '\\') {
			if (!embedded_unicode_decode(out, &text))
				return false;
			continue;
		}
		n = utf8_next(text, &code_point);
		if (n == 0 || (n == 1 ? !is_xchar(text.p[0]) : !utf8 || code_point < 0xa0))
			return false;
		if (!buf_append(out, text.p, n))
			return false;
		text = view_sub(text, n, text.n);
	}
	return true;
}

static bool
is_type_byte(char c)
{
	return char_is_alnum(c) || c == '-';
}

bool
dsn_orcpt_decode(struct buf *out, struct view text, bool utf8)
{
	struct cursor c = cursor_of(text);
	struct view type = cursor_take_while(&c, is_type_byte);
	size_t before = out->len;
	bool ok;

	if (type.n == 0 || !cursor_skip(&c, ';') || cursor_at_end(&c))
		return false;
	ok = buf_append_view(out, type) && buf_append_char(out, ';');
	if (view_eq_nocase(type, VIEW("utf-8")))
		ok = ok && utf8_address_decode(out, cursor_rest(&c), utf8);
	else
		ok = ok && xtext_decode(out, cursor_rest(&c));
	if (!ok)
		buf_truncate(out, before);
	return ok;
}
