/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text from outside in a report. Reasons are what a stranger's server said, addresses are what
 * a stranger's client said: each becomes one line of printable characters before it is folded,
 * so that none of them makes a field, a part or a message of its own.
 */
#include "base/escape.h"
#include "bounce/report.h"
#include "mail/address.h"
#include "mail/header.h"

#define COLUMNS   78
#define INDENT    "    "
#define WORD_MAX_ REPORT_LINE /* a longer word is broken */

void
report_text(struct buf *out, struct view v, bool utf8, size_t max)
{
	if (utf8) {
		escape_printable(out, v, max);
		return;
	}
	for (size_t i = 0; i < v.n && i < max; i++)
		buf_append_char(out, v.p[i] >= ' ' && v.p[i] <= '~' ? v.p[i] : '?');
}

size_t
report_whole_characters(struct view v, size_t n)
{
	while (n > 1 && n < v.n && ((unsigned char)v.p[n] & 0xc0) == 0x80)
		n--;
	return n;
}

/* The next word, or as much of it as a line takes. */
static bool
next_piece(struct view *text, struct view *word)
{
	size_t n;

	if (!view_next_word(text, " ", word))
		return false;
	n = report_whole_characters(*word, word->n < WORD_MAX_ ? word->n : WORD_MAX_);
	text->p = word->p + n;
	text->n += word->n - n;
	word->n = n;
	return true;
}

void
report_field(struct buf *out, const char *name, struct view value)
{
	struct buf broken = BUF_INIT(value.n + value.n / 100 + 2);

	while (value.n) {
		size_t word = view_find(value, ' ');
		size_t n = word + (word < value.n);

		if (word > WORD_MAX_)
			n = report_whole_characters(value, WORD_MAX_);
		buf_append_view(&broken, view_sub(value, 0, n));
		if (word > WORD_MAX_)
			buf_append_char(&broken, ' ');
		value = view_sub(value, n, value.n);
	}
	header_build(out, name, buf_view(&broken));
	buf_done(&broken);
}

void
report_paragraph(struct buf *out, struct view text)
{
	size_t column = 0;
	struct view word;

	while (next_piece(&text, &word)) {
		if (column && column + 1 + word.n > COLUMNS) {
			buf_append_str(out, "\r\n" INDENT);
			column = sizeof(INDENT) - 1;
		} else if (column) {
			buf_append_char(out, ' ');
			column++;
		}
		buf_append_view(out, word);
		column += word.n;
	}
	buf_append_str(out, "\r\n");
}

/* RFC 6533 3, utf-8-addr-xtext: other characters as \x{HEX}. */
static void
append_unicode_text(struct buf *out, struct view v)
{
	while (v.n) {
		unsigned code_point;
		size_t n = utf8_next(v, &code_point);

		if (n > 1 || (n == 1 && *v.p == '\\'))
			buf_printf(out, "\\x{%02X}", code_point);
		else
			report_text(out, view_sub(v, 0, 1), false, 1);
		v = view_sub(v, n ? n : 1, v.n);
	}
}

void
report_address(struct buf *out, struct view address, const char *separator, bool utf8)
{
	struct buf external = BUF_INIT(4 * ADDRESS_MAX);

	address_quote(&external, address);
	buf_append_str(out, ascii_is_all(buf_view(&external)) ? "rfc822" : "utf-8");
	buf_append_str(out, separator);
	if (utf8 || ascii_is_all(buf_view(&external)))
		report_text(out, buf_view(&external), utf8, external.len);
	else
		append_unicode_text(out, buf_view(&external));
	buf_done(&external);
}
