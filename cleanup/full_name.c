/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A person's name in an address of our own making, as a phrase before it or a comment behind
 * it. What is not ASCII becomes encoded words (RFC 2047); what would be structure is quoted.
 */
#include "base/escape.h"
#include "cleanup/cleanup.h"

#define ENCODED_WORD_MAX 75 /* RFC 2047 2 */
#define FRAME_LENGTH     7  /* around charset and text: "=?", "?Q?", "?=" */
#define QUOTED_BYTE      3  /* "=XX" */

/* RFC 2047 5 (3): what may stand for itself inside a phrase. */
static bool
is_plain_in_word(char c)
{
	return char_is_alnum(c) || c == '!' || c == '*' || c == '+' || c == '-' || c == '/';
}

static void
append_encoded(struct buf *out, struct view bytes)
{
	for (size_t i = 0; i < bytes.n; i++) {
		if (is_plain_in_word(bytes.p[i]))
			buf_append_char(out, bytes.p[i]);
		else if (bytes.p[i] == ' ')
			buf_append_char(out, '_');
		else
			buf_printf(out, "=%02X", (unsigned char)bytes.p[i]);
	}
}

/* Words of whole characters, each below the limit; between two of them blanks do not count. */
static void
print_encoded(struct buf *out, struct view name, const char *charset)
{
	size_t room = ENCODED_WORD_MAX - FRAME_LENGTH - strlen(charset), used = 0;

	buf_printf(out, "=?%s?Q?", charset);
	while (name.n) {
		unsigned code_point;
		size_t n = utf8_next(name, &code_point);

		n = n ? n : 1;
		if (used + QUOTED_BYTE * n > room) {
			buf_printf(out, "?= =?%s?Q?", charset);
			used = 0;
		}
		append_encoded(out, view_sub(name, 0, n));
		used += QUOTED_BYTE * n;
		name = view_sub(name, n, SIZE_MAX);
	}
	buf_append_str(out, "?=");
}

static void
print_escaped(struct buf *out, struct view name, const char *special)
{
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] && strchr(special, name.p[i]))
			buf_append_char(out, '\\');
		buf_append_char(out, name.p[i]);
	}
}

static bool
is_words(struct view name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!char_is_alnum(name.p[i]) && name.p[i] != ' ' && name.p[i] != '-')
			return false;
	return true;
}

void
full_name_print(struct buf *out, struct view name, const char *charset, bool is_comment)
{
	if (is_comment)
		buf_append_char(out, '(');
	if (!ascii_is_all(name) && strlen(charset) < ENCODED_WORD_MAX / 2) {
		print_encoded(out, name, charset);
	} else if (is_comment) {
		print_escaped(out, name, "()\\");
	} else if (is_words(name)) {
		buf_append_view(out, name);
	} else {
		buf_append_char(out, '"');
		print_escaped(out, name, "\"\\");
		buf_append_char(out, '"');
	}
	if (is_comment)
		buf_append_char(out, ')');
}
